#!/usr/bin/env bats
# shellcheck disable=SC2154
# What `cmake --install` puts down is all that a user needs, wherever that is.
load helper

setup_more() {
    build=$(cd "$(dirname "$GRANGE")/.." && pwd)
    [ -e "$build/lib/libgrange.so" ] || skip "libgrange.so is not built under sanitizers"
    export TMPDIR="$PWD"
    unset XDG_RUNTIME_DIR
    cmake --install "$build" --prefix "$PWD/usr" >installed
}

@test "a program is compiled against it, finds its grange, and runs" {
    export PKG_CONFIG_PATH="$PWD/usr/lib/pkgconfig"
    [ -d "$PKG_CONFIG_PATH" ] || PKG_CONFIG_PATH=$(dirname "$(find usr -name grange.pc)")
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Wextra -Werror -o futures usr/share/doc/grange/examples/c/futures.c \
        $(pkg-config --cflags --libs grange)
    LD_LIBRARY_PATH=$(dirname "$(find "$PWD/usr" -name libgrange.so)")
    export LD_LIBRARY_PATH
    run -0 env PATH="$PWD/usr/bin:$PATH" ./futures
    has "$output" "printed 42"
    cc -shared -fPIC -Iusr/include -o collatz.so usr/share/doc/grange/examples/plugin/collatz.c
}

@test "the manual pages are well-formed, and grange(1) has every verb and option" {
    for page in usr/share/man/man1/grange.1 usr/share/man/man3/grange.3; do
        if command -v mandoc >/dev/null; then
            run -0 mandoc -Tlint -Wwarning "$page"
        else
            run -0 groff -mdoc -ww -Tutf8 -z "$page"
            same "" "$output"
        fi
    done
    page=$(sed 's/[\]//g' usr/share/man/man1/grange.1)
    for verb in $(usr/bin/grange help | sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p' | grep -vx help); do
        has "$page" ".Ss grange $verb"
        section=$(sed -n "/^.Ss grange $verb\$/,/^.S[sh] /p" <<<"$page")
        for option in $(usr/bin/grange help "$verb" | sed -nE 's/^ +(-., )?(--[a-z-]+).*/\2/p'); do
            has "$section" "$option"
        done
    done
}

@test "completion, and units for systemd" {
    bash -n usr/share/bash-completion/completions/grange
    grep -q '#compdef grange' usr/share/zsh/site-functions/_grange
    [ -f usr/share/doc/grange/examples/systemd/grange-worker@.service ]
}
