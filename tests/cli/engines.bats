#!/usr/bin/env bats
# shellcheck disable=SC2154,SC1083
# What a person may say wrong about engines, and what grange worker says then.
load helper

plugin=${GRANGE%/bin/grange}/lib/collatz.so

@test "--plugin: a library that is not there is refused at once" {
    run -2 grange worker --plugin ./none.so
    has "$output" "cannot read './none.so': No such file or directory"
}

@test "--plugin and --engine exclude each other" {
    run -2 grange worker --plugin "$plugin" --engine cat
    has "$output" "start another worker for the other"
    run -2 grange worker --engine ''
    has "$output" "--engine needs a command"
}

@test "a plug-in without functions, and two with the same one, say so" {
    cc -shared -fPIC -o empty.so -x c /dev/null
    run -1 grange engine-host ./empty.so 3</dev/null 4>/dev/null
    has "$output" "plug-in ./empty.so: it has no function: none was registered with GRANGE_FUNCTION"
    run -1 grange engine-host "$plugin" "$plugin" 3</dev/null 4>/dev/null
    has "$output" "there is a function"
    run -1 grange engine-host ./none.so 3</dev/null 4>/dev/null
    has "$output" "none.so: cannot open shared object file"
}

@test "the plug-in of the manual compiles with nothing but the header" {
    awk '/#include "grange_engine.h"/, /GRANGE_FUNCTION/' "$GRANGE_SOURCE/docs/manual/engines.md" |
        sed 's/^    //' >twice.c
    cc -Wall -Wextra -Werror -O2 -shared -fPIC -I "$GRANGE_SOURCE/engine" -o twice.so twice.c
    run -0 grange engine-host ./twice.so 3</dev/null 4>hello
    has "$(tr '\0' '\n' <hello)" "twice"
}

@test "a plug-in may be C++, and have several files" {
    command -v c++ >/dev/null || skip "no C++ compiler"
    for f in one two; do
        cat >$f.cc <<END
#include "grange_engine.h"
static int $f(struct grange_call *call, const void *data, size_t n) { return grange_return(call, data, n); }
GRANGE_FUNCTION("$f", $f)
END
    done
    c++ -Wall -Wextra -Werror -shared -fPIC -I "$GRANGE_SOURCE/engine" -o both.so one.cc two.cc
    run -0 grange engine-host ./both.so 3</dev/null 4>hello
    has "$(tr '\0' '\n' <hello)" "one"
    has "$(tr '\0' '\n' <hello)" "two"
}

@test "an engine that cannot start is told in the log, and the worker works all the same" {
    start scheduler "$GRANGE" scheduler --dir .grange
    poll_until 10 test -S .grange/scheduler.sock
    start worker "$GRANGE" worker --dir .grange -j 1 --engine 'echo no python here >&2; exit 127'
    run -0 grange run --quiet --study t echo {n} ::: n=1:3
    poll_until 10 grep -q "no python here" worker.err
}
