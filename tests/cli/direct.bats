#!/usr/bin/env bats
# shellcheck disable=SC2154
# Calls on engines by their ids, and the example of it: every way in which they can fail.
load helper

setup_more() {
    build=$(cd "$(dirname "$GRANGE")/.." && pwd)
    plugin=$build/lib/collatz.so
    [ -e "$plugin" ] || skip "the plug-in is not built here"
    mkdir -m 700 place
    url=ipc://$PWD/place/scheduler.sock
    start scheduler "$GRANGE" scheduler --dir place --listen "ipc://$PWD/place/far.sock" # whose clients see no files
    scheduler=$pid
}

# worker NAME SLOTS - a worker with that many engines.
worker() {
    start "$1" "$GRANGE" worker --connect "$url" --dir place --name "$1" -j "$2" --plugin "$plugin"
}

call() { grange call --connect "$url" "$@"; }

# answers N - there are N engines, and all of them answer.
answers() { [ "$(call --all about it 2>/dev/null | grep -c slot)" -eq "$1" ]; }
answers_one() { call --engine "$1" noop 2>/dev/null; }

# process N - of engine N.
process() { call --engine "$1" about it | sed 's/.* pid //'; }

# held_process - of engine 0, which is in a call: as the farm's list has it.
held_process() { grange workers --connect "$url" --json | sed -n 's/.*"engine": 0, .*"pid": \([0-9]*\),.*/\1/p'; }

# hold - a call that does not return, in the background; returns when engine 0 is in it.
hold() {
    rm -f held.now
    start held "$GRANGE" call --connect "$url" --engine 0 misbehave "wait $PWD/held.now"
    held=$pid
    poll_until 20 test -e held.now
}

@test "a call on each engine, on one, on several; answers in the order of the engines" {
    worker one 3
    poll_until 20 answers 3
    run -0 call --all echo hello
    same "engine 0: 5 bytes
hello
engine 1: 5 bytes
hello
engine 2: 5 bytes
hello" "$output"
    run -0 call --engine 2 --engine 0 about it
    has "${lines[1]}" "slot 2"
    has "${lines[3]}" "slot 0"
    run -0 call --engine 1 echo ""
    same "" "$output"
    printf 'from a file' >payload
    run -0 call --engine 1 echo @payload
    same "from a file" "$output"
    same "from a pipe" "$(printf 'from a pipe' | "$GRANGE" call --connect "$url" --engine 1 echo @-)"
}

@test "what a function says when it fails, and what is not there" {
    worker one 2
    poll_until 20 answers 2
    run -1 call --engine 1 fail 3
    same "grange: engine 1: failed as asked" "$output"
    run -2 call --engine 1 nosuch
    has "$output" "engine 1: the engine has no function 'nosuch'"
    run -2 call --engine 7 noop
    has "$output" "engine 7: there is no such engine; 2 are there"
    run -2 call --engine x noop
    has "$output" "--engine"
    run -2 call --engine 1 --all noop
    run -2 call
    has "$output" "which function?"
    run -2 call --engine 1 noop a b
    truncate -s 1073741825 large
    run -2 call --engine 1 echo @large
    has "$output" "large: more than 1 GiB"
    run -2 call --engine 1 echo @none
    run -3 grange call noop
    has "$output" "no farm is up"
}

@test "long payloads and results go in parts" {
    worker one 1
    poll_until 20 answers 1
    head -c 9000000 /dev/urandom >payload
    call --engine 0 echo @payload >answer
    cmp payload answer
    # Nothing of it stays behind.
    same "" "$(find place -size +200k -name '*in-*')"
}

@test "an engine that dies under a call says how, and is there again" {
    worker one 2
    poll_until 20 answers 2
    run -3 call --engine 0 misbehave crash
    same "grange: engine 0: killed by SIGABRT in misbehave" "$output"
    poll_until 20 answers_one 0
    victim=$(process 0)
    hold
    kill -9 "$victim"
    finish "$held"
    same 3 "$rc"
    has "$(cat held.err)" "engine 0: killed by SIGKILL"
    run -0 call --engine 1 noop
    poll_until 20 answers_one 0
    [ "$(process 0)" != "$victim" ]
}

# last_reason N - why engine N was started again the last time, as people see it.
last_reason() { grange workers --connect "$url" | sed -nE "s/^ +$1  .*turn [^/]*  +([^ ].*)/\\1/p"; }
reason_is() { [[ $(last_reason "$1") == *"$2"* ]]; }

