#!/usr/bin/env bash
# SIGKILL at random moments of `sembed tokens` and `sembed pairs`: tests/kill_jobs.sh PROGRAM [KILLS=4] [SEED] [COMMENTS=270000]
# Each job is killed and gone on from until there were KILLS kills, two of them with something to go on from, and begun anew when
# it finished before; whenever one finishes, its folder holds the files of a job that was never disturbed, byte for byte, and
# nothing else.
set -u
program=$(realpath "$1") kills=${2:-4} RANDOM=${3:-$$} comments=${4:-270000}
cd "$(dirname "$0")/.." || exit 1
. tests/restart.sh
work=$(memory_folder)
trap 'rm -rf "$work"' EXIT
echo "seed ${3:-$$}"

# All that a folder holds: every name, and the sum of every file.
tree() { (cd "$1" && find . -type f -exec sha256sum {} + -o -print | sort); }

# job NAME OUT FILE...: runs it into the folder OUT, in the place of this shell.
pairs() { exec "$program" pairs in="$work/comments.jsonl" out="$1" memory=16M; }
tokens() { exec "$program" tokens model=tests/data/tiny-mpnet in="$sources" tokens="$1"; }

# Killed at the very end, `sembed pairs` has nothing left to do, and says so.
over() { [ "$1" = pairs ] && grep -q 'holds finished pairs' "$work/said"; }

# kill_and_go_on NAME: kills it KILLS times; a killed job is gone when the next one begins.
kill_and_go_on() {
    local name=$1 start milliseconds pid pause status=0 killed=0 finished=0 within=0
    start=$(clock)
    ("$name" "$work/$name.whole") >"$work/said" 2>&1 || fail "$name: the undisturbed run failed"
    milliseconds=$(($(clock) - start))
    tree "$work/$name.whole" >"$work/whole"
    while [ $killed -lt "$kills" ] || [ $within -lt 2 ] || [ $status -ne 0 ]; do
        [ $killed -lt $((50 + kills)) ] || fail "$name: $within of $killed kills left something to go on from"
        ("$name" "$work/killed") >"$work/said" 2>&1 &
        pid=$!
        if [ $killed -lt "$kills" ] || [ $within -lt 2 ]; then
            pause=$((RANDOM % milliseconds))
            [ $((killed % 2)) = 0 ] || pause=$((milliseconds * 3 / 4 + pause / 4)) # jobs save late
            sleep "$(printf '%d.%03d' $((pause / 1000)) $((pause % 1000)))"
            kill -KILL $pid 2>/dev/null
        fi
        wait $pid 2>/dev/null
        status=$?
        if [ $status -eq 137 ]; then
            killed=$((killed + 1))
            [ -z "$(find "$work/killed" -name '*.part' -size +0 -o -name state.json 2>/dev/null)" ] || within=$((within + 1))
            continue
        fi
        [ $status -eq 0 ] || over "$name" || fail "$name: kill $killed after $pause ms: status $status"
        status=0
        tree "$work/killed" | diff "$work/whole" - >"$work/said" || fail "$name: other files than those of the undisturbed run"
        rm -r "$work/killed"
        finished=$((finished + 1))
    done
    echo "$name: $milliseconds ms undisturbed; killed $killed times, $within with something to go on from, $finished runs finished"
}

"$program" bench/comments.lua n="$comments" out="$work/comments.jsonl" >"$work/said" 2>&1 || fail 'no comments were made'
kill_and_go_on pairs

made=$work/pairs.whole
gzip -cd "$made/test.jsonl.gz" >"$work/plain.jsonl"
sed 's/"[a-z]*": *//g; s/^{/[/; s/}$/]/' "$work/plain.jsonl" >"$work/lists.jsonl"
sources=$made/train.jsonl.gz,$work/plain.jsonl,$work/lists.jsonl
kill_and_go_on tokens
echo 'the same bytes as undisturbed, and nothing left behind'
