#!/usr/bin/env bash
# tenant-secrets.sh: prints, as YAML, the Secrets with which a tenant reaches the servers of config/dev: trades-db,
# store-s3, bank-sftp. Each names the only hosts to which it may be sent.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
use_cluster
namespace=openreg-dev
of() { kubectl get secret -n $namespace credentials -o "jsonpath={.data.$1}"; } # in base64, as it goes into the YAML
text() { printf %s "$1" | base64 -w0; }
cat <<END
apiVersion: v1
kind: Secret
metadata: {name: trades-db}
data:
  username: $(text reporter)
  password: $(of reporterPassword)
  allowedHosts: $(text postgres.$namespace.svc:5432)
---
apiVersion: v1
kind: Secret
metadata: {name: store-s3}
data:
  accessKeyId: $(of s3AccessKey)
  secretAccessKey: $(of s3SecretKey)
  allowedHosts: $(text s3.$namespace.svc:7070)
---
apiVersion: v1
kind: Secret
metadata: {name: bank-sftp}
data:
  username: $(text bank)
  password: $(of sftpPassword)
  id_ed25519: $(of sftpClientKey)
  allowedHosts: $(text sftp.$namespace.svc:22)
END
