#!/usr/bin/env bash
# Encoding in sembed next to sentence-transformers, ONNX Runtime and OpenVINO, in one run, taking turns:
# bench/encode.sh PROGRAM PYTHON MODEL [THREADS=2] [ROUNDS=5] [f32|bf16|int8]
set -eu
program=$(realpath "$1") python=$2 model=$(realpath "$3")
cd "$(dirname "$0")/.."
"$python" bench/encode_peers.py "$program" "$model" recipes/data/train.jsonl.gz "${4:-2}" "${5:-5}" "${6:-f32}" 2>/dev/null
