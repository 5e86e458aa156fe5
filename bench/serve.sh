#!/usr/bin/env bash
# bench/serve.sh MODEL [SECONDS] [CONNECTIONS] [key=value]...: `sembed serve` under load. Starts build/sembed (or SEMBED) serve on a
# free port, sends texts of recipes/data for SECONDS (60) on CONNECTIONS (64) that stay open, and ends it with SIGTERM. Prints rate,
# latencies and the server's resident memory at the start, at each tenth and at the end. Further words go to bench/serve_load.c:
#   bench/serve.sh DIR 20 64 each=32 format=base64
# Exit status 1 if an answer was wrong or the server did not end well. Needs: cmake --build build --target serve_load
set -u
[ $# -ge 1 ] || { sed -n '2,7s/^# //p' "$0"; exit 2; }
model=$(realpath "$1") seconds=${2:-60} connections=${3:-64}
shift $(($# < 3 ? $# : 3))
cd "$(dirname "$0")/.." || exit 2
program=${SEMBED:-build/sembed}
work=$(mktemp -d)
: >"$work/server"
server='' load='' pause=''

end() { # of this script, however it ends
    for pid in $pause $load $server; do kill -TERM "$pid" 2>/dev/null; done
    for _ in $(seq 100); do
        [ -n "$server" ] && kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    [ -z "$server" ] || kill -KILL "$server" 2>/dev/null
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

fail() {
    echo "$*" >&2
    cat "$work/server" >&2
    exit 1
}

[ -x build/serve_load ] || fail 'build/serve_load is missing: cmake --build build --target serve_load'
OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive} "$program" serve model="$model" port=0 >"$work/server" 2>&1 &
server=$!
for _ in $(seq 300); do
    port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$work/server")
    [ -z "$port" ] || break
    kill -0 $server 2>/dev/null || fail 'the server did not start'
    sleep 0.1
done
[ -n "$port" ] || fail 'the server told no address within 30 s'

memory() { # WHEN: resident, and what of it is no file's (weights are mapped, and read when they are used)
    awk -v when="$1" '/^VmRSS:/ { all = $2 } /^RssAnon:/ { own = $2 } END { if (all) print when, all, own }' \
        /proc/$server/status 2>/dev/null >>"$work/memory"
}

memory start
build/serve_load port="$port" texts=recipes/data/test.jsonl.gz seconds="$seconds" connections="$connections" "$@" >"$work/load" &
load=$!
for tenth in 1 2 3 4 5 6 7 8 9 10; do
    sleep "$(awk -v s="$seconds" 'BEGIN { print s / 10 }')" &
    pause=$!
    wait $pause
    memory "${tenth}0%"
    kill -0 $load 2>/dev/null || break
done
wait $load
status=$?
load='' pause=''
memory end
kill -TERM $server
wait $server
ended=$?
server=''

cat "$work/load"
awk '{ name[NR] = $1; all[NR] = $2 / 1000; own[NR] = $3 / 1000 }
    END { printf "%-24s", "server:"; for (i = 1; i <= NR; i++) printf "%8s", name[i]
        printf "\n%-24s", "resident memory, MB"; for (i = 1; i <= NR; i++) printf "%8.1f", all[i]
        printf "\n%-24s", "of it not of files, MB"; for (i = 1; i <= NR; i++) printf "%8.1f", own[i]
        printf "\n" }' "$work/memory"
[ $ended -eq 0 ] || { echo "the server ended with status $ended:"; cat "$work/server"; }
[ $status -eq 0 ] && [ $ended -eq 0 ]
