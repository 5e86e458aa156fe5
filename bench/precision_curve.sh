#!/usr/bin/env bash
# The losses of a training in bf16 next to those in f32, step by step: bench/precision_curve.sh PROGRAM [STEPS=200] [KEY=VALUE...]
set -eu
program=$(realpath "$1") steps=${2:-200}
shift; shift || true
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
for precision in f32 bf16; do
  "$program" recipes/reddit_mpnet.lua steps="$steps" warmup=10 eval=0 out="$out/$precision" precision=$precision "$@" >"$out/$precision.txt"
done
"$program" -e "
local se = require 'sembed'
local function losses(name)
  local list = {}
  for line in se.data.lines('$out/' .. name .. '/log.jsonl') do
    local record = se.json.parse(line)
    if record.loss then list[#list + 1] = record.loss end
  end
  return list
end
local a, b = losses 'f32', losses 'bf16'
local most, at, sum = 0, 0, 0
for i = 1, #a do
  local off = math.abs(b[i] - a[i]) / a[i]
  sum = sum + off
  if off > most then most, at = off, i end
end
print(('%d steps: loss %.4f to %.4f in f32, %.4f to %.4f in bf16; off by %.3f %% at most (step %d), %.3f %% on average'):format(#a, a[1], a[#a],
  b[1], b[#b], 100 * most, at, 100 * sum / #a))"
