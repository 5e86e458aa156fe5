#!/usr/bin/env bash
# Going on after step 500,000 of the card's run over a token file of made pairs: bench/resume.sh PROGRAM FOLDER [PAIRS=3000000]
# Seconds of whole processes, from the start of the program to the first batch, five in a row: the loader alone, with none, few and
# many pairs whose context is one text; then the whole run with mpnet-base and AdamW (1.3 GB of saves in FOLDER).
set -eu
program=$(realpath "$1") folder=$(realpath -m "$2") pairs=${3:-3000000}
cd "$(dirname "$0")/.."
TIMEFORMAT='%R s (%U user, %S system)'
mkdir -p "$folder"
five() {
    for _ in 1 2 3 4 5; do time "$program" bench/resume.lua folder="$folder" "$@" >/dev/null 2>"$folder/said"; done
}
for common in 0.0000001 0.002 0.02; do
    rm -rf "${folder:?}/run" "${folder:?}/tokens"
    "$program" bench/resume.lua make=true folder="$folder" pairs="$pairs" common=$common 2>/dev/null
    echo "the loader, common=$common:"
    five
done
echo 'the run:'
five run=true resume=auto