@test "whatever a function does to its engine, the one beside it goes on with its call" {
    start one "$GRANGE" worker --connect "$url" --dir place --name one -j 2 --memory 512M --plugin "$plugin"
    worker=$pid
    poll_until 20 answers 2
    hold
    beside=$(held_process)
    for how in crash exit memory loop; do
        run call --engine 1 --timeout 2s misbehave "$how"
        case $how in
        crash | memory) has "$output" "engine 1: killed by SIGABRT in misbehave" ;;
        exit) has "$output" "engine 1: exit 7" ;;
        loop) same 4 "$status" ;;
        esac
        poll_until 20 answers_one 1
    done
    # Through the queue too, with its policy; whichever engine it is, it is not the one that is held.
    run -1 call misbehave memory
    has "$output" "killed by SIGABRT"
    poll_until 20 reason_is 1 "killed by SIGABRT in misbehave"
    same "" "$(last_reason 0)"
    kill -0 "$held" "$worker" "$beside"
    kill -INT "$held"
    poll_until 20 answers_one 0
    same "$beside" "$(process 0)"
}

@test "calls of one client at one engine are made in the order in which it asked, whatever others do" {
    cat >order.c <<'END'
#include <grange.h>
#include <stdio.h>
#include <string.h>
/* order URL N - N calls of turn at engine 0, none waited for, long payloads between short ones. */
int main(int argc, char **argv)
{
    enum { MOST = 500, LONG = 600000 };
    static char payload[LONG];
    static struct grange_direct *d[MOST];
    struct grange *g;
    struct grange_answer a;
    uint64_t engine = 0, turn, last = 0;
    char why[300];
    if (argc < 2 || grange_connect(argv[1], 60000, &g, why, sizeof why))
        return puts(why), 1;
    for (int i = 0; i < MOST; i++)
        if (grange_direct_call(g, &engine, 1, "turn", payload, i % 10 ? 0 : LONG, &d[i]))
            return puts(grange_message(g)), 1;
    for (int i = 0; i < MOST; i++) {
        if (grange_direct_wait(d[i], 60000) || grange_direct_answer(d[i], 0, &a) || a.bytes != sizeof turn)
            return puts(grange_message(g)), 1;
        memcpy(&turn, a.data, sizeof turn);
        if (turn <= last)
            return printf("call %d was turn %d, the one before it %d\n", i, (int)turn, (int)last), 1;
        last = turn;
        grange_direct_free(d[i]);
    }
    grange_close(g);
    return 0;
}
END
    [ -e "$build/lib/libgrange.so" ] || skip "libgrange.so is not built under sanitizers"
    export PKG_CONFIG_PATH="$build/lib/pkgconfig" LD_LIBRARY_PATH="$build/lib"
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Wextra -Werror -o order order.c $(pkg-config --cflags --libs grange)
    worker one 1
    poll_until 20 answers 1
    start first ./order "$url"
    first=$pid
    start second ./order "ipc://$PWD/place/far.sock" # where long payloads go in parts
    second=$pid
    run -0 call noop # one of the queue in between
    finish "$first"
    same "" "$(cat first.out)"
    same 0 "$rc"
    finish "$second"
    same "" "$(cat second.out)"
    same 0 "$rc"
}

@test "a worker that is lost ends its calls at once; the next one has other engines" {
    worker one 1
    worker=$pid
    poll_until 20 answers 1
    hold
    kill -9 "$worker"
    finish "$held"
    same 3 "$rc"
    has "$(cat held.err)" "engine 0: its worker 'one' was lost"
    run -3 call --engine 0 noop
    has "$output" "its worker 'one' is away"
    worker one 1
    poll_until 20 answers_one 1
    run -2 call --engine 0 noop
    has "$output" "it is gone, and its worker with it"
}

@test "engines keep their ids while their worker is there, whatever the scheduler's connection does" {
    worker one 2
    poll_until 20 answers 2
    victim=$(process 1)
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    start scheduler2 "$GRANGE" scheduler --dir place
    poll_until 20 answers 2
    same "$victim" "$(process 1)"
}

@test "a call that is given up, or whose caller is killed, does not hold its engine" {
    worker one 1
    poll_until 20 answers 1
    run -4 call --engine 0 --timeout 300ms misbehave wait
    has "$output" "the engines did not answer within 300 ms"
    poll_until 20 answers_one 0
    hold
    kill -9 "$held"
    poll_until 20 answers_one 0
    run -4 call --engine 0 --timeout 300ms misbehave loop # does not look whether it is cancelled
    poll_until 20 answers_one 0
}

