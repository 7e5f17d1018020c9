{{/* Names, labels and accounts: the only place where a name is made. */}}

{{- define "openreg.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name, with the chart's name when the release's does not contain it. */}}
{{- define "openreg.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "openreg.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "openreg.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component: (list $ "api"). Never changes: a Deployment's selector cannot. */}}
{{- define "openreg.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "openreg.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of a component's objects: (list $ "api"). */}}
{{- define "openreg.labels" -}}
{{- $root := index . 0 -}}
{{ include "openreg.selector" . }}
app.kubernetes.io/part-of: openreg
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The user name of a component's account, as the API server spells it: (list $ "operator"). */}}
{{- define "openreg.account" -}}
{{- $root := index . 0 -}}
system:serviceaccount:{{ $root.Release.Namespace }}:{{ include "openreg.fullname" $root }}-{{ index . 1 }}
{{- end -}}

{{/* An image's full name: (list $ "openreg-api"). */}}
{{- define "openreg.image" -}}
{{- $root := index . 0 -}}
{{- printf "%s%s:%s" $root.Values.image.registry (index . 1) ($root.Values.image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}

{{/* The Secret of the key that signs access tokens. */}}
{{- define "openreg.jwtSecret" -}}
{{- .Values.jwt.secretName | default (printf "%s-jwt" (include "openreg.fullname" .)) -}}
{{- end -}}

{{/* Whether to render an object of the kinds of the Prometheus operator: (list $ "Auto"). Empty means no. */}}
{{- define "openreg.monitored" -}}
{{- $root := index . 0 -}}
{{- if or (eq (index . 1) "Always") (and (eq (index . 1) "Auto") ($root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
yes
{{- end -}}
{{- end -}}
