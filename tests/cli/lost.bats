#!/usr/bin/env bats
# shellcheck disable=SC2154
# A scheduler that ends, is killed or hangs under clients that wait: they hear of it, and the same
# future comes back with the farm.
load helper

setup_more() {
    build=$(cd "$(dirname "$GRANGE")/.." && pwd)
    patient="$build/examples/example_patient"
    url="ipc://$PWD/.grange/scheduler.sock"
    command="until [ -e '$PWD/go' ]; do sleep 0.05; done" # a point
}

teardown_more() {
    [ -z "${stopped:-}" ] || kill -CONT "$stopped" 2>/dev/null || true
    [ -z "${keeper:-}" ] || kill -9 "$keeper" 2>/dev/null || true # of a directory that is gone: nobody finds it
}

scheduler() { sed -E 's/ .*//' .grange/lock; }
said() { grep -q "$1" "$program.out"; }

three_clients() { grange top 2>/dev/null | grep -q ", 3 clients"; } # the two, and who looks

# waits - a program waits for a point that runs until ./go is there.
waits() {
    program=patient
    start patient "$patient" "$url" "$command"
    poll_until 20 said "^waiting"
}

comes_back() {
    touch go
    finish "$pid"
    same 0 "$rc"
    same "done" "$(tail -n 1 patient.out)"
    same 1 "$(sql "select count(*) from ended")"
    run -0 grange down
}

@test "grange down: who waits hears of it, and waits for the same future when it is up again" {
    run -0 grange up -n 1 -j 1
    waits
    run -0 grange down --now
    poll_until 20 said "^lost (down): the farm was shut down"
    run -0 grange up -n 1 -j 1
    comes_back
}

@test "grange down: grange wait and grange run end with 3 and say so" {
    run -0 grange up -n 1 -j 1
    run -0 grange submit --study held sh -c "$command" ::: T=1
    start waiting "$GRANGE" wait held
    waiting=$pid
    start running "$GRANGE" run --study run sh -c "$command" ::: T=2
    running=$pid
    poll_until 20 three_clients
    run -0 grange down --now
    finish "$waiting"
    same 3 "$rc"
    has "$(cat waiting.err)" "was shut down; the same command may be given again"
    has_not "$(cat waiting.err)" "went away"
    finish "$running"
    same 3 "$rc"
    has "$(cat running.err)" "was shut down; what ended is kept"
}

@test "kill -9 of the scheduler: lost, and found again when it is started" {
    run -0 grange up -n 1 -j 1
    waits
    mapfile -t keepers < <(ls .grange/keepers)
    for k in "${keepers[@]}"; do kill -STOP "$k" 2>/dev/null || true; done # nobody starts it again meanwhile
    kill -9 "$(scheduler)"
    poll_until 20 said "^lost: the scheduler is not there"
    for k in "${keepers[@]}"; do kill -CONT "$k" 2>/dev/null || true; done
    comes_back
}

@test "a scheduler that hangs is lost too, and found again when it goes on" {
    run -0 grange up -n 1 -j 1
    waits
    stopped=$(scheduler)
    kill -STOP "$stopped"
    poll_until 30 said "^lost: the scheduler is not there"
    kill -CONT "$stopped"
    stopped=
    comes_back
}

# farm - a scheduler of our own that listens on the network; its files are in farm/.
farm() {
    local ready
    exec {ready}<> <(:)
    start farm "$GRANGE" scheduler --dir farm --log farm.log --ready-fd "$ready" --listen tls+tcp://127.0.0.1:0
    scheduler=$pid
    ready "$ready"
    exec {ready}>&-
}

@test "a worker and a program read their connection files again when the farm has new ones" {
    farm
    start worker "$GRANGE" worker --connect farm/worker.json -j 1 --log worker.log
    worker=$pid
    url=farm/client.json
    waits
    waiting=$pid
    poll_until 20 sh -c "[ \"\$(sqlite3 farm/grange.db 'select count(*) from running')\" = 1 ]"
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    old=$(cat farm/client.json)
    rm farm/keys.json farm/client.json farm/worker.json # all are worth nothing now, and the ports are others
    farm
    [ "$old" != "$(cat farm/client.json)" ]
    poll_until 30 grep -q 'event=connection_file' worker.log
    touch go
    finish "$waiting"
    same 0 "$rc"
    same "done" "$(tail -n 1 patient.out)"
    same "1" "$(sqlite3 farm/grange.db 'select attempts from ended')" # it ran on, and was adopted
    kill "$worker"
    finish "$worker"
}

# store_gone ARG... - of a run with these options it is deleted; then its scheduler is killed, if it lives that long.
store_gone() {
    start run "$GRANGE" run "$@" --study s "$command; echo {n}" ::: n=1:4
    run=$pid
    poll_until 20 test -s .grange/lock
    poll_until 20 sql_is "select count(*) from study" 1
    poll_until 20 grep -q "to run" run.err
    scheduler=$(scheduler)
    rm -r .grange
    kill -9 "$scheduler" || true
    finish "$run"
    same 3 "$rc"
    has "$(cat run.err)" ".grange/grange.db was deleted, moved or replaced while the points ran"
    has "$(cat run.err)" "what was recorded there is gone; the same command runs all points anew"
    has_not "$(cat run.err)" "nothing that was recorded is lost"
}

@test "a run whose store is deleted ends and says so" {
    store_gone -j 2
    [ ! -e .grange/grange.db ] # nothing went on in a new one
    touch go
    run -0 grange run -j 2 --study s "$command; echo {n}" ::: n=1:4
    has "$output" "4 points: 4 done"
}

@test "a run on a farm whose store is deleted ends and says so, also when it is another one by then" {
    run -0 grange up -n 1 -j 2
    keeper=$(sed -n 1p <(ls .grange/keepers))
    store_gone
    touch go
    kill "$keeper"
    poll_until 20 gone "$keeper"
}
