#!/usr/bin/env bash
# Several processes and one: tests/mpi.sh PROGRAM openmpi|mpich PART. Skipped (77) where that MPI is not there.
# PART  losses    a training by 1, 2, 4 and 8 processes, dropout, chunks and uneven slices in it: the same losses
#       collectives   values and gradients next to those of one process
#       stops     an error in one process, a stop, a killed process; a save of 4 goes on with 3
set -u
program=$(realpath "$1") flavour=$2 part=$3
launcher=$(command -v "mpirun.$flavour") || { echo "skipped: there is no mpirun.$flavour"; exit 77; }
[ -e "$(dirname "$program")/sembed_mpi_$flavour.so" ] || { echo "skipped: sembed was built without mpicc.$flavour"; exit 77; }
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_odls_base_sigkill_timeout=3 # twice as many seconds are left after Ctrl-C
export OMPI_MCA_btl_vader_single_copy_mechanism=none # containers forbid it, and OpenMPI says so each time
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 # those of the MPI itself
fail() { echo "$flavour: $*"; cat "$work/said"; exit 1; }

# run N ARGUMENT...: by N processes, at most two minutes; what they say is in $work/said
run() {
    local n=$1
    shift
    if [ "$n" = 1 ]; then
        "$program" "$@" >"$work/said" 2>&1
    else
        timeout -k 5 120 "$launcher" -n "$n" "$program" "$@" >"$work/said" 2>&1
    fi
}

# same A B: the logs' losses are equal to 1e-5 relative, and as many. What the order of sums makes is 3e-7.
same() {
    sed -n 's/.*"loss": *\([-0-9.e+]*\).*/\1/p' "$1/log.jsonl" >"$work/a"
    sed -n 's/.*"loss": *\([-0-9.e+]*\).*/\1/p' "$2/log.jsonl" >"$work/b"
    paste "$work/a" "$work/b" | awk -v steps="$3" '
        { d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > most) most = d; if ($1 == "" || $2 == "") exit 1 }
        END { printf "%d losses, largest difference %.2g\n", NR, most; exit !(NR == steps && most < 1e-5) }' ||
        fail "$2: losses differ from those of $1"
}

keys=(tests/lua/restart_run.lua tokens="$work/tokens" batch=25 steps=30 save=10 keep=0)

losses() {
    run 1 "${keys[@]}" out="$work/1" || fail 'one process failed'
    for n in 2 4 8; do
        run $n "${keys[@]}" out="$work/$n" || fail "$n processes failed"
        same "$work/1" "$work/$n" 30
        [ "$(grep -c '"sent":' "$work/$n/log.jsonl")" = 30 ] || fail "$n processes: the log has the bytes sent"
        [ "$(grep -c 'step 30/30' "$work/said")" = 1 ] || fail "$n processes: the last step is told once"
    done
}

collectives() {
    if [ "$flavour" = openmpi ] && [ "$(nproc)" -ge 2 ]; then
        OMPI_MCA_hwloc_base_binding_policy=core run 2 -e 'print(1)' || fail 'a bound process failed'
        [ "$(nproc)" -lt 4 ] || grep -q 'binds each process to 1 of the' "$work/said" || fail 'a narrow binding is told'
        timeout 60 "$launcher" -n 1 --bind-to core "$program" -e 'print(1)' >"$work/said" 2>&1
        [ "$(grep -c "binds each process to 1 of the $(nproc)" "$work/said")" = 1 ] || fail 'a narrow binding is told once'
    fi
    for n in 2 3; do
        run $n tests/lua/mpi_collectives.lua $n || fail "collectives of $n processes"
        [ "$(grep -c 'are right' "$work/said")" = 1 ] || fail 'the first process alone is heard'
    done
}

# endless OUT: a training by 3 processes that is to be ended, as $job, after its first save
endless() {
    set -m # so that SIGINT is not ignored
    "$launcher" -n 3 "$program" tests/lua/small_run.lua steps=100000 batch=15 save=5 out="$1" >"$work/said" 2>&1 &
    job=$!
    set +m
    for _ in $(seq 300); do [ -e "$1/last" ] && return; sleep 0.1; done
    kill -KILL $job
    fail 'no save in 30 s'
}

stops() {
    run 3 -e 'local se = require "sembed"
        if se.shard.index():item(true) == 1 then error "one has failed" end
        print(se.shard.sum(se.vary(se.ones { 2 }, 0):sum()):item())' && fail 'an error of one process went by'
    [ "$(grep -c 'shard 1 of 3: .*one has failed' "$work/said")" = 1 ] || fail 'an error is told once, with who has it'
    run 2 recipes/reddit_mpnet.lua setps=1 && fail 'an unknown key went by'
    [ "$(grep -c 'unknown key "setps"' "$work/said")" = 1 ] || fail 'what all have is told once'
    run 2 -e 'local se = require "sembed"
        local x = se.vary(se.ones { 2 + se.shard.index():item(true) }, 0)
        print(se.shard.sum(x):totable())' && fail 'shapes that differ went by'
    grep -q 'the shards do different things' "$work/said" || fail 'shapes that differ are told'

    run 2 tests/lua/small_run.lua apart=true && fail 'processes with different parameters went by'
    grep -q 'do different things: shard 0 is at parameter embeddings' "$work/said" || fail 'different parameters are told'

    small=(tests/lua/small_run.lua steps=12 batch=15 save=4 eval=true evaluate=4)
    run 1 "${small[@]}" out="$work/whole" || fail 'one process failed'
    run 4 "${small[@]}" out="$work/parts" stop=6 && fail 'a stop went by'
    grep -q 'stopped after step [67], saved in' "$work/said" || fail 'a stop is told'
    run 3 "${small[@]}" out="$work/parts" resume=auto || fail '3 processes did not go on from 4'
    same "$work/whole" "$work/parts" 16 # four of them evaluations
    run 1 "${small[@]}" steps=14 out="$work/parts" resume=auto || fail '1 process did not go on from 3'

    local job start pids
    endless "$work/asked"
    kill -INT $job
    wait $job && fail 'Ctrl-C went by'
    grep -q "saved in $work/asked/save-" "$work/said" || fail 'after Ctrl-C a save is told'
    [ -e "$work/asked/last/optimizer.safetensors" ] || fail 'Ctrl-C saves'

    endless "$work/killed"
    pids=($(pgrep -f "small_run.lua steps=100000 batch=15 save=5 out=$work/killed" | while read -r p; do
        [ "$(readlink "/proc/$p/exe")" = "$program" ] && echo "$p"; done))
    [ "${#pids[@]}" = 3 ] || fail "3 processes are wanted: ${pids[*]}"
    start=$SECONDS
    kill -KILL "${pids[1]}"
    wait $job && fail 'a killed process went by'
    [ $((SECONDS - start)) -le 10 ] || fail "the job ended $((SECONDS - start)) s after a process was killed"
    grep -qiE 'is gone|signal 9|killed' "$work/said" || fail 'a killed process is told'
    last=$(readlink "$work/killed/last")
    run 2 tests/lua/small_run.lua steps=$((${last#save-} + 2)) batch=15 out="$work/killed" resume=auto ||
        fail 'the save before the kill is no good'
}

$part
