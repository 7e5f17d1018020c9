#!/bin/bash
# Starts an S3 server that checks signatures, with the bucket `openreg`.
set -euo pipefail
mkdir -p /data/s3/openreg /data/iam
exec versitygw --port :7070 --access "$S3_ACCESS_KEY" --secret "$S3_SECRET_KEY" --region us-east-1 --iam-dir /data/iam --quiet posix /data/s3
