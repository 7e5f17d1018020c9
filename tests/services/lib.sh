# shellcheck shell=bash disable=SC2034
# Read by the scripts beside it: real servers on loopback, on random free ports, for tests that need no cluster.
#
#   postgres.sh start DIR     starts one (or finds it running), waits until it answers, writes DIR/env to be sourced
#   postgres.sh stop DIR      ends it and removes DIR
#
# With OPENREG_SERVICE_OWNER=PID a server ends by itself once that process is gone, so that a test that was killed leaves
# none behind. Everything a server keeps is in DIR, or in a folder of /tmp that DIR/data names where another account
# than the caller's must reach it.
set -euo pipefail
SELF=$(realpath "$0")
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
name=$(basename "$0" .sh)
action=${1:-} DIR=${2:-}
[ -n "$DIR" ] && [[ $action = start || $action = stop ]] || fail "usage: $name.sh start|stop DIR"

free_port() { # a port that nobody listens on; outside the range from which the kernel gives ports to clients
    local port
    while true; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}
secret() { openssl rand -hex 12; }
alive() { # whether the process of DIR/pid lives and is the one that was started: a number can be given again
    [ -f "$DIR/pid" ] && [ -f "$DIR/program" ] && tr '\0' ' ' 2>/dev/null <"/proc/$(<"$DIR/pid")/cmdline" | grep -qF "$(<"$DIR/program")"
}
launch() { # launch COMMAND...: in the background, its log in DIR/log, its number in DIR/pid
    echo "${RECOGNISE:-$1}" >"$DIR/program"
    setsid "$@" </dev/null >>"$DIR/log" 2>&1 9>&- &
    echo $! >"$DIR/pid"
    if [ -n "${OPENREG_SERVICE_OWNER:-}" ]; then
        setsid bash -c 'while kill -0 "$1" 2>/dev/null; do sleep 1; [ -d "$3" ] || exit 0; done; "$2" stop "$3"' \
            bash "$OPENREG_SERVICE_OWNER" "$SELF" "$DIR" </dev/null >/dev/null 2>&1 9>&- &
    fi
}
await() { # await COMMAND...: until the server answers, or its log's end and failure
    local limit=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        # Not `alive`: on a busy machine the process may not yet be the program that it becomes.
        if [ ! -e "/proc/$(<"$DIR/pid")" ] || [ $SECONDS -ge $limit ]; then
            tail -n 20 "$DIR/log" >&2
            kill -KILL -- "-$(<"$DIR/pid")" 2>/dev/null || true
            fail "$name does not answer; its log is $DIR/log"
        fi
        sleep 0.1
    done
}
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

if [ "$action" = stop ]; then
    if [ -d "$DIR" ]; then
        DIR=$(cd "$DIR" && pwd)
        if alive; then
            pid=$(<"$DIR/pid")
            kill -"${STOP_SIGNAL:-TERM}" -- "${STOP_WHOM:-}$pid"
            for _ in {1..100}; do [ -e "/proc/$pid" ] || break; sleep 0.1; done
            ! alive || kill -KILL -- "-$pid"
        fi
        [ ! -f "$DIR/data" ] || rm -rf "$(<"$DIR/data")"
        rm -rf "$DIR"
    fi
    exit
fi
mkdir -p "$DIR"
DIR=$(cd "$DIR" && pwd)
exec 9>"$DIR/lock"
flock 9 # two tests that start the same one
if alive && [ -f "$DIR/env" ]; then exit; fi
[ ! -f "$DIR/data" ] || rm -rf "$(<"$DIR/data")"
find "$DIR" -mindepth 1 ! -name lock -delete # what one left that was killed
umask 077
