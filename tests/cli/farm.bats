#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# A farm that stays up: up, down, farms, and runs that use it.
load helper

keepers() { ls .grange/keepers 2>/dev/null; }

# kept PATTERN - process ids of daemons of this test's farm whose command line has PATTERN.
kept() {
    local p
    for p in $(keepers); do
        for c in $(children "$p"); do
            ! tr '\0' ' ' <"/proc/$c/cmdline" 2>/dev/null | grep -q -- "$1" || echo "$c"
        done
    done
}

@test "up starts scheduler and workers and returns when they are ready; down ends them" {
    run -0 grange up -n 2 -j 3
    has "$output" "farm default is up: 2 workers of 3 slots"
    has "$output" "$PWD/.grange"
    keeper=$(keepers)
    mapfile -t all < <(descendants "$keeper")
    [ "${#all[@]}" -ge 5 ] # the scheduler; two workers, each below its supervisor
    run -0 grange down
    has "$output" "is down"
    gone "$keeper" "${all[@]}"
    same "" "$(keepers)"
}

@test "up again says so and starts nothing; with more workers it adds them" {
    run -0 grange up --quiet -n 1 -j 1
    same "" "$output"
    first=$(keepers)
    run -0 grange up
    has "$output" "is up already"
    same "$first" "$(keepers)"
    run -0 grange up -n 3 -j 1
    has "$output" "2 workers added"
    same 3 "$(kept worker | wc -l)"
    run -0 grange up -n 2
    has "$output" "is up already"
    run -0 grange down
    same "" "$(keepers)"
}

@test "up --json, farms, farms --json, down of what is not up" {
    run -0 grange farms
    run -0 grange up -n 1 -j 2 --name lab --json
    has "$output" '"farm": "lab"'
    has "$output" '"was_up": false'
    run -0 grange farms
    has "$output" "lab"
    has "$output" "$PWD/.grange"
    run -0 grange farms --json
    has "$output" '"state": "up"'
    has "$output" '"workers": 1'
    run -0 grange down --farm lab --quiet
    same "" "$output"
    run -0 grange farms
    has_not "$output" "lab"
    run -0 grange down
    has "$output" "is not up"
}

@test "two farms of one user have two names" {
    mkdir a b
    run -0 grange up -n 0 --dir a/.grange
    run -3 grange up -n 0 --dir b/.grange
    has "$output" "--name"
    run -0 grange up -n 0 --dir b/.grange --name second
    run -0 grange farms
    has "$output" "default"
    has "$output" "second"
    run -0 grange down --farm second
    run -0 grange down --dir a/.grange
}

@test "up with another name, and while the farm goes down, is refused" {
    waiter
    grange up --name one
    run -3 grange up --name two
    has "$output" "is up under the name one"
    grange submit -q 'sh waiter.sh {x}' ::: x=1
    poll_until 20 lines_at_least started 1
    start down "$GRANGE" down --drain
    poll_until 20 grep -q ending .grange/lock
    run -3 grange up
    has "$output" "is going down"
    touch go
    finish "$pid"
    [ "$rc" = 0 ]
    grange up
    grange down
    run -0 grange farms
    same "grange: no farm of yours is up; start one: grange up" "$output"
}

@test "up that is interrupted before all is ready ends what it started" {
    start up "$GRANGE" up --engine "sh -c \"touch $PWD/started; read word\"" # which never says hello
    poll_until 20 test -e started
    kill -INT "$pid"
    finish "$pid"
    same 130 "$rc"
    has "$(cat up.err)" "interrupted"
    poll_until 60 is_empty .grange/keepers
    run -3 grange workers
    has "$output" "no farm is up"
}

is_empty() { [ -z "$(ls "$1")" ]; }

@test "wrong words: up, down, farms" {
    run -2 grange up now
    run -2 grange up -n many
    run -2 grange up -n 100000
    run -2 grange up --name ../etc
    has "$output" "is no name for a farm"
    run -2 grange down all
    run -2 grange down --drain --now
    has "$output" "either --drain or --now"
    run -2 grange down --farm x --dir y
    has "$output" "only one of"
    run -2 grange down --farm nowhere
    has "$output" "nowhere"
    run -2 grange farms all
    run -2 grange down --grace soon
    has "$output" "is no duration"
}

@test "run uses the farm that is up in ./.grange, with the same output and results" {
    counter
    run -0 grange up -n 2 -j 1
    run -0 grange run --study s sh counter.sh {n} ::: n=1:20
    has "$output" "using the farm default in .grange"
    has "$output" "s: 20 points: 20 done"
    same 20 "$(wc -l <ran)"
    run -0 grange run --study s sh counter.sh {n} ::: n=1:20
    same 20 "$(wc -l <ran)"
    run -1 grange run --quiet --study f 'exit {n}' ::: n=0,1
    same "" "$output"
    run -0 grange down
    run -0 grange run --study s sh counter.sh {n} ::: n=1:21
    has_not "$output" "using"
    same 21 "$(wc -l <ran)"
}

