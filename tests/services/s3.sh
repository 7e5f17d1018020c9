#!/usr/bin/env bash
# s3.sh start DIR | stop DIR: an S3 server (versitygw) that checks signatures, with one bucket. DIR/env gives S3_ENDPOINT
# S3_REGION S3_BUCKET S3_ACCESS_KEY S3_SECRET_KEY.
source "$(dirname "$0")/lib.sh"
program=$("$ROOT/tests/services/versitygw.sh" path)
bucket=openreg
port=$(free_port)
access=$(secret)
key=$(secret)
mkdir -p "$DIR/buckets/$bucket" "$DIR/iam"
# Through the environment: arguments are read by everybody on the machine.
export ROOT_ACCESS_KEY=$access ROOT_SECRET_KEY=$key
# iam-dir: without it an unknown key is answered with 404.
RECOGNISE="$DIR/buckets" launch "$program" --port "127.0.0.1:$port" --region us-east-1 --iam-dir "$DIR/iam" --quiet posix "$DIR/buckets"
await listening "$port"
cat >"$DIR/env" <<END
export S3_ENDPOINT=http://127.0.0.1:$port S3_REGION=us-east-1 S3_BUCKET=$bucket
export S3_ACCESS_KEY=$access S3_SECRET_KEY=$key
END
echo "s3: 127.0.0.1:$port"
