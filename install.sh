#!/bin/sh
# Sets sembed up: the packages it is built from (Debian and its relatives), then build/sembed.
#   sh install.sh
# Run it again after a change: it only builds what changed. CMAKE_ARGS in the environment goes to
# cmake, CC picks the compiler.
set -eu
cd "$(dirname "$0")"

say() { printf 'install.sh: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Libraries, by Debian's names. The programs that build may come from anywhere, so they are looked
# for on the path.
libraries='libluajit-5.1-dev lua-lpeg-dev libblis-openmp-dev libcmocka-dev libutf8proc-dev
    libjansson-dev zlib1g-dev libzstd-dev libmicrohttpd-dev libcurl4-openssl-dev'

missing_packages() {
    have "${CC:-cc}" || echo gcc
    echo '#include <stdio.h>' | "${CC:-cc}" -E - >/dev/null 2>&1 || echo libc6-dev
    have cmake || echo cmake
    have ninja || have make || echo ninja-build
    have pkg-config || echo pkg-config
    have luajit || echo luajit
    for package in $libraries; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            echo "$package"
    done
}

install_packages() {
    missing=$(missing_packages | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    root=
    if [ "$(id -u)" != 0 ]; then
        have sudo || die "to be installed by root: apt-get install $missing"
        root=sudo
    fi
    say "installing $missing"
    log=$(mktemp)
    apt="$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y"
    if ! { $apt update && $apt install --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get could not install $missing"
    fi
    rm -f "$log"
}

if have apt-get && have dpkg-query; then
    install_packages
else
    say 'no apt-get here, so these have to be there already: a C11 compiler with OpenMP, cmake 3.20,'
    say 'ninja or make, pkg-config, luajit and its static library (libluajit-5.1.a), lpeg as a static'
    say 'library (liblua5.1-lpeg.a), BLIS with OpenMP (libblis.a), cmocka, utf8proc, jansson, zlib,'
    say 'zstd, and the headers of libmicrohttpd and libcurl (opened when they are needed)'
fi

if [ ! -f build/CMakeCache.txt ] && have ninja; then
    CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}
    export CMAKE_GENERATOR
fi
say 'building into build/'
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# CMAKE_ARGS is a list: it is split on purpose.
if ! { cmake -S . -B build ${CMAKE_ARGS:-} &&
    cmake --build build --parallel "$(getconf _NPROCESSORS_ONLN)"; } >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    die 'the build failed'
fi
say 'done: build/sembed recipes/reddit_mpnet.lua trains, build/sembed --help tells the rest'