@test "run elsewhere uses the farm named default, or that of --farm, GRANGE_FARM, --dir" {
    mkdir farm other there
    run -0 grange up -n 1 -j 1 --dir farm/.grange
    run -0 grange up -n 1 -j 1 --dir other/.grange --name other
    cd there
    run -0 grange run --study s 'pwd; true {n}' ::: n=1,2
    has "$output" "using the farm default in $BATS_TEST_TMPDIR/farm/.grange"
    [ ! -e .grange ]
    same "$PWD" "$(grange log s 0)"
    run -0 grange run --study o --farm other 'true {n}' ::: n=1,2
    has "$output" "using the farm other"
    GRANGE_FARM=other run -0 grange status
    has "$output" "o "
    run -0 grange status
    has_not "$output" "o "
    GRANGE_CONNECT="ipc://$BATS_TEST_TMPDIR/other/.grange/scheduler.sock" run -0 grange run --study c 'true {n}' ::: n=1,2
    has "$output" "using the scheduler at ipc://"
    run -0 grange results c --farm other
    has "$output" "done"
    run -0 grange run --study e --dir .grange 'true {n}' ::: n=1,2
    has_not "$output" "using"
    GRANGE_FARM=nowhere run -2 grange run --study e 'true {n}' ::: n=1,2
    cd ..
    run -0 grange down --farm other
    run -2 grange run --study s --farm other 'true {n}' ::: n=1,2
    has "$output" "other"
    run -0 grange down --farm default
}

@test "the scheduler and a worker that are killed are started again, and a run goes on" {
    waiter
    run -0 grange up -n 2 -j 1
    start run "$GRANGE" run --study k sh waiter.sh {n} ::: n=1:6
    run=$pid
    poll_until 20 lines_at_least started 2
    scheduler=$(kept "grange scheduler") worker=$(kept "grange worker" | head -n 1)
    kill -9 "$scheduler"
    poll_until 20 other_kept "grange scheduler" "$scheduler"
    kill -9 "$worker"
    poll_until 20 two_workers "$worker"
    touch go
    finish "$run"
    same 0 "$rc"
    same "6" "$(sql "select count(*) from results where state = 'done'")"
    same 6 "$(sort -u started | wc -l)"
    run -0 grange down
}

@test "the scheduler is killed under a run whose study was steered and edited meanwhile: that stays" {
    waiter
    run -0 grange up -n 1 -j 2
    start run "$GRANGE" run --study k sh waiter.sh {n} ::: n=1:6
    run=$pid
    poll_until 20 lines_at_least started 2
    run -0 grange submit --quiet --study k sh waiter.sh {n} ::: n=7,8
    run -0 grange priority k 5
    poll_until 20 grep -qx 8 started
    scheduler=$(kept "grange scheduler")
    kill -9 "$scheduler"
    poll_until 20 other_kept "grange scheduler" "$scheduler"
    touch go
    finish "$run"
    same 0 "$rc"
    same "7 8" "$(results k | column n | xargs)"
    same "done done" "$(results k | column state | xargs)"
    same 5 "$(sql 'select json_extract(policy, "$.priority") from array where id = (select current from study)')"
    run -0 grange down
}
other_kept() { [ -n "$(kept "$1")" ] && [ "$(kept "$1")" != "$2" ]; }
two_workers() { [ "$(kept "grange worker" | grep -cvx "$1")" -ge 2 ]; }

@test "while the scheduler is being started again farms says so, and a run waits for it" {
    run -0 grange up -n 1 -j 1
    keeper=$(keepers)
    scheduler=$(kept scheduler)
    kill -STOP "$keeper" # it cannot start anything now
    kill -KILL "$scheduler"
    poll_until 20 is_starting
    run -3 grange wait nothing --farm default --timeout 1s
    has "$output" "no scheduler answered"
    GRANGE_PATIENCE_PERCENT=10 run -3 grange run --study s 'echo {x}' ::: x=1:3
    has "$output" "/.grange ended and is started again later; why is in $PWD/.grange/log, grange down gives it up"
    start run "$GRANGE" run --study s 'echo {x}' ::: x=1:3
    run=$pid
    kill -CONT "$keeper"
    finish "$run"
    same 0 "$rc"
    has "$(cat run.err)" "using the farm default" # and not a scheduler and a worker of its own
    same 1 "$(sql 'select count(distinct name) from worker')"
    run -0 grange results s
    run -0 grange down
}
is_starting() { grange farms | grep -q ' starting '; }

@test "a run whose scheduler stays away is told where that says why" {
    waiter
    run -0 grange up -n 1 -j 1
    keeper=$(keepers)
    scheduler=$(kept scheduler)
    GRANGE_PATIENCE_PERCENT=10 start run "$GRANGE" run --study k sh waiter.sh {n} ::: n=1
    run=$pid
    poll_until 20 lines_at_least started 1
    kill -STOP "$keeper"
    kill -KILL "$scheduler"
    finish "$run"
    same 3 "$rc"
    has "$(cat run.err)" "did not come back within 1 s (its log: .grange/log/scheduler.log); "
    kill -CONT "$keeper"
    touch go
    run -0 grange run --study k sh waiter.sh {n} ::: n=1
    run -0 grange down
}

