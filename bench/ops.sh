#!/usr/bin/env bash
# Ops a second in sembed, PyTorch and numpy, taking turns, and sembed's microseconds a node for building alone; medians, and the
# least and most in brackets: bench/ops.sh PROGRAM PYTHON [ROUNDS=5] [SECONDS=1] [THREADS=2]
set -eu
program=$(realpath "$1") python=$2
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=${5:-2}
for ((i = 0; i < ${3:-5}; i++)); do
    "$program" bench/ops.lua seconds="${4:-1}"
    "$python" bench/ops.py "${4:-1}" "$OMP_NUM_THREADS"
done | sort -k1,2 -k3,3g | awk '
    function show() { if (n) printf "%-18s %-18s %s (%s to %s)\n", who, what, v[int((n + 1) / 2)], v[1], v[n] }
    $1 != who || $2 != what { show(); who = $1; what = $2; n = 0 }
    { v[++n] = $3 }
    END { show() }'
