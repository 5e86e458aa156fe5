#!/usr/bin/env bash
# README's "Adding things" as it stands, the mistake it shows, and recipes/examples: tests/readme_adding.sh BUILD_FOLDER
# Files are written and commands run in their order, with an installed sembed, in a copy of core/.
# An indented block is a file where the line before it ends in `NAME`: and else commands. One
# command stands for another: `cmake --build build` makes no more of build/ than test_ops.
set -eu
build=$(realpath "$1")
cd "$(dirname "$0")/.."
root=$PWD
# shellcheck source=/dev/null
. "$build/generated/compile.sh" # compiler, flags, engine, libraries
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/usr" >"$work/said" || { cat "$work/said"; exit 1; }
mkdir -p "$work/bin" "$work/tree/build" "$work/blocks"
cp -r core "$work/tree/core"
cat >"$work/bin/cc" <<EOF2
#!/bin/sh
exec '$compiler' "\$@" -Wall -Wextra -Werror
EOF2
cat >"$work/bin/cmake" <<EOF2
#!/bin/bash
set -e
[ "\$*" = '--build build' ]
sed -n 's/^[a-z][a-z0-9_]*\$/SE_OP(&)/p' core/ops/all.def >build/op_table.inc
sources=core/op.c
for file in core/ops/*.c; do [ -e "$root/\$file" ] || sources+=" \$file"; done
'$compiler' $flags -Wall -Wextra -Werror -Ibuild -Icore '$root/tests/test_ops.c' \$sources '$engine' $libraries -o build/test_ops
EOF2
chmod +x "$work/bin/cc" "$work/bin/cmake"
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name sembed.pc)")
PATH=$work/bin:$work/usr/bin:$PATH
export PATH PKG_CONFIG_PATH

run() { # what, folder, commands
    (cd "$2" && bash -eu -o pipefail -c "$3") >"$work/said" 2>&1 || { printf '%s:\n%s\n' "$1" "$3"; cat "$work/said"; exit 1; }
}

# --- README ---

awk -v folder="$work/blocks" '
    /^## / { on = $0 == "## Adding things" }
    !on { next }
    /^    / {
        if (!open) {
            open = 1
            name = sprintf("%s/%03d", folder, ++n)
            if (match(last, /`[^`]+\.(lua|c)`:$/))
                print substr(last, RSTART + 1, RLENGTH - 3) >(name ".name")
        }
        for (; blank > 0; blank--) print "" >name
        print substr($0, 5) >name
        next
    }
    /^$/ { blank += open; next }
    { open = blank = 0; last = $0 }' README.md
files=0 commands=0
for block in "$work"/blocks/[0-9][0-9][0-9]; do
    if [ -e "$block.name" ]; then
        cp "$block" "$work/tree/$(cat "$block.name")"
        files=$((files + 1))
    else
        run README.md "$work/tree" "$(cat "$block")"
        cat "$work/said" >>"$work/all_said"
        commands=$((commands + 1))
    fi
done
[ "$files" -ge 8 ] && [ "$commands" -ge 4 ] || { echo "README.md: $files files, $commands blocks of commands"; exit 1; }
# The tests ran: what README says that they print, and test_ops' own count.
line=$(sed -n 's/^It prints `\(bell: .*\)`:$/\1/p' README.md)
grep -qxF "$line" "$work/all_said" || { echo "README.md: no test printed \"$line\""; exit 1; }
grep -q '^cube: 2 cases, 1[0-9] gradients' "$work/all_said" || { echo 'README.md: cube was not checked'; exit 1; }
[ "$(grep -c 'PASSED  *\] [1-9][0-9]* test' "$work/all_said")" = 2 ] || { echo 'README.md: test_ops did not run twice'; exit 1; }

# The loss and the schedule in the main recipe, as README says.
cp -r recipes/data "$work/tree/data"
sed "/^local function loss/,/^end/c local loss = require 'far'
    s/^local rate = .*/local rate = require 'stairs' (cfg)/; s/^  steps = /  tread = 1,&/" \
    recipes/reddit_mpnet.lua >"$work/tree/recipe.lua"
for chunk in 0 2; do
    run "README.md's loss and schedule" "$work/tree" \
        "sembed recipe.lua layers=1 hidden=16 heads=2 batch=4 steps=2 chunk=$chunk eval=0 out=run$chunk"
done
grep -q '"step":2,.*"rate":0.001[,}]' "$work/tree/run2/log.jsonl" || { echo 'README.md: the schedule was not used'; exit 1; }

# The mistake that README shows is told with the line that it has now.
mkdir "$work/tree/recipes"
cp -r recipes/data "$work/tree/recipes/data"
sed 's/gather(comment):t()/gather(comment)/' recipes/reddit_mpnet.lua >"$work/tree/recipes/first.lua"
(cd "$work/tree" && sembed recipes/first.lua layers=1 batch=64 eval=0 out=wrong) >"$work/said" 2>&1 &&
    { echo "README.md: recipes/first.lua without :t() runs"; exit 1; }
said=$(tail -n 1 "$work/said")
grep -qxF "    $said" README.md || { echo "README.md does not show: $said"; exit 1; }

# --- recipes/examples ---

cp -r recipes/examples "$work/examples"
for source in "$work"/examples/*.c; do
    command=$(sed -n 's/^ \*     \(.*\)$/\1/p' "$source") # how it is compiled, then how it is tested
    [[ $command = cc* ]] || { echo "$source does not say how it is compiled"; exit 1; }
    run "$source" "$work/examples" "$command"
done
tests=0
for file in "$work"/examples/test_*.lua; do
    run "$file" "$work/examples" "sembed $(basename "$file")"
    tests=$((tests + 1))
done
for file in "$work"/examples/*.lua "$work"/examples/*.c; do
    name=$(basename "$file")
    [[ $name = test_* ]] || [ -e "$work/examples/test_${name%.*}.lua" ] || { echo "$name has no test"; exit 1; }
done
echo "README: $files files, $commands blocks of commands; $tests tests of recipes/examples"
