#!/usr/bin/env bash
# Training steps of mpnet-base's size in sembed and in PyTorch, taking turns: bench/train_step.sh PROGRAM PYTHON [ROUNDS=3]
set -eu
program=$(realpath "$1") python=$2
cd "$(dirname "$0")/.."
for ((i = 0; i < ${3:-3}; i++)); do
    "$program" bench/train_step.lua steps=4 2>/dev/null | tail -n 2
    "$python" bench/train_step_torch.py 64 2 2>/dev/null
done
