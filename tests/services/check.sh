#!/usr/bin/env bash
# check.sh: proves that the servers of this folder start, do what tests rely on, refuse what they must, and leave nothing.
# A line per check.
set -euo pipefail
source "$(dirname "$0")/../../scripts/lib.sh"
here=$ROOT/tests/services
work=$(mktemp -d)
failed=0
finish() {
    for name in postgres s3 sftp; do "$here/$name.sh" stop "$work/$name"; done
    rm -rf "$work"
}
trap finish EXIT
check() { # check WHAT FUNCTION
    if (set -e; "$2") >"$work/out" 2>&1; then echo "PASS  $1"; else failed=1; echo "FAIL  $1"; sed 's/^/      /' "$work/out"; fi
}
with() { # with SERVICE: its environment
    # shellcheck disable=SC1090 # written by the service
    source "$work/$1/env"
}
not() { if "$@"; then echo "went through: $*"; return 1; fi; }
export OPENREG_SERVICE_OWNER=$$
for name in postgres s3 sftp; do "$here/$name.sh" start "$work/$name" >/dev/null; done

psql=$(ls -d /usr/lib/postgresql/*/bin/psql | sort -V | tail -n 1)
query() { "$psql" -X -At -c "select 6 * 7" "$@"; }
answers() { with postgres; [ "$(query)" = 42 ] && [ "$(query "$DATABASE_URL")" = 42 ]; }
wrong_password() { with postgres; PGPASSWORD=wrong not query; }
once() { local before; before=$(<"$work/postgres/pid"); "$here/postgres.sh" start "$work/postgres"; [ "$before" = "$(<"$work/postgres/pid")" ]; }
check "postgres answers by variables and by URL" answers
check "postgres refuses a wrong password" wrong_password
check "postgres started twice is one server" once

s3() { # s3 KEY BODY ARGUMENTS...: the body's digest is part of what is signed
    curl --silent --fail --user "$S3_ACCESS_KEY:$1" --aws-sigv4 "aws:amz:$S3_REGION:s3" \
        --header "x-amz-content-sha256: $(printf %s "$2" | sha256sum | cut -d' ' -f1)" "${@:3}" "$S3_ENDPOINT/$S3_BUCKET/one"
}
put() { s3 "$S3_SECRET_KEY" "$1" --data-binary "$1" -X PUT --header 'If-None-Match: *'; }
objects() { with s3; put first; [ "$(s3 "$S3_SECRET_KEY" "")" = first ]; }
one_winner() { with s3; not put second; [ "$(s3 "$S3_SECRET_KEY" "")" = first ]; }
wrong_signature() { with s3; not s3 wrong ""; }
check "s3 takes and gives an object" objects
check "s3 refuses a second write of a key that must not exist" one_winner
check "s3 refuses a wrong signature" wrong_signature

client() { # client KNOWN-HOSTS COMMAND...: in SFTP, one a line
    printf '%s\n' "${@:2}" >"$work/batch"
    sftp -q -b "$work/batch" -P "$SFTP_PORT" -i "$SFTP_KEY" -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$1" "$SFTP_USER@$SFTP_HOST"
}
known() { echo "[$SFTP_HOST]:$SFTP_PORT ${1:-$SFTP_HOST_KEY}" >"$work/known"; echo "$work/known"; }
uploads() { with sftp; client "$(known)" "put $here/check.sh /in/file" "rename /in/file /in/final"; cmp "$here/check.sh" "$SFTP_ROOT/in/final"; }
by_password() {
    with sftp
    printf '#!/bin/sh\necho %s\n' "$SFTP_PASSWORD" >"$work/ask"
    chmod 700 "$work/ask"
    echo "ls /in" | SSH_ASKPASS=$work/ask SSH_ASKPASS_REQUIRE=force sftp -q -o PubkeyAuthentication=no -P "$SFTP_PORT" -o UserKnownHostsFile="$(known)" "$SFTP_USER@$SFTP_HOST" | grep final
}
other_key() { with sftp; not client "$(known "$(cut -d' ' -f1,2 "$work/sftp/client.pub")")" "ls /"; }
confined() { with sftp; not client "$(known)" "put $here/check.sh /etc/x"; not client "$(known)" "put $here/check.sh /x"; }
no_shell() { with sftp; not ssh -p "$SFTP_PORT" -i "$SFTP_KEY" -o UserKnownHostsFile="$(known)" "$SFTP_USER@$SFTP_HOST" true; }
check "sftp takes a file by key and renames it" uploads
check "sftp lets in by password" by_password
check "sftp with another host key than the pinned one is not talked to" other_key
check "sftp lets nobody write outside /in" confined
check "sftp gives no shell" no_shell

gone() {
    local folders
    folders=$(cat "$work"/*/data)
    for name in postgres s3 sftp; do "$here/$name.sh" stop "$work/$name"; done
    not grep -ls "$work" /proc/[0-9]*/cmdline /proc/[0-9]*/environ --include=none
    for name in postgres s3 sftp; do not test -e "$work/$name"; done
    for folder in $folders; do not test -e "$folder"; done
}
check "stopped, they leave no process and no file" gone
orphan() { # the owner is a process that ends
    sleep 1 & local owner=$!
    OPENREG_SERVICE_OWNER=$owner "$here/s3.sh" start "$work/s3"
    until_true 10 test ! -e "$work/s3"
}
check "a server whose owner ended ends too" orphan
exit $failed
