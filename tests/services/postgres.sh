#!/usr/bin/env bash
# postgres.sh start DIR | stop DIR: a PostgreSQL server. DIR/env gives PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE (the
# superuser, for libpq's clients) and DATABASE_URL.
STOP_SIGNAL=INT # "fast": without waiting for clients to leave
source "$(dirname "$0")/lib.sh"
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || fail "no PostgreSQL server: run scripts/packages.sh"
as_server=()
data=$DIR/postgres
if [ "$(id -u)" = 0 ]; then
    # The server refuses to be root, and its account cannot look into root's folders.
    as_server=(setpriv --reuid=postgres --regid=postgres --init-groups)
    data=$(mktemp -d /tmp/openreg-postgres.XXXXXX)
    chown postgres:postgres "$data"
    echo "$data" >"$DIR/data"
fi
password=$(secret)
port=$(free_port)
# The password's file must be read by the server's account, so it lies beside the data.
"${as_server[@]}" bash -c 'umask 077; cat >"$1/password"' bash "$data" <<<"$password"
(cd / && "${as_server[@]}" "$bin/initdb" -D "$data/db" -U postgres --pwfile="$data/password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync) >"$DIR/log" 2>&1 ||
    { tail -n 10 "$DIR/log" >&2; fail "initdb failed; its log is $DIR/log"; }
# Tests need no data after a power cut; and statements run in parallel tests, hence the connections.
cd /
RECOGNISE="$data/db" launch "${as_server[@]}" "$bin/postgres" -D "$data/db" -p "$port" -k "$data" -c listen_addresses=127.0.0.1 \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=300 -c shared_buffers=256MB -c log_min_messages=warning
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGPASSWORD=$password PGDATABASE=postgres
await "$bin/pg_isready" -q
cat >"$DIR/env" <<END
export PGHOST=127.0.0.1 PGPORT=$port PGUSER=postgres PGPASSWORD=$password PGDATABASE=postgres
export DATABASE_URL=postgres://postgres:$password@127.0.0.1:$port/postgres
END
echo "postgres: 127.0.0.1:$port"
