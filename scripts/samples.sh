#!/usr/bin/env bash
# samples.sh [FOLDER]: writes config/samples into FOLDER (.work/samples) as they fit this cluster: the host key in them is an
# example, and becomes the one of the SFTP server that scripts/dev-services.sh made. quickstart.yaml is for the command line.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
use_cluster
folder=${1:-$WORK/samples}
[ -d config/samples ] || fail "config/samples is not there"
key=$(kubectl get secret -n "$DEV_NAMESPACE" credentials -o 'jsonpath={.data.sshHostKeyPublic}' | base64 -d)
[ -n "$key" ] || fail "the SFTP server has no host key: run scripts/dev-services.sh"
rm -rf "$folder"
mkdir -p "$folder"
for sample in config/samples/*.yaml; do
    [ "$(basename "$sample")" != quickstart.yaml ] || continue
    sed -E "s|ssh-ed25519 AAAA[A-Za-z0-9+/=…]*|$key|" "$sample" >"$folder/$(basename "$sample")"
done
echo "$folder"
