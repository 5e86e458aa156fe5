#!/usr/bin/env bash
# Texts looked up in the source of a token file, plain and packed: bench/look_up.sh PROGRAM [PAIRS=1000000]
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v n="${2:-1000000}" 'BEGIN {
    srand(1)
    for (i = 1; i <= n; i++)
        printf "[\"somebody said that number %d is %d\", \"and this is what %d answered\"]\n", i, rand() * 1e9, rand() * 1e9
}' >"$work/plain.jsonl"
gzip -c "$work/plain.jsonl" >"$work/packed.jsonl.gz"
zstd -q -c "$work/plain.jsonl" >"$work/packed.jsonl.zst"
for file in "$work"/*.jsonl*; do
    "$program" bench/look_up.lua data="$file" tokens="$work/tokens" 2>/dev/null
done