@test "a lost scheduler ends a call at once" {
    worker one 1
    poll_until 20 answers 1
    hold
    kill -9 "$scheduler"
    finish "$held"
    same 3 "$rc"
    has "$(cat held.err)" "the scheduler was lost"
}

@test "calls of the queue go to any engine" {
    worker one 2
    poll_until 20 answers 2
    run -0 call echo queued
    same "queued" "$output"
    run -1 call fail 4
    has "$output" "failed as asked"
    run -4 call --timeout 1.1 fali 4
    has "$output" "fali has not ended within 1.1 s (--timeout): it is cancelled"
    has "$output" "no engine of the farm has a function 'fali'; did you mean 'fail'?"
    run -4 call --timeout 300ms zzzzzzzz 4
    has "$output" "no engine of the farm has a function 'zzzzzzzz' (2 are there); see: grange workers"
    start waits "$GRANGE" call --connect "$url" fali 4
    waits=$pid
    poll_until 20 grep -q "waiting for one that has it" waits.err
    kill -TERM "$waits"
    finish "$waits"
    same 130 "$rc"
    has "$(cat waits.err)" "no engine of the farm has a function 'fali'"
}

@test "a call of the queue whose caller is interrupted goes on, and the caller says that it may" {
    worker one 1
    poll_until 20 answers 1
    rm -f queued.now
    start queued "$GRANGE" call --connect "$url" misbehave "wait $PWD/queued.now"
    poll_until 20 test -e queued.now
    kill -TERM "$pid"
    finish "$pid"
    same 130 "$rc"
    has "$(cat queued.err)" "interrupted; the call stays with the farm: grange status lists it, grange cancel ends it"
    run -0 --separate-stderr grange status --connect "$url"
    has "$output" "calls-" # where it is found
}

# waits NAME PERCENT - a call of the queue that does not return, with so much patience.
waits() {
    GRANGE_PATIENCE_PERCENT=$2 start "$1" "$GRANGE" call --connect "$url" misbehave "wait $PWD/$1.now"
    poll_until 20 test -e "$1.now"
}

lists_two() {
    mapfile -t studies < <(grange status --connect "$url" --json 2>/dev/null | grep -o 'calls-[0-9a-f]*')
    [ "${#studies[@]}" = 2 ]
}

@test "a call of the queue waits ten seconds for a scheduler that was killed, then says what it may have" {
    worker one 2
    poll_until 20 answers 2
    waits patient 1000
    patient=$pid
    waits hasty 15
    hasty=$pid
    kill -9 "$scheduler"
    finish "$hasty"
    same 3 "$rc"
    has "$(cat hasty.err)" "did not come back within 1.5 s; if it has the call, grange status will list it"
    start scheduler "$GRANGE" scheduler --dir place
    poll_until 20 lists_two
    for study in "${studies[@]}"; do grange cancel --connect "$url" "$study"; done
    finish "$patient"
    same 1 "$rc"
    has "$(cat patient.err)" "cancelled"
}

@test "examples/c/engines.c: scatter, squares, gather" {
    [ -e "$build/lib/libgrange.so" ] || skip "libgrange.so is not built under sanitizers"
    export PKG_CONFIG_PATH="$build/lib/pkgconfig" LD_LIBRARY_PATH="$build/lib" TMPDIR="$PWD"
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Wextra -Werror -o engines "$GRANGE_SOURCE/examples/c/engines.c" $(pkg-config --cflags --libs grange)
    worker one 3
    worker two 1
    run -0 ./engines "$url"
    expected="4 engines
the sum of 1000 squares is 332833500
engine 0 says: collatz takes 8 bytes, not 9 (2)"
    same "$expected" "$output"
    GRANGE_PROGRAM=$GRANGE run -0 --separate-stderr ./engines --plugin "$plugin"
    same "$expected" "$output"
}

# state N - what `grange workers` says of engine N.
state() { grange workers --connect "$url" --json | sed -n "s/.*\"engine\": $1, .*\"state\": \"\\([a-z]*\\)\", \"slot\".*/\\1/p"; }
state_is() { [ "$(state "$1")" = "$2" ]; }

@test "the list of engines says which are busy now, and which are again idle" {
    worker one 2
    poll_until 20 answers 2
    poll_until 20 state_is 0 idle
    hold
    poll_until 20 state_is 0 busy
    same idle "$(state 1)"
    kill -INT "$held"
    poll_until 20 state_is 0 idle
}
