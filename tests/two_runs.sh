#!/usr/bin/env bash
# Several runs into one folder at the same time: tests/two_runs.sh PROGRAM [RUNS=3]
# A training, `sembed pairs`, `sembed encode`: one is at work, the others are refused with its process. `sembed tokens`: one makes
# the file, the others wait for it. All files are those of a run that was alone; one that was killed holds nobody off.
set -u
program=$(realpath "$1") runs=${2:-3}
cd "$(dirname "$0")/.." || exit 1
. tests/restart.sh
work=$(memory_folder)
keys=(tokens="$work/tokens")
trap 'rm -rf "$work"' EXIT

tree() { (cd "$1" && find . -type f -exec sha256sum {} + -o -print | sort); }
same_tree() { diff <(tree "$1") <(tree "$2") >"$work/said" || fail "$2: other files than those of a run that was alone"; }

# refused OUT PID: what was just said.
refused() {
    grep -qF "$1: another run is at work there (process $2 on " "$work/said" && grep -qF "$program" "$work/said" ||
        fail "$1: the message does not name process $2"
}

# at_once COMMAND...: RUNS of it; their exit statuses, in order, in `statuses`.
at_once() {
    local pids=() i
    for ((i = 0; i < runs; i++)); do
        "$program" "$@" >"$work/said.$i" 2>&1 &
        pids+=($!)
    done
    statuses=''
    for ((i = 0; i < runs; i++)); do
        wait "${pids[i]}"
        statuses+=" $?"
    done
    statuses=$(tr ' ' '\n' <<<"$statuses" | sort | xargs)
}

# one_of OUT COMMAND...: of RUNS at once one does it, the others are refused, or come when it is over.
one_of() {
    local out=$1
    shift
    at_once "$@"
    cat "$work"/said.? >"$work/said"
    [ "$statuses" = "0 $(printf '1 %.0s' $(seq 2 "$runs") | xargs)" ] || fail "$out: exit statuses $statuses"
    [ "$(grep -cE 'another run is at work there|holds finished pairs|is there already' "$work/said")" = $((runs - 1)) ] ||
        fail "$out: not $((runs - 1)) refused"
    [ ! -e "$out/lock" ] && [ ! -e "$out.lock" ] || fail "$out: a lock was left"
}

run out="$work/alone" || fail 'the run that is alone failed'

"$program" "$recipe" "${keys[@]}" out="$work/run" >"$work/first" 2>&1 &
pid=$!
while [ ! -s "$work/run/log.jsonl" ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
for more in resume=auto resume=; do
    run out="$work/run" $more && fail "$more: two runs in one folder"
    refused "$work/run" $pid
done
wait $pid || fail "the first run failed: $(cat "$work/first")"
same "$work/alone" "$work/run"
[ ! -e "$work/run/lock" ] || fail 'a lock was left'

# A finished run is moved aside by one of them alone.
one_of "$work/run" "$recipe" "${keys[@]}" out="$work/run"
same "$work/alone" "$work/run"
same "$work/alone" "$work/run.1"
[ ! -e "$work/run.1/lock" ] && [ ! -e "$work/run.2" ] || fail "moved aside: $(ls "$work")"

"$program" "$recipe" "${keys[@]}" out="$work/killed" >"$work/first" 2>&1 &
pid=$!
while [ ! -e "$work/killed/last" ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -KILL $pid
wait $pid 2>/dev/null
[ -s "$work/killed/lock" ] || fail 'the run was not killed at work'
run out="$work/killed" resume=auto || fail 'a killed run holds others off'
same "$work/alone" "$work/killed"

"$program" bench/comments.lua n=60000 out="$work/comments.jsonl" >"$work/said" 2>&1 || fail 'no comments were made'
"$program" pairs in="$work/comments.jsonl" out="$work/pairs" >"$work/said" 2>&1 || fail 'the job that is alone failed'
one_of "$work/pairs.2" pairs in="$work/comments.jsonl" out="$work/pairs.2"
same_tree "$work/pairs" "$work/pairs.2"

encode=(encode model=tests/data/tiny-mpnet in="$work/pairs/test.jsonl.gz" field=context)
"$program" "${encode[@]}" out="$work/vectors.npy" >"$work/said" 2>&1 || fail 'the encoding that is alone failed'
one_of "$work/vectors.2.npy" "${encode[@]}" out="$work/vectors.2.npy"
cmp "$work/vectors.npy" "$work/vectors.2.npy" || fail 'vectors of two runs'

make=(tokens model=tests/data/tiny-mpnet in="$work/pairs/train.jsonl.gz")
"$program" "${make[@]}" tokens="$work/made" >"$work/said" 2>&1 || fail 'the token file that is made alone failed'
at_once "${make[@]}" tokens="$work/made.2"
[ "$statuses" = "$(printf '0 %.0s' $(seq "$runs") | xargs)" ] || fail "tokens: exit statuses $statuses: $(cat "$work"/said.?)"
same_tree "$work/made" "$work/made.2"
echo "$runs runs at once, of a training, pairs, vectors and token files: the same files as of one alone"
