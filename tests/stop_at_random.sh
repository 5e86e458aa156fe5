#!/usr/bin/env bash
# Ctrl-C at random moments of a training: tests/stop_at_random.sh PROGRAM [STOPS=10] [SEED]
# A run is started, stopped and gone on from again and again. After each stop the save must be whole and of a complete step; the
# run that finishes in the end must have the losses and weights of one that was never disturbed, bit for bit.
set -u
program=$(realpath "$1") stops=${2:-10} RANDOM=${3:-$$}
cd "$(dirname "$0")/.." || exit 1
# A stop between a call into C and the line that hands its result to Lua's collector leaves it to the end of the process.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "seed ${3:-$$}"
keys=(layers=1 hidden=32 heads=2 batch=32 "steps=$((20 * stops))" eval=0 data=recipes/data/test.jsonl.gz
    test=recipes/data/test.jsonl.gz warmup=5)

fail() {
    echo "$*"
    cat "$work/said"
    exit 1
}

run() {
    "$program" recipes/reddit_mpnet.lua "${keys[@]}" "$@" >"$work/said" 2>&1
}

clock() { echo $(($(date +%s%N) / 1000000)); }
start=$(clock)
run steps=1 out="$work/one" || fail 'a run of one step failed'
startup=$(($(clock) - start))
start=$(clock)
run out="$work/whole" || fail 'the undisturbed run failed'
milliseconds=$(($(clock) - start))
echo "undisturbed: $milliseconds ms, $startup of them to the end of step 1"

within=0 finished=0
for ((i = 1; i <= stops && !finished; i++)); do
    "$program" recipes/reddit_mpnet.lua "${keys[@]}" out="$work/stopped" resume=auto >"$work/said" 2>&1 &
    pid=$!
    pause=$((RANDOM % (2 * startup + milliseconds / stops))) # before training as well as in it
    sleep "$(printf '%d.%03d' $((pause / 1000)) $((pause % 1000)))"
    kill -INT $pid 2>/dev/null
    wait $pid
    status=$?
    case $status in
        0) finished=1 ;;
        130) ;;
        *) fail "stop $i after $pause ms: status $status" ;;
    esac
    [ -e "$work/stopped/last" ] || continue
    within=$((within + 1))
    step=$(sed -n 's/.*"step": *\([0-9]*\).*/\1/p' "$work/stopped/last/run.json" | head -n 1)
    [ "$(readlink "$work/stopped/last")" = "save-$step" ] || fail "stop $i: last is $(readlink "$work/stopped/last"), step $step"
    [ "$(wc -l <"$work/stopped/log.jsonl")" = "$step" ] || fail "stop $i: the log has $(wc -l <"$work/stopped/log.jsonl") lines at step $step"
    "$program" -e "require 'sembed'.model.mpnet '$work/stopped/last'" >"$work/said" 2>&1 || fail "stop $i: the save cannot be loaded"
    cmp -s "$work/stopped/model.safetensors" "$work/stopped/last/model.safetensors" || fail "stop $i: the folder is not the save"
done
[ $within -gt 0 ] || fail 'no stop came late enough to have a save'
run out="$work/stopped" resume=auto || fail 'the last part failed'
cmp "$work/whole/model.safetensors" "$work/stopped/model.safetensors" || fail 'the weights differ from the undisturbed run'
cmp "$work/whole/last/optimizer.safetensors" "$work/stopped/last/optimizer.safetensors" || fail 'the optimizer differs'
losses() { sed 's/.*"loss": *\([^,}]*\).*/\1/' "$1/log.jsonl"; }
[ "$(losses "$work/whole")" = "$(losses "$work/stopped")" ] || fail 'the losses differ from the undisturbed run'
echo "stopped $((i - 1)) times, $within with a save to look at; the same bits as undisturbed"
