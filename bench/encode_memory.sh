#!/usr/bin/env bash
# bench/encode_memory.sh SEMBED [MODEL] [LINES] [SEED]: LINES short lines through a model. Prints the resident memory at 10 % and at the
# end, kills a second run at a random moment, goes on with it, and compares the two files.
set -eu
program=$(realpath "$1") lines=${3:-1000000} RANDOM=${4:-$$}
cd "$(dirname "$0")/.."
model=${2:-tests/data/tiny-mpnet}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gzip -cd recipes/data/test.jsonl.gz | sed 's/.*"context": *"\(.*\)", *"response.*/\1/' >"$work/some"
awk -v n="$lines" '{ text[NR] = $0 } END { for (i = 0; i < n; i++) print i, text[i % NR + 1] }' "$work/some" >"$work/texts.txt"
echo "seed ${4:-$$}; $(wc -l <"$work/texts.txt") lines, $(wc -c <"$work/texts.txt") bytes, model $model"

texts() { sed -n 's/.*"texts": *\([0-9]*\).*/\1/p' "$1" 2>/dev/null | head -n 1; }
encode() { exec "$program" encode model="$model" in="$work/texts.txt" out="$work/$1.npy" resume=auto; }

(encode whole) &
pid=$!
start=$(date +%s)
while kill -0 $pid 2>/dev/null; do
    done_now=$(texts "$work/whole.npy.part.json" || true)
    memory=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/$pid/status 2>/dev/null || true)
    [ -z "$done_now" ] || [ -z "$memory" ] || echo "$done_now $memory" >>"$work/samples"
    sleep 0.5
done
wait $pid
seconds=$(($(date +%s) - start))
awk -v n="$lines" '
    $1 >= n / 10 && !first { first = $2; at = $1 }
    $1 >= n / 10 { least = least && least < $2 ? least : $2; most = most > $2 ? most : $2 }
    { last = $2; end = $1 }
    END { printf "resident memory: %.1f MB after %d texts, %.1f MB after %d; between %.1f and %.1f MB in between\n",
        first / 1000, at, last / 1000, end, least / 1000, most / 1000 }' "$work/samples"

(encode killed) 2>"$work/said" &
pid=$!
pause=$((seconds / 4 + RANDOM % (seconds / 2 + 1)))
sleep $pause
kill -KILL $pid
wait $pid 2>/dev/null || true
echo "killed after $pause s of $seconds, $(texts "$work/killed.npy.part.json") texts were safe"
(encode killed)
cmp "$work/whole.npy" "$work/killed.npy"
echo "the same $(wc -c <"$work/whole.npy") bytes"
