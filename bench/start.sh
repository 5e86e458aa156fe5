#!/usr/bin/env bash
# From start to first vector: bench/start.sh MODEL_FOLDER [PYTHON]
# Whole processes, their end included, files in the page cache: the median of RUNS (9) and the least. With a Python that
# has sentence-transformers, the same there (3 runs), taking turns.
set -eu
model=$(realpath "$1") python=${2:-} runs=${RUNS:-9}
cd "$(dirname "$0")/.."
sembed=build/sembed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

text='The committee will meet again on Thursday to decide about the new bridge.' # 16 tokens with MPNet
cat >"$work/first.lua" <<EOF
local se = require 'sembed'
local model = se.model.open '$model'
local start = se.seconds()
local x = model:encode { '$text' }
io.write(x:rows(1, 1):bytes():byte(1), '\n')
if os.getenv 'TWICE' then -- the text's own time, once all is warm
  local best = math.huge
  for _ = 1, 5 do
    start = se.seconds()
    model:encode { '$text' }
    best = math.min(best, se.seconds() - start)
  end
  print(('%.1f'):format(best * 1e3))
end
EOF
cat >"$work/first.py" <<EOF
from sentence_transformers import SentenceTransformer
model = SentenceTransformer('$model', device='cpu')
print(model.encode(['$text'])[0][0])
EOF

# One run, in milliseconds.
once() {
    local start end
    start=$(date +%s%N)
    "$@" >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
    end=$(date +%s%N)
    echo $(((end - start) / 10000)) >>"$work/times"
}

# row NAME RUNS COMMAND...: what the clock itself costs (starting /bin/true) is not taken off.
row() {
    local name=$1 n=$2
    shift 2
    : >"$work/times"
    once "$@"
    : >"$work/times"
    for ((i = 0; i < n; i++)); do once "$@"; done
    sort -n "$work/times" | awk -v name="$name" '{ t[NR] = $1 / 100 }
        END { printf "%-42s %9.1f ms (least %.1f)\n", name, t[int((NR + 1) / 2)], t[1] }'
}

row '/bin/true' "$runs" /bin/true
row "sembed -e ''" "$runs" "$sembed" -e ''
row 'sembed --help' "$runs" "$sembed" --help
encode() { echo "$text" | "$sembed" encode model="$model" out=- out_format=jsonl; }
row 'echo TEXT | sembed encode' "$runs" encode
row 'sembed: start to first vector' "$runs" "$sembed" "$work/first.lua"
printf '%-42s %9s ms\n' "  of which the text's own time" "$(TWICE=1 "$sembed" "$work/first.lua" | tail -1)"
if [ -n "$python" ]; then
    row 'sentence-transformers: the same' 3 "$python" "$work/first.py"
    row 'sembed, again' "$runs" "$sembed" "$work/first.lua"
fi
