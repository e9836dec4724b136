#!/usr/bin/env bats
# shellcheck disable=SC2154
# The longest payloads there may be, in the memory of those through whose hands they go.
load helper

setup_more() {
    plugin=$(cd "$(dirname "$GRANGE")/.." && pwd)/lib/collatz.so
    [ -e "$plugin" ] || skip "the plug-in is not built here"
    local room
    room=$(df -k --output=avail . | tail -n 1)
    [ "$room" -gt 6000000 ] || skip "3 GiB of room are needed here, twice"
    room=$(sed -nE 's/^MemAvailable: *([0-9]+).*/\1/p' /proc/meminfo)
    [ "$room" -gt 5000000 ] || skip "5 GB of memory are needed: the program that submits reads all of the payload"
    grange up -n 1 -j 1 --plugin "$plugin" --listen tls+tcp://127.0.0.1:0
    scheduler=$(sed 's/ .*//' .grange/lock)
    worker=$(grange workers --json | sed -nE 's/.*"state": "up", "pid": ([0-9]+),.*/\1/p')
    truncate -s 1G gibibyte
}

# peak PROCESS - the most memory that it ever had, in MiB.
peak() { echo $(($(sed -nE 's/^VmHWM:[^0-9]*([0-9]+).*/\1/p' "/proc/$1/status") / 1024)); }

# small - neither the scheduler nor the worker ever had a quarter of such a payload.
small() {
    echo "scheduler $(peak "$scheduler") MiB, worker $(peak "$worker") MiB"
    [ "$(peak "$scheduler")" -lt 256 ]
    [ "$(peak "$worker")" -lt 256 ]
}

@test "1 GiB to an engine: as a file, and over TLS in parts" {
    run -0 grange call --timeout 30m --engine 0 noop @gibibyte
    small
    run -0 grange call --timeout 30m --connect .grange/client.json --engine 0 noop @gibibyte
    small
    truncate -s 300M payload
    printf end >>payload
    grange call --timeout 30m --connect .grange/client.json --engine 0 echo @payload | cmp - payload
    small
}

@test "1 GiB through the queue, durable, and its result; nothing of it is left when that was taken" {
    grange call --timeout 30m echo @gibibyte | cmp - gibibyte
    small
    poll_until 20 nothing_left
}

# nothing_left - of the payload; the result stays.
nothing_left() { [ "$(find .grange/blobs -type f | wc -l)" -le 1 ]; }
