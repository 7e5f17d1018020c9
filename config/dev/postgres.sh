#!/bin/bash
# Starts PostgreSQL on an empty volume: database `trades` with seed data and a reader, database `openreg` for the API.
set -euo pipefail
data=/data/postgres
bin=/usr/lib/postgresql/15/bin
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
if [ ! -d $data ]; then
    install -d -o postgres -g postgres -m 700 $data
    as_postgres $bin/initdb -D $data -U postgres --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 >/dev/null
    install -d -o postgres -g postgres /run/postgresql
    as_postgres $bin/pg_ctl -D $data -w -o "-c listen_addresses=''" -l /tmp/seed.log start >/dev/null
    as_postgres psql -X -q -v ON_ERROR_STOP=1 -v reporter_password="$REPORTER_PASSWORD" -v openreg_password="$OPENREG_PASSWORD" -f /seed/seed.sql
    as_postgres $bin/pg_ctl -D $data -w stop >/dev/null
    echo "host all all all scram-sha-256" >>$data/pg_hba.conf
fi
install -d -o postgres -g postgres /run/postgresql
# A server of tests need not survive a power cut.
exec setpriv --reuid=postgres --regid=postgres --init-groups $bin/postgres -D $data \
    -c listen_addresses='*' -c fsync=off -c max_connections=200 -c shared_buffers=128MB -c log_min_messages=warning
