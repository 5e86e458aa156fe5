#!/usr/bin/env bash
# The loader alone next to training of mpnet-base's size, taking turns: bench/loader.sh PROGRAM [ROUNDS=1]
# The last lines of a round: how many times more pairs a second the loader gives than training takes.
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for ((i = 0; i < ${2:-1}; i++)); do
    "$program" bench/train_step.lua steps=2 2>/dev/null | tail -n 1 | tee "$work/training"
    "$program" bench/loader.lua folder="$work" 2>/dev/null | tee "$work/loader"
    # training, batch 64: 207.2 real tokens/s, 9.70 s a step, ...
    rate=$(sed -nE 's/^training, batch ([0-9]+): .* ([0-9.]+) s a step.*/\1 \2/p' "$work/training" | awk '{print $1 / $2}')
    sed -nE 's/^(.*): ([0-9]+) pairs.*/\1 \2/p' "$work/loader" |
        awk -v rate="$rate" '{n = $NF; $NF = ""; printf "%s/ training (%.2f pairs/s): %.0f\n", $0, rate, n / rate}'
done
