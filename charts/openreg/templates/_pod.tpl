{{/* What the pods of all components share. */}}

{{- define "openreg.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "openreg.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Labels and annotations of a component's pods: (list $ "api" .Values.api). */}}
{{- define "openreg.podMetadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "openreg.labels" (list $root (index . 1)) | nindent 2 }}
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The head of a component's pod spec: (list $ "api" .Values.api). */}}
{{- define "openreg.podHead" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $values := index . 2 -}}
serviceAccountName: {{ include "openreg.fullname" $root }}-{{ $name }}
automountServiceAccountToken: true
enableServiceLinks: false
securityContext:
  {{- include "openreg.podSecurity" $root | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
# Over zones where there are several; a pod that cannot be spread starts all the same.
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "openreg.selector" (list $root $name) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
affinity:
  {{- if $values.affinity }}
  {{- toYaml $values.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity: # replicas on different nodes where there are several
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "openreg.selector" (list $root $name) | nindent 14 }}
  {{- end }}
{{- end -}}

{{/* What each container knows of itself: (list $ .Values.api). */}}
{{- define "openreg.env" -}}
{{- $values := index . 1 -}}
- name: OPENREG_LOG
  value: {{ $values.logLevel | quote }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- end -}}

{{- define "openreg.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* The database's URL, as a variable from the Secret. */}}
{{- define "openreg.databaseEnv" -}}
- name: OPENREG_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.database.secretName }}, key: {{ .Values.database.secretKey }}}}
{{- end -}}

{{/* Brings the tables up to date before the container starts. Two pods at once: the migrator holds a lock in the database. */}}
{{- define "openreg.migrate" -}}
- name: migrate
  image: {{ include "openreg.image" (list . .Values.api.image) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [migrate]
  env:
    {{- include "openreg.env" (list . .Values.api) | nindent 4 }}
    {{- include "openreg.databaseEnv" . | nindent 4 }}
    {{- with .Values.database.ownerSecretKey }}
    - name: OPENREG_OWNER_DATABASE_URL
      valueFrom: {secretKeyRef: {name: {{ $.Values.database.secretName }}, key: {{ . }}}}
    {{- end }}
    {{- with .Values.database.appLogin }}
    - name: OPENREG_APP_LOGIN
      value: {{ . | quote }}
    {{- end }}
  securityContext:
    {{- include "openreg.containerSecurity" . | nindent 4 }}
  resources:
    requests: {cpu: 50m, memory: 64Mi}
    limits: {cpu: "1", memory: 256Mi}
{{- end -}}

{{/* The tenants' store credentials, a folder each. Optional: one tenant's missing copy stops nobody else. */}}
{{- define "openreg.storeMounts" -}}
{{- if .Values.defaultStoreSecret }}
- {name: store-default, mountPath: /stores/_default, readOnly: true}
{{- end }}
{{- range $i, $tenant := .Values.tenants }}
{{- if $tenant.storeSecret }}
- {name: store-{{ $i }}, mountPath: /stores/{{ $tenant.name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "openreg.storeVolumes" -}}
{{- if .Values.defaultStoreSecret }}
- name: store-default
  secret: {secretName: {{ .Values.defaultStoreSecret }}, optional: true, defaultMode: 0440}
{{- end }}
{{- range $i, $tenant := .Values.tenants }}
{{- if $tenant.storeSecret }}
- name: store-{{ $i }}
  secret: {secretName: {{ $tenant.storeSecret }}, optional: true, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end -}}
