#!/usr/bin/env bash
# SIGKILL at random moments of a training: tests/kill_at_random.sh PROGRAM [KILLS=20] [SEED]
# A run of 200 steps is killed and gone on from again and again. After each kill `last` and `best` are absent or whole; a run that
# finishes in the end has the weights, the optimizer's state, the log and the best save of one that was never disturbed, bit for
# bit. When a run finishes before there were KILLS kills, another one is begun.
set -u
program=$(realpath "$1") kills=${2:-20} RANDOM=${3:-$$}
cd "$(dirname "$0")/.." || exit 1
. tests/restart.sh
work=$(memory_folder)
keys=(tokens="$work/tokens")
trap 'rm -rf "$work"' EXIT
echo "seed ${3:-$$}"

start=$(clock)
run out="$work/one" steps=1 warmup=1 || fail 'a run of one step failed'
startup=$(($(clock) - start))
start=$(clock)
run out="$work/whole" || fail 'the undisturbed run failed'
milliseconds=$(($(clock) - start))
echo "undisturbed: $milliseconds ms, $startup of them to the end of step 1"

done=0 finished=0 within=0
while [ $done -lt "$kills" ]; do
    "$program" "$recipe" "${keys[@]}" out="$work/killed" resume=auto >"$work/said" 2>&1 &
    pid=$!
    pause=$((RANDOM % (startup + 4 * milliseconds / kills))) # before training as well as in it
    sleep "$(printf '%d.%03d' $((pause / 1000)) $((pause % 1000)))"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    status=$?
    [ $status -eq 0 ] || [ $status -eq 137 ] || fail "kill $done after $pause ms: status $status"
    if [ $status -eq 0 ]; then
        same "$work/whole" "$work/killed"
        rm -r "$work/killed"
        finished=$((finished + 1))
        continue
    fi
    done=$((done + 1))
    whole "$work/killed" "kill $done after $pause ms"
    [ ! -e "$work/killed/last" ] || within=$((within + 1))
done
[ $within -gt 0 ] || fail 'no kill came late enough to have a save'
run out="$work/killed" resume=auto || fail 'the last part failed'
same "$work/whole" "$work/killed"
[ "$(ls -d "$work"/killed/save-* | wc -l)" -le 3 ] || fail "keep=2 and the best: $(ls "$work/killed")"
echo "killed $done times, $within with a save to look at, $((finished + 1)) runs finished: the same bits as undisturbed"
