#!/bin/sh
# What a clone must not hold: paths of one machine, files over 6 MB, unfinished words in sources.
#   sh tests/check_paths.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"

# Folders that belong to a person or a machine. The brackets keep this line from naming itself.
machine='(^|[^A-Za-z0-9_./~-])/(hom[e]|roo[t]|User[s]|wor[k]|workspac[e])/[A-Za-z0-9._]'
unfinished='TOD[O]|FIXM[E]|XX[X]|[Uu]nimplemente[d]'

# Every file git would take, or every file of an unpacked archive.
files() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -co --exclude-standard
    else
        find . -type f ! -path './.git/*' ! -path './build*' ! -path './runs/*'
    fi
}

check() { # the list of files on standard input
    list=$(mktemp)
    while IFS= read -r file; do
        [ ! -f "$file" ] || printf '%s\0' "$file"
    done >"$list"
    status=0
    if xargs -0 grep -HnIE "$machine" <"$list"; then
        echo 'a path of one machine'
        status=1
    fi
    if grep -zE '\.([ch]|lua)$' <"$list" | xargs -0 -r grep -HnIwE "$unfinished"; then
        echo 'unfinished by its own words'
        status=1
    fi
    if xargs -0 sh -c 'find "$@" -size +6000000c' sh <"$list" | grep .; then
        echo 'over 6 MB'
        status=1
    fi
    rm -f "$list"
    return $status
}

# It is able to fail.
planted=$(mktemp -d)
trap 'rm -rf "$planted"' EXIT
printf 'open("/%s/someone/file")\n' home >"$planted/path.txt"
printf '/* %s: later */\n' TO""DO >"$planted/later.c"
dd if=/dev/zero of="$planted/big" bs=1000 count=6001 2>/dev/null
for file in path.txt later.c big; do
    if echo "$planted/$file" | check >/dev/null; then
        echo "self-test: nothing was said about $file"
        exit 1
    fi
done

files | check
echo "paths: $(files | wc -l) files looked at"
