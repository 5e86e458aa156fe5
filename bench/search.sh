#!/usr/bin/env bash
# The search behind the main job's defaults: bench/search.sh PROGRAM OUT < LIST
# LIST has one set of keys a line ("layers=2 hidden=256 batch=256 lr=2e-3 steps=450 warmup=50 seed=1"); for each, the line of
# accuracy, the seconds it took and the last loss are written to OUT/table.txt. bench/README.md holds what came out.
set -u
program=$(realpath "$1") out=$2
cd "$(dirname "$0")/.." || exit 1
mkdir -p "$out"
while read -r keys; do
    [ -n "$keys" ] || continue
    name=$(echo "$keys" | tr ' =' '_-')
    start=$SECONDS
    # shellcheck disable=SC2086
    "$program" recipes/reddit_mpnet.lua $keys out="$out/$name" >"$out/$name.log" 2>&1 </dev/null
    echo "$keys: $(tail -n 1 "$out/$name.log"), $((SECONDS - start)) s," \
        "last loss $(tail -n 1 "$out/$name/log.jsonl" | sed 's/.*"loss": *\([0-9.]*\).*/\1/')" | tee -a "$out/table.txt"
    rm -rf "$out/$name"
done
