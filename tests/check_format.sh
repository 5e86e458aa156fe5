#!/bin/sh
# C files are as .clang-format has them: sh tests/check_format.sh [--fix]
# Version 14 (Debian 12's) decides, since versions differ; 77, "skipped", where there is none.
set -eu
cd "$(dirname "$0")/.."

for program in clang-format-14 clang-format; do
    if "$program" --version 2>/dev/null | grep -q 'version 14\.'; then
        found=$program
        break
    fi
done
if [ -z "${found:-}" ]; then
    echo 'skipped: clang-format 14 is not installed'
    exit 77
fi
mode='--dry-run -Werror'
[ "${1:-}" != --fix ] || mode=-i
# unicode_tables.h is written by tokenizer/make_tables.lua.
find core tokenizer tests bench recipes -name '*.[ch]' ! -name unicode_tables.h -print0 |
    xargs -0 "$found" $mode
echo "format: $(find core tokenizer tests bench recipes -name '*.[ch]' | wc -l) files looked at"
