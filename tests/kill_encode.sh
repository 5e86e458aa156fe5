#!/usr/bin/env bash
# tests/kill_encode.sh SEMBED [KILLS] [SEED]: kills `sembed encode` without warning at random moments and goes on, for several
# inputs and formats: the file is that of a run that was never disturbed, byte for byte.
set -u
program=$(realpath "$1") kills=${2:-5} RANDOM=${3:-$$}
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "seed ${3:-$$}"
gzip -cd recipes/data/test.jsonl.gz | head -n 4000 >"$work/texts.jsonl"
gzip -c "$work/texts.jsonl" >"$work/packed.jsonl.gz"
sed 's/.*"context": *"\(.*\)", *"response.*/1,"\1\n\1"/; s/\\"/""/g' "$work/texts.jsonl" >"$work/texts.csv"

fail() {
    echo "$*"
    cat "$work/said"
    exit 1
}
clock() { echo $(($(date +%s%N) / 1000000)); }
saves=0

# kill_and_go_on NAME OUT INPUT KEYS...: INPUT - reads texts.jsonl from a pipe.
kill_and_go_on() {
    local name=$1 out=$2 input=$3
    shift 3
    local keys=(encode model=tests/data/tiny-mpnet "in=$input" "$@" save=0.02) from=/dev/null
    [ "$input" != - ] || from=$work/texts.jsonl
    local start milliseconds pid pause status i
    start=$(clock)
    "$program" "${keys[@]}" out="$work/whole.$out" <"$from" >"$work/said" 2>&1 || fail "$name: the undisturbed run failed"
    milliseconds=$(($(clock) - start))
    for ((i = 1; i <= kills; i++)); do
        cat "$from" | "$program" "${keys[@]}" out="$work/killed.$out" resume=auto >"$work/said" 2>&1 &
        pid=$!
        pause=$((RANDOM % (milliseconds * 6 / 10)))
        sleep "$(printf '%d.%03d' $((pause / 1000)) $((pause % 1000)))"
        kill -KILL $pid 2>/dev/null
        wait $pid 2>/dev/null
        status=$?
        [ $status -eq 0 ] || [ $status -eq 137 ] || fail "$name: kill $i after $pause ms: status $status"
        if [ -e "$work/killed.$out.part.json" ]; then
            grep -q '"texts": 0' "$work/killed.$out.part.json" || saves=$((saves + 1))
            [ ! -e "$work/killed.$out" ] || [ ! -e "$work/killed.$out.part" ] || fail "$name: kill $i: a file and a part of it"
        fi
    done
    "$program" "${keys[@]}" out="$work/killed.$out" resume=auto <"$from" >"$work/said" 2>&1 || fail "$name: the last part failed"
    cmp "$work/whole.$out" "$work/killed.$out" || fail "$name: other bytes than those of the undisturbed run"
    [ "$(cd "$work" && ls killed.*)" = "killed.$out" ] || fail "$name: left behind: $(cd "$work" && ls killed.*)"
    echo "$name: $milliseconds ms undisturbed"
    rm "$work/whole.$out" "$work/killed.$out"
}

kill_and_go_on 'npy' npy "$work/texts.jsonl" field=context
kill_and_go_on 'gzip to jsonl' jsonl "$work/packed.jsonl.gz" field=context
kill_and_go_on 'pipe to raw' f32 - field=response
kill_and_go_on 'csv with line breaks to bits' npy "$work/texts.csv" column=2 output=ubinary
kill_and_go_on 'two files, token vectors' safetensors "$work/texts.jsonl,$work/packed.jsonl.gz" field=response tokens=true
[ $saves -gt 0 ] || fail 'no kill came late enough to have a save'
echo "$saves saves gone on with; the same bytes as undisturbed"
