#!/usr/bin/env bash
# A disk that fills up, or can no longer be written to: tests/full_disk.sh PROGRAM [TRIES=3] [SEED]
# Runs train on a small file system in memory, mounted for this script alone (77 where that is not allowed). Each must end with an
# error that tells what stands and how to go on, leave `last` and `best` whole, and, when there is room again, finish with the
# bits of a run that was never disturbed.
set -u
if [ -z "${SEMBED_OWN_MOUNTS:-}" ]; then
    flags=-m
    unshare $flags true 2>/dev/null || flags=-rm
    if ! unshare $flags true 2>/dev/null; then
        echo 'skipped: this user may not mount a file system'
        exit 77
    fi
    exec unshare $flags env SEMBED_OWN_MOUNTS=1 bash "$0" "$@"
fi
program=$(realpath "$1") tries=${2:-3} RANDOM=${3:-$$}
cd "$(dirname "$0")/.." || exit 1
. tests/restart.sh
work=$(memory_folder)
keys=(tokens="$work/tokens")
disk=$work/disk
trap 'umount "$disk" 2>/dev/null; rm -rf "$work"' EXIT
echo "seed ${3:-$$}"
mkdir "$disk"
if ! mount -t tmpfs -o size=100m tmpfs "$disk" 2>/dev/null; then
    echo 'skipped: no file system can be mounted here'
    exit 77
fi

run out="$work/whole" || fail 'the undisturbed run failed'
size=$(du -sk "$work/whole/last/" | cut -f 1)

# failed WHAT ERROR: the run that just ended said so, and left what it had.
failed() {
    [ "$status" -eq 1 ] || fail "$1: status $status"
    grep -q "$2" "$work/said" || fail "$1: the message lacks '$2'"
    grep -q '^  .* resume=auto' "$work/said" || fail "$1: the message does not tell how to go on"
    whole "$disk/run" "$1"
    if [ -e "$disk/run/last" ]; then
        grep -q 'the save before it is whole: ' "$work/said" || fail "$1: the message does not name the save"
        saves=$((saves + 1))
    else
        grep -q 'nothing was saved yet' "$work/said" || fail "$1: the message does not say that nothing was saved"
    fi
}

# The run goes on to the end, and the disk is empty again.
finish() {
    run out="$disk/run" resume=auto || fail "$1: going on failed"
    same "$work/whole" "$disk/run"
    rm -r "$disk/run"
}

# Starts a run and waits for its first save and a random while.
start() {
    "$program" "$recipe" "${keys[@]}" out="$disk/run" resume=auto >"$work/said" 2>&1 &
    pid=$!
    while [ ! -e "$disk/run/last" ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
    sleep "0.$((RANDOM % 10))"
}

saves=0
for ((i = 1; i <= tries; i++)); do
    room=$((size * (30 + RANDOM % 250) / 100)) # of 0.3 to 2.8 saves: two, the best and the next need more
    mount -o "remount,size=${room}k" "$disk" || fail 'no smaller disk'
    run out="$disk/run"
    status=$?
    failed "a disk of $room KB for saves of $size KB" 'No space left on device'
    [ -z "$(ls -d "$disk"/run/save-*.part 2>/dev/null)" ] || fail "a piece of a save was left: $(ls "$disk/run")"
    mount -o remount,size=100m "$disk" || fail 'no larger disk'
    finish "after a disk of $room KB"

    start
    head -c 200000000 /dev/zero >"$disk/ballast" 2>/dev/null
    wait $pid
    status=$?
    failed 'a disk filled by others' 'No space left on device'
    rm "$disk/ballast"
    finish 'after a disk filled by others'

    make=(tokens model=tests/data/tiny-mpnet in=recipes/data/test.jsonl.gz tokens="$disk/tokens")
    "$program" "${make[@]}" >"$work/said" 2>&1 || fail 'no token file was made'
    start
    until mount -o remount,ro "$disk" 2>/dev/null; do # refused while a file is open
        kill -0 $pid 2>/dev/null || fail 'the run ended before its disk was read-only'
    done
    wait $pid
    status=$?
    failed 'a disk made read-only' 'Read-only file system'
    for again in run new; do
        run out="$disk/$again" resume=auto
        status=$?
        [ $status -eq 1 ] && grep -q 'Read-only file system' "$work/said" || fail "a read-only disk, out=$again: status $status"
        ! grep -q '^step' "$work/said" || fail 'a step was computed before the disk was tried'
    done
    whole "$disk/run" 'a read-only disk'
    "$program" "${make[@]}" >"$work/said" 2>&1 && grep -q 'there already' "$work/said" ||
        fail 'a read-only disk: its token files are not taken'
    "$program" "${make[@]}" length=32 >"$work/said" 2>&1 && fail 'a token file on a read-only disk'
    grep -q 'Read-only file system' "$work/said" || fail 'a token file on a read-only disk: another error'
    mount -o remount,rw "$disk" || fail 'not writable again'
    finish 'after a read-only disk'
done
[ $saves -gt 0 ] || fail 'no run got as far as a save'
echo "$((3 * tries)) runs had no room or no leave to write, $saves after a save: the same bits as undisturbed in the end"