@test "a keeper that is killed takes everything with it, and up starts anew" {
    run -0 grange up -n 1 -j 1
    keeper=$(keepers)
    mapfile -t all < <(descendants "$keeper")
    kill -9 "$keeper"
    poll_until 10 gone "${all[@]}"
    run -0 grange farms
    has "$output" "down"
    run -0 grange up -n 1 -j 1
    has "$output" "is up: 1 worker"
    run -0 grange down
}

@test "down: a running point may finish within the grace; then it is stopped and stays to be done" {
    waiter
    run -0 grange up -n 1 -j 2
    start run "$GRANGE" run --study d sh waiter.sh {n} ::: n=1:4
    run=$pid
    poll_until 20 lines_at_least started 2
    run -0 grange down --now
    finish "$run"
    same 3 "$rc"
    has "$(cat run.err)" "was shut down"
    same 0 "$(sql 'select count(*) from ended')"
    same 0 "$(sql 'select count(*) from attempt where state = 4')"
    touch go
    run -0 grange resume d
    same 4 "$(sql "select count(*) from results where state = 'done'")"
}

@test "up where a grange run works is refused" {
    waiter
    start run "$GRANGE" run --study b sh waiter.sh {n} ::: n=1
    run=$pid
    poll_until 20 lines_at_least started 1
    run -3 grange up
    has "$output" "grange run"
    run -3 grange down
    touch go
    finish "$run"
    same 0 "$rc"
}

@test "up says why it cannot: a store that is damaged" {
    mkdir .grange
    echo "this is no database, it is a text of more than sixteen bytes" >.grange/grange.db
    run -3 grange up
    has "$output" "grange.db"
    same "" "$(keepers)"
}

@test "two at once: one starts the farm, the other finds it up" {
    start one "$GRANGE" up -n 1 -j 1
    one=$pid
    start two "$GRANGE" up -n 1 -j 1
    two=$pid
    finish "$one"
    same 0 "$rc"
    finish "$two"
    same 0 "$rc"
    has "$(cat one.out two.out)" "is up: 1 worker"
    has "$(cat one.out two.out)" "is up already"
    poll_until 20 one_keeper
    run -0 grange run --quiet 'true {n}' ::: n=1:3
    run -0 grange down
}
one_keeper() { [ "$(keepers | wc -w)" = 1 ]; }

@test "a farm whose directory is gone is forgotten" {
    mkdir gone
    run -0 grange up -n 0 --dir gone/.grange
    for keeper in gone/.grange/keepers/*; do kill -9 "${keeper##*/}"; done
    run -0 grange farms
    has "$output" "gone"
    rm -r gone
    run -0 grange farms
    has_not "$output" "gone"
}

@test "up and down again go on with what was left, without being asked" {
    waiter
    grange up -n 1 -j 2
    grange submit --quiet --study left sh waiter.sh {n} ::: n=1:4
    poll_until 20 lines_at_least started 2
    run -0 grange down --grace 0
    touch go
    grange up -n 1 -j 2
    run -0 grange wait left
    same 4 "$(sql "select count(*) from results where state = 'done'")"
    same 4 "$(sql 'select sum(attempts) from results')"
    grange down
}

@test "down --drain: running points finish, however long they take; nothing new starts" {
    waiter
    grange up -n 1 -j 2
    grange submit --quiet --study d --no-shuffle sh waiter.sh {n} ::: n=1:6
    poll_until 20 lines_at_least started 2
    start down "$GRANGE" down --drain
    down=$pid
    poll_until 20 workers_drain
    touch go
    finish "$down"
    same 0 "$rc"
    same 2 "$(wc -l <started)"
    same 2 "$(sql 'select count(*) from ended')"
}
workers_drain() { grange workers | grep -q draining; }

@test "up -n adds workers to a scheduler that was started by hand, and down ends them all" {
    mkdir .grange
    start scheduler "$GRANGE" scheduler
    scheduler=$pid
    poll_until 20 grange workers
    run -0 grange up -n 2 -j 1
    has "$output" "2 workers added"
    run -0 grange farms
    has "$output" "default"
    run -0 grange run --quiet 'true {n}' ::: n=1:5
    run -0 grange down
    finish "$scheduler"
    same 0 "$rc"
    same "" "$(keepers)"
}

@test "without a home a farm is up all the same, in no list" {
    run -0 env -u HOME -u XDG_STATE_HOME "$GRANGE" up -n 0
    has "$output" "farm default is up"
    has "$output" "not in the list"
    run -0 env -u HOME -u XDG_STATE_HOME "$GRANGE" down
}
