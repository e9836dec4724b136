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

# registers WHAT... - a plug-in that registers these, as they stand in its source.
registers() {
    {
        echo '#include "grange_engine.h"'
        echo 'static int f(struct grange_call *call, const void *data, size_t n) { return grange_return(call, data, n); }'
        printf 'GRANGE_FUNCTION(%s)\n' "$@"
    } >wrong.c
    cc -Wall -shared -fPIC -I "$GRANGE_SOURCE/engine" -o wrong.so wrong.c
    run -1 grange engine-host ./wrong.so 3</dev/null 4>/dev/null
}

@test "a plug-in with a wrong name, no function, too many of them, or of another version says so" {
    local rule="is no name of a function: 1 to 59 letters, digits and any of _ . + -"
    for name in "a b" "" "$(printf 'n%.0s' {1..60})"; do
        registers "\"$name\", f"
        has "$output" "plug-in ./wrong.so: '$name' $rule"
    done
    registers 'NULL, f'
    has "$output" "plug-in ./wrong.so: '' $rule"
    registers '"g", f' '"h", NULL'
    has "$output" "plug-in ./wrong.so: the function 'h' is NULL"
    mapfile -t many < <(printf '"f%d", f\n' {0..1024})
    registers "${many[@]}"
    has "$output" "plug-in ./wrong.so: more than 1024 functions"
    echo 'void grange_plugin(unsigned *version) { *version = 77; }' >old.c
    cc -shared -fPIC -o old.so old.c
    run -1 grange engine-host ./old.so 3</dev/null 4>/dev/null
    has "$output" "plug-in ./old.so: made for version 77 of grange_engine.h, this is version 1; compile it again"
}

# frame KIND CALL BODY - as the worker would write it; the body, and what is in $FLAGS, is what printf %b makes of it.
frame() {
    local n
    n=$(printf %b "$3" | wc -c)
    printf %b "$(printf '\\x%02x\\x%02x\\0\\0' $((n % 256)) $((n / 256)))" "\\0$1\\0${FLAGS:-\\0}\\0" "\\0$2\\0\\0\\0\\0\\0\\0\\0" "$3"
}

@test "an engine whose worker says what cannot be ends, and says what it was" {
    [ -e "$plugin" ] || skip "the plug-in is not built here"
    local zeros='\0\0\0\0\0\0\0\0'
    # says FRAME... - to an engine, which says this
    says() {
        local text=$1
        shift
        for f in "$@"; do $f; done >frames
        run -1 grange engine-host "$plugin" 3<frames 4>/dev/null
        same "$text" "$output"
        offer
    }
    head -c 1056768 /dev/zero >page
    printf 'grg1\0\0\20\0' | dd of=page conv=notrunc status=none
    offer() { printf '\1' | dd of=page conv=notrunc status=none bs=1 seek=4100; } # call 1, to the next engine
    offer
    good() { frame 1 0 "\1\0\0\0\0\0\0\0$PWD/page\0$PWD/spool\0"; }
    nowhere() { frame 1 0 '\1\0\0\0\0\0\0\0/none/page\0/none/spool\0'; }
    cut() { frame 1 0 '\1\0\0\0\0\0\0\0/page'; }
    call() { frame 2 1 "$zeros$zeros"; }
    call_cut() { frame 2 1 "$zeros"; }
    call_none() { frame 2 1 '\377\0\0\0'"$zeros\0\0\0\0"; }
    name_cut() { frame 3 1 '\1\0\0\0'; }
    name_empty() { frame 3 1 "$zeros"; }
    name_long() { frame 3 1 '\145\0\0\0\0\0\0\0'"$(printf 'n%.0s' {1..101})"; }
    name_beyond() { frame 3 1 '\5\0\0\0\0\0\0\0name'; }
    file() { FLAGS='\1' frame 2 1 "$zeros$zeros$zeros$zeros"; }
    says "grange: engine: cannot map /none/page: No such file or directory" nowhere
    says "grange: engine: the worker sent a welcome that is cut short" cut
    says "grange: engine: the worker sent a call before its welcome" call
    says "grange: engine: the worker sent a call that is cut short" good call_cut
    says "grange: engine: the worker sent a call of a function that there is not" good call_none
    says "grange: engine: the worker sent a name that is cut short" good name_cut
    for name in name_empty name_long name_beyond; do
        says "grange: engine: the worker sent a name that is empty or too long" good $name
    done
    says "grange: engine: the worker sent a file without its name" good file
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
    run -2 grange call --all hello
    has "$output" "engine 0: the engine has not started so far: exit 127 (of a shell: command not found): no python here"
}
