#!/usr/bin/env bats
# shellcheck disable=SC1083,SC2016,SC2030,SC2031,SC2154
# A task that submits tasks while it runs: it finds the farm that runs it.
load helper

setup_more() { export XDG_STATE_HOME=$PWD/state; }
teardown_more() { "$GRANGE" down --now -d .grange >/dev/null 2>&1 || true; }

@test "a point submits a study of its own to the farm that runs it" {
    run -0 grange up -n 1 -j 1 --name a
    run -0 grange up -n 1 -j 1 --dir b --name b
    # One slot: the inner points run once the outer one has ended. Nothing but what its worker told it leads to a from /.
    run -0 grange run --quiet --study outer sh -c 'cd / && "$GRANGE" submit --study inner{x} echo {{y}} ::: y=1:3' ::: x=1,2
    run -0 grange wait inner1 inner2 --timeout 60s
    same 3 "$(results inner1 | column state | grep -cx "done")"
    same 3 "$(results inner2 | column state | grep -cx "done")"
    run -0 grange down --now --dir b
}

@test "a sweep within a point stays embedded, so that it cannot wait for its own slot" {
    run -0 grange up -n 1 -j 1
    run -0 --separate-stderr grange run --study outer sh -c 'mkdir in{x} && cd in{x} && "$GRANGE" run --quiet echo {{y}} ::: y=1:3' ::: x=1
    [ -e in1/.grange/grange.db ]
}

@test "over TLS a point submits when its host has the client's file beside the worker's" {
    ready=
    exec {ready}<> <(:)
    start farm "$GRANGE" scheduler --dir farm --log farm.log --ready-fd "$ready" --listen tls+tcp://127.0.0.1:0
    ready "$ready"
    exec {ready}>&-
    mkdir far # what the worker's host was given
    cp farm/worker.json far/
    start worker "$GRANGE" worker --connect far/worker.json -j 2 --name far --log worker.log
    worker=$pid
    outer='cd / && "$GRANGE" submit --quiet --study inner{x} echo {{y}} ::: y=1:3'
    run -1 grange run --connect farm/client.json --quiet --study no sh -c "$outer" ::: x=1
    kill "$worker"
    finish "$worker"

    cp farm/client.json far/
    start worker "$GRANGE" worker --connect far/worker.json -j 2 --name far --log worker.log
    run -0 grange run --connect farm/client.json --quiet --study yes sh -c "$outer" ::: x=1
    run -0 grange wait --connect farm/client.json inner1
    has "$output" "inner1: 3 points: 3 done"
}

@test "a client's file of another farm is not passed on" {
    for farm in a b; do
        exec {ready}<> <(:)
        start "$farm" "$GRANGE" scheduler --dir "$farm" --log "$farm.log" --ready-fd "$ready" --listen tls+tcp://127.0.0.1:0
        ready "$ready"
        exec {ready}>&-
    done
    mkdir far
    cp a/worker.json far/
    cp b/client.json far/
    start worker "$GRANGE" worker --connect far/worker.json -j 1 --log worker.log
    run -0 grange run --connect a/client.json --quiet --study s 'echo "parent=${{GRANGE_PARENT-none}}"' ::: x=1
    run -0 grange log --dir a s 0
    same "parent=none" "$output"
}
