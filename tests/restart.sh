# What kill_at_random.sh and full_disk.sh share: read by them; they set $work, $program and keys.
recipe=tests/lua/restart_run.lua

# A folder in memory where there is one: a killed process loses nothing that it wrote, synced or not.
memory_folder() {
    local folder=/dev/shm
    [ -w $folder ] || folder=${TMPDIR:-/tmp}
    mktemp -d -p $folder
}

fail() {
    echo "$*"
    cat "$work/said"
    exit 1
}

run() {
    "$program" "$recipe" "${keys[@]}" "$@" >"$work/said" 2>&1
}

clock() { echo $(($(date +%s%N) / 1000000)); }

# The log without what the clock says.
log_of() { sed -E 's/"(elapsed|tokens_per_second)": *[^,}]*//g' "$1/log.jsonl"; }

# same WHOLE OTHER: two finished runs.
same() {
    local file
    for file in last/model.safetensors last/optimizer.safetensors model.safetensors best/model.safetensors \
        best/optimizer.safetensors; do
        cmp "$1/$file" "$2/$file" || fail "$file differs from the undisturbed run"
    done
    [ "$(readlink "$1/best")" = "$(readlink "$2/best")" ] || fail 'the best is of another step'
    [ "$(wc -l <"$2/log.jsonl")" = 200 ] || fail "the log has $(wc -l <"$2/log.jsonl") lines"
    [ "$(log_of "$1")" = "$(log_of "$2")" ] || fail 'the log differs from the undisturbed run'
}

# whole OUT WHEN: what the links name is a whole save, of the step that it says.
whole() {
    local link
    for link in last best; do
        [ -L "$1/$link" ] || continue
        step=$(sed -n 's/^  "step": *\([0-9]*\).*/\1/p' "$1/$link/run.json")
        [ "$(readlink "$1/$link")" = "save-$step" ] || fail "$2: $link is $(readlink "$1/$link"), step $step"
        "$program" -e "local m = require 'sembed'.model.mpnet(...); m:encode { 'a text' }" "$1/$link" >"$work/loaded" 2>&1 ||
            fail "$2: $link cannot be loaded: $(cat "$work/loaded")"
        [ -s "$1/$link/optimizer.safetensors" ] && [ -s "$1/$link/recipe.lua" ] || fail "$2: $link is not whole"
    done
}
