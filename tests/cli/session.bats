#!/usr/bin/env bats
# shellcheck disable=SC2154
# The sessions of docs/protocol.md are what really crosses the wire: tests/tap listens between a scheduler, its
# worker and its clients.
load helper

setup_more() {
    tap=${GRANGE%/bin/grange}/tests/tap
    exec {hold}<> <(:)
    "$tap" tap.sock .grange/scheduler.sock <&"$hold" >heard 2>tap.err &
    started+=("$!")
    poll_until 20 test -S tap.sock
}

scheduler() {
    start scheduler "$GRANGE" scheduler --log scheduler.log
    scheduler=$pid
    poll_until 20 grep -q event=start scheduler.log
}

worker() {
    start worker "$GRANGE" worker --connect "ipc://$PWD/tap.sock" --name node17 --log worker.log "$@"
    worker=$pid
    poll_until 20 heard 'worker  < Welcome'
}

client() { USER=ada GRANGE_CONNECT="ipc://$PWD/tap.sock" grange "$@"; }
# ended_here N - the worker has seen that the process of point N has ended.
ended_here() { [ ! -e "/proc/$(cat "pid$1")" ]; }
heard() { grep -qF -- "$1" heard; }
heard_times() { [ "$(grep -cF -- "$2" heard)" -ge "$1" ]; }

# as_documented HEADING [sort] - each end hears, in this order or in any, what the session below that heading of the
# page says.
as_documented() {
    local who page order=${2:-cat}
    page=$(sed -n "/^## $1\$/,/^## /p" "$GRANGE_SOURCE/docs/protocol.md" | sed -n 's/^    //p')
    sed -i '/> Engines *$/d' heard # sent when nothing else is to be done
    [ -n "${RECORD:-}" ] && cp heard "$RECORD.${1// /-}"
    for who in worker client; do
        same "$(grep "^$who " <<<"$page" | $order)" "$(grep "^$who " heard | $order)"
    done
}

@test "a study: two points, a scheduler that is killed in the middle" {
    cat >waiter.sh <<'END'
echo $$ >"pid$1"
echo "$1" >>started
while [ ! -e "go$1" ]; do sleep 0.02; done # a point
echo "value $1"
END
    scheduler
    worker -j 2 --resource licences=2 # so it has nothing at hand beyond what it runs, however long that takes
    client submit -q --study sweep --resource licences=1 'sh waiter.sh {x}' ::: x=1:3
    poll_until 20 lines_at_least started 2
    start wait env USER=ada "$GRANGE" wait sweep -q --connect "ipc://$PWD/tap.sock"
    wait=$pid
    poll_until 20 heard 'client  < Reply       request=1'
    touch go1
    poll_until 20 heard 'worker  < Ack'
    poll_until 20 lines_at_least started 3
    kill -9 "$scheduler"
    finish "$scheduler"
    touch go2
    poll_until 20 grep -q "event=gone" worker.log
    poll_until 20 ended_here 2
    scheduler
    poll_until 20 heard_times 2 'worker  < Ack'
    poll_until 20 heard 'client  < Reply       request=2'
    touch go3
    finish "$wait"
    same 0 "$rc"
    kill "$worker"
    finish "$worker"
    as_documented "A session"
}

@test "a call of the farm's queue, and one of an engine" {
    cat >echo.c <<'END'
#include "grange_engine.h"
static int echo(struct grange_call *call, const void *data, size_t n) { return grange_return(call, data, n); }
GRANGE_FUNCTION("echo", echo)
END
    cc -shared -fPIC -I "$GRANGE_SOURCE/engine" -o echo.so echo.c
    scheduler
    worker -j 1 --plugin ./echo.so
    same hello "$(client call echo hello)"
    same hello "$(client call --engine 0 echo hello)"
    kill "$worker"
    finish "$worker"
    # The client may be gone before the last Appended; a worker whose engine is slow to start says hello before and after.
    sed -i '/< Appended *request=4/d; /role=WORKER/{/functions/!d}; /ENGINE_STARTING/d' heard
    as_documented "A call" "sort -u"
}
