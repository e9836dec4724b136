#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# What is asked of a farm that is up: submit, wait, workers, drain, hold, release, priority, cancel, top.
load helper

# kept PATTERN - process ids of the children of this farm's keepers whose command line has PATTERN.
kept() {
    local p c
    for p in .grange/keepers/*; do
        for c in $(children "${p##*/}"); do
            ! tr '\0' ' ' <"/proc/$c/cmdline" 2>/dev/null | grep -q -- "$1" || echo "$c"
        done
    done
}
worker_name() { echo "$(hostname)-w$1"; }
workers_say() { grange workers | grep -q "$1"; }
workers_do_not_say() { ! workers_say "$1"; }
status_is() { [ "$(grange status "$1" --json | grep -o "\"$2\": [0-9]*")" = "\"$2\": $3" ]; }

@test "submit returns at once and prints the name; wait waits for it" {
    waiter
    grange up -n 1 -j 2
    run -0 --separate-stderr grange submit --study waiter sh waiter.sh {n} ::: n=1:4
    same "waiter" "$output"
    has "$stderr" "waiter: 4 points, 4 to run"
    poll_until 20 lines_at_least started 2
    run -4 grange wait waiter --timeout 0
    has "$output" "--timeout"
    has "$output" "not all had ended within the time of --timeout"
    touch go
    run -0 grange wait waiter
    has "$output" "waiter: 4 points: 4 done"
    same 4 "$(sql "select count(*) from results where state = 'done'")"
    run -0 --separate-stderr grange submit --quiet --json --study waiter sh waiter.sh {n} ::: n=1:5
    has "$output" '"reused": 4, "to_run": 1'
    same "" "$stderr"
    run -0 grange wait waiter --quiet
    same "" "$output"
    grange down
}

@test "wait: several studies; some failed; unknown; nothing given" {
    grange up -n 1 -j 2
    grange submit --quiet --study good 'true {n}' ::: n=1:3
    grange submit --quiet --study bad 'exit {n}' ::: n=0,1
    run -1 --separate-stderr grange wait good bad --json
    has "$output" '"study": "good", "state": "ended", "points": 3, "done": 3, "warned": 0, "failed": 0'
    has "$output" '"study": "bad", "state": "ended", "points": 2, "done": 1, "warned": 0, "failed": 1'
    has "$stderr" "bad: 2 points: 1 done, 1 failed"
    has "$stderr" "  see: grange results bad --where \"state <> 'done'\""
    same 1 "$(grep -c see: <<<"$stderr")"
    eval "run -0 ${stderr#*see: } --json"
    same '[1]' "$(jq -c 'map(.point)' <<<"$output")"
    run -0 grange wait good
    run -2 grange wait nowhere
    has "$output" "nowhere"
    run -2 grange wait
    run -2 grange wait good --timeout tomorrow
    grange down
}

@test "wait: points that were skipped did not succeed; --timeout says what is left" {
    cat >two.yaml <<'EOF'
study: two
stages:
  first: {command: ["sh", "-c", "exit 3"]}
  second: {after: first, command: ["echo", "{a}"], factors: {a: "0:3:1"}}
EOF
    grange up -n 1 -j 1
    run -0 grange submit two.yaml
    run -1 grange wait two.second
    same "grange: two.second: 4 points: 0 done, 4 skipped (what they wait for did not end as it had to)
  see: grange results two.second --where \"state <> 'done'\"" "$output"
    run -1 --separate-stderr grange wait two.second --json
    same '4 4' "$(jq -r '.[0] | "\(.points) \(.skipped)"' <<<"$output")"
    waiter
    grange submit -q --study held 'sh waiter.sh {x}' ::: x=1:3
    poll_until 20 lines_at_least started 1
    for limit in "${limits[@]}"; do
        run -4 grange wait held --timeout "$limit"
        [ "${#lines[@]}" -lt 2 ] || break # it has heard how things are
    done
    has "$output" "held: 3 points: 0 done, 3 left"
    touch go
}

@test "wait: a study that halted has failed; the points that are left are told" {
    grange up -n 1 -j 1
    grange submit --quiet --study h --no-shuffle --halt now,fail=1 'exit $(({n} == 1))' ::: n=1:4
    run -1 grange wait h
    has "$output" "1 failed, 3 left (it halted)"
    grange down
    grange up -n 1 -j 1 # it is halted for whoever starts next, too
    run -1 grange wait --timeout 5m h
    has "$output" "1 failed, 3 left (it halted)"
    grange down
}

@test "utilisation is never more than all, also where points began before the run that counts them" {
    waiter
    grange up -n 1 -j 1
    grange submit --quiet --study s sh waiter.sh {n} ::: n=1
    poll_until 20 lines_at_least started 1
    start run "$GRANGE" run --json --study s sh waiter.sh {n} ::: n=1
    poll_until 20 grep -q "1 to run" run.err # it has joined
    touch go
    finish "$pid"
    same 0 "$rc"
    same "1 true" "$(jq -r '"\(.ended_here) \(.sum_s > 0 and .utilisation <= 1)"' run.out)"
    grange down
}

@test "wait: the scheduler is killed and comes back" {
    waiter
    grange up -n 1 -j 2
    grange submit --quiet --study k sh waiter.sh {n} ::: n=1:4
    start wait "$GRANGE" wait k
    wait=$pid
    start run "$GRANGE" run --study k sh waiter.sh {n} ::: n=1:4
    run=$pid
    poll_until 20 lines_at_least started 2
    scheduler=$(kept "grange scheduler")
    poll_until 20 grep -q "using the farm" run.err
    kill -9 "$scheduler"
    poll_until 20 other_scheduler "$scheduler"
    poll_until 20 grep -q "the scheduler is back" wait.err
    poll_until 20 grep -q "the scheduler is back" run.err
    touch go
    finish "$run"
    same 0 "$rc"
    finish "$wait"
    same 0 "$rc"
    same "4" "$(sort -u started | wc -l)"
    grange down
}
other_scheduler() { [ -n "$(kept "grange scheduler")" ] && [ "$(kept "grange scheduler")" != "$1" ]; }

@test "wait and run: a scheduler that stays away is exit code 3, and they may be given again" {
    waiter
    mkdir .grange
    start scheduler "$GRANGE" scheduler
    scheduler=$pid
    start worker "$GRANGE" worker -j 1
    poll_until 20 test -S .grange/scheduler.sock
    grange submit --quiet --study k sh waiter.sh {n} ::: n=1:2
    export GRANGE_PATIENCE_PERCENT=10
    start wait "$GRANGE" wait k
    wait=$pid
    start run "$GRANGE" run --study k sh waiter.sh {n} ::: n=1:2
    run=$pid
    poll_until 20 lines_at_least started 1
    poll_until 20 grep -q "using" run.err
    kill -9 "$scheduler"
    finish "$wait"
    same 3 "$rc"
    has "$(cat wait.err)" "did not come back within 1 s"
    finish "$run"
    same 3 "$rc"
    has "$(cat run.err)" "did not come back"
    start scheduler "$GRANGE" scheduler
    touch go
    poll_until 20 workers_say up
    run -0 grange wait k
    has "$output" "k: 2 points: 2 done"
}

@test "run: interrupted while the scheduler does not answer, it says that the points may go on" {
    waiter
    grange up -j 1
    start run "$GRANGE" run --study a sh waiter.sh {n} ::: n=1:3
    run=$pid
    poll_until 20 lines_at_least started 1
    scheduler=$(kept "grange scheduler")
    kill -STOP "$scheduler"
    kill -INT "$run" # "no new points start" is said at once, that nobody hears it after a while
    poll_until 20 grep -q "no new points start" run.err
    kill -INT "$run"
    poll_until 20 grep -q "stopping the running points now" run.err
    kill -INT "$run"
    poll_until 20 gone "$run"
    run -0 --separate-stderr grange status a
    has "$output" running
    has "$stderr" "does not answer just now"
    kill -CONT "$scheduler"
    finish "$run"
    same 130 "$rc"
    has "$(cat run.err)" "did not answer: the points may go on"
    has "$(cat run.err)" "grange hold a"
    touch go
    run -0 grange release a # it heard of the interruption after all
    run -0 grange wait a
    grange down
}

@test "submit: needs a farm; -j, --dry-run and --save are for run" {
    run -3 grange submit 'true {n}' ::: n=1
    has "$output" "no farm is up"
    has "$output" "grange up"
    run -2 grange submit --dry-run 'true {n}' ::: n=1
    run -2 grange submit -j 2 'true {n}' ::: n=1
    run -0 grange submit --help # shows what it takes
    for option in jobs grace sync dry-run save; do has_not "$output" "--$option"; done
    has "$output" "--speculate"
    run -2 grange submit
    has "$output" "grange help submit"
    run -3 grange wait x
    run -3 grange workers
    run -3 grange top
    run -3 grange hold x
}

@test "workers: a line each, JSON, and what is wrong with the words" {
    grange up -n 2 -j 3
    run -0 grange workers
    has "$output" "$(worker_name 1)"
    has "$output" "$(worker_name 2)"
    same 3 "${#lines[@]}"
    run -0 grange workers --json
    has "$output" '"slots": 3, "busy": 0'
    run -2 grange workers all
    run -2 grange workers --json --watch
    grange down
}

@test "workers: one where everything fails at once, while it does well elsewhere, is quarantined, and says why" {
    grange up -n 2 -j 1
    cat >hole.sh <<'EOF'
case $(tr '\0' ' ' <"/proc/$PPID/cmdline") in *"-w1 "*) exit 1 ;; esac
sleep 0.02 # a point
EOF
    run -0 grange run --quiet --study h --retries 100 --backoff 10ms..20ms sh hole.sh {n} ::: n=1:60
    run -0 grange workers
    has "$output" "quarantined"
    has "$output" "do well elsewhere"
    run -0 grange workers --json
    has "$output" '"state": "quarantined"'
    grange down
}

@test "workers --watch shows what changes, until it is interrupted" {
    grange up -n 1 -j 1
    start watch "$GRANGE" workers --watch
    watch=$pid
    poll_until 20 grep -q "$(worker_name 1)" watch.out
    grange up -n 2 -j 1
    poll_until 20 grep -q "$(worker_name 2)" watch.out
    kill -INT "$watch"
    finish "$watch"
    same 0 "$rc"
    grange down
}

@test "wait that is interrupted says that the points go on, and they do" {
    waiter
    grange up -n 1 -j 2
    grange submit --quiet --study quick true {n} ::: n=1
    grange submit --quiet --study slow sh waiter.sh {n} ::: n=1
    start wait "$GRANGE" wait quick slow
    poll_until 20 grep -q "quick" wait.err
    kill -INT "$pid"
    finish "$pid"
    same 130 "$rc"
    has "$(cat wait.err)" "interrupted; the points go on, and the same command may be given again"
    touch go
    run -0 grange wait quick slow
    grange down
}

@test "drain: a worker finishes what it runs and ends; what waits runs elsewhere" {
    waiter
    grange up -n 2 -j 1
    grange submit --quiet --study d sh waiter.sh {n} ::: n=1:6
    poll_until 20 lines_at_least started 2
    run -0 grange drain "$(worker_name 1)"
    has "$output" "$(worker_name 1) gets nothing new and ends when its running points have ended"
    run -0 grange workers
    has "$output" "draining"
    touch go
    run -0 grange wait d
    poll_until 20 workers_do_not_say draining
    run -0 grange workers
    has_not "$output" "$(worker_name 1)"
    has "$output" "$(worker_name 2)"
    same 6 "$(sort -u started | wc -l)"
    same 6 "$(wc -l <started)"
    run -2 grange drain nobody
    has "$output" "there is no worker 'nobody'"
    run -2 grange drain
    run -0 grange farms --json # one left: up makes it two again, under a name of its own
    has "$output" '"workers": 1'
    run -0 grange up -n 2 -j 1
    has "$output" "1 worker added"
    run -0 grange workers
    has "$output" "$(worker_name 3)"
    grange down
}

@test "drain --now: what runs there is stopped at no cost and runs elsewhere" {
    waiter
    grange up -n 2 -j 1
    grange submit --quiet --study d sh waiter.sh {n} ::: n=1:2
    poll_until 20 lines_at_least started 2
    run -0 grange drain "$(worker_name 1)" --now
    has "$output" "ends when its running points have been stopped; they will run elsewhere"
    poll_until 20 workers_do_not_say "$(worker_name 1)"
    touch go
    run -0 grange wait d
    same "1 1" "$(sql 'select attempts from results' | xargs)"
    grange down
}

@test "SIGTERM to a worker: its running point may finish within the grace, then it is gone" {
    waiter
    mkdir .grange
    start scheduler "$GRANGE" scheduler
    start worker "$GRANGE" worker -j 1 --grace 60s
    worker=$pid
    poll_until 20 workers_say up
    grange submit --quiet --study g sh waiter.sh {n} ::: n=1:2
    poll_until 20 lines_at_least started 1
    kill -TERM "$worker"
    poll_until 20 workers_say draining
    touch go
    finish "$worker"
    same 0 "$rc"
    same 1 "$(wc -l <started)"
    same 1 "$(sql 'select count(*) from ended')"
}

@test "SIGTERM to a worker twice: the point is stopped, and it counts as no attempt" {
    waiter
    mkdir .grange
    start scheduler "$GRANGE" scheduler
    start worker "$GRANGE" worker -j 1 --grace 60s
    worker=$pid
    poll_until 20 workers_say up
    grange submit --quiet --study g sh waiter.sh {n} ::: n=1
    poll_until 20 lines_at_least started 1
    kill -TERM "$worker"
    poll_until 20 workers_say draining
    kill -TERM "$worker"
    finish "$worker"
    same 0 "$rc"
    same 0 "$(sql 'select count(*) from ended')"
    start worker "$GRANGE" worker -j 1
    touch go
    run -0 grange wait g
    same 1 "$(sql 'select attempts from results')"
}

@test "SIGTERM to a scheduler is a clean stop: its workers go on and wait for the next one" {
    waiter
    mkdir .grange
    start scheduler "$GRANGE" scheduler
    scheduler=$pid
    start worker "$GRANGE" worker -j 1
    poll_until 20 workers_say up
    grange submit --quiet --study s sh waiter.sh {n} ::: n=1
    poll_until 20 lines_at_least started 1
    kill -TERM "$scheduler"
    finish "$scheduler"
    same 0 "$rc"
    touch go
    start scheduler "$GRANGE" scheduler
    poll_until 20 workers_say up
    run -0 grange wait s
    same 1 "$(wc -l <started)"
}

@test "hold and release: no new points meanwhile; --now stops the running ones" {
    waiter
    grange up -n 1 -j 2
    grange submit --quiet --study h --no-shuffle sh waiter.sh {n} ::: n=1:6
    poll_until 20 lines_at_least started 2
    run -0 grange hold h
    has "$output" "2 running points may finish"
    start wait "$GRANGE" wait h
    wait=$pid
    poll_until 20 grep -q "on hold" wait.err
    touch go
    poll_until 20 done_at_least 2
    same 2 "$(wc -l <started)"
    rm go
    run -0 grange release h
    has "$output" "h goes on"
    poll_until 20 lines_at_least started 4
    run -0 grange hold h --now
    has "$output" "h is on hold; 2 running points are stopped and will run again"
    touch go
    run -0 grange release h
    finish "$wait"
    same 0 "$rc"
    same 6 "$(sql "select count(*) from results where state = 'done'")"
    run -2 grange hold nowhere
    run -2 grange release
    grange down
}

@test "priority: the study with the higher one comes first; weight and limit are taken" {
    waiter
    grange up -n 1 -j 1
    grange submit --quiet --study first --no-shuffle sh waiter.sh a{n} ::: n=1
    poll_until 20 lines_at_least started 1
    grange submit --quiet --study low --no-shuffle sh waiter.sh low{n} ::: n=1:3
    grange submit --quiet --study high --no-shuffle sh waiter.sh high{n} ::: n=1:3
    run -0 grange priority high 10
    run -0 grange priority low -- -5
    run -0 grange priority low --weight 3 --max-running 1
    same "grange: low: weight 3, at most 1 running at once" "$output"
    run -2 grange priority low -5
    has "$output" "-- -5"
    touch go
    run -0 grange wait low high
    same "high high high low low low" "$(sed 1d started | tr -d '0-9' | xargs)"
    run -0 grange top
    has "$output" "10"
    run -2 grange priority high
    has "$output" "which priority"
    run -2 grange priority high often
    run -2 grange priority high 10000000
    run -2 grange priority high --weight 0
    run -2 grange priority nowhere 1
    grange down
}

@test "studies share the slots by weight, and one that is limited leaves slots to others" {
    grange up -n 1 -j 8
    cat >gated.sh <<'END'
echo "$1" >>started
while [ ! -e "go.$2" ]; do sleep 0.02; done # a point
END
    grange submit --quiet --study first sh gated.sh first 1 ::: n=1:8 # all slots
    poll_until 20 lines_at_least started 8
    grange submit --quiet --study light sh gated.sh light 2 ::: n=1:8
    grange submit --quiet --study heavy --weight 3 sh gated.sh heavy 2 ::: n=1:8
    touch go.1
    poll_until 20 lines_at_least started 16
    same "2 light 6 heavy" "$(sed 1,8d started | sort -r | uniq -c | xargs)"
    grange cancel light
    grange cancel heavy
    run -1 grange wait light heavy
    rm -f go.* started
    # Its other points could have had the slots that the next study gets.
    grange submit --quiet --study limited --max-running 2 sh gated.sh limited 3 ::: n=1:8
    poll_until 20 lines_at_least started 2
    grange submit --quiet --study other sh gated.sh other 3 ::: n=1:6
    poll_until 20 lines_at_least started 8
    same "6 other 2 limited" "$(sort -r started | uniq -c | xargs)"
    touch go.3
    run -0 grange wait limited other
    run -0 grange down
}

@test "cancel reaches the farm that is up" {
    waiter
    grange up -n 1 -j 1
    grange submit --quiet --study c --no-shuffle sh waiter.sh {n} ::: n=1:3
    poll_until 20 lines_at_least started 1
    run -0 grange cancel c 2
    has "$output" "1 point cancelled"
    run -0 grange cancel c n=2
    touch go
    run -1 grange wait c
    has "$output" "2 cancelled"
    grange down
}

top_says() { grange top | grep -q "$1"; }

@test "top: one look where stdout is no terminal" {
    waiter
    grange up -n 1 -j 2
    grange submit --quiet --study t sh waiter.sh {n} ::: n=1:5
    poll_until 20 lines_at_least started 2
    run -0 grange top
    has "$output" "the farm default"
    has "$output" "slots 2, 2 busy (100%)"
    has "$output" "$(worker_name 1)"
    poll_until 20 top_says "running longest" # they are told after a second
    top_says "t point"
    run -2 grange top everything
    touch go
    grange wait t
    grange down
}

longest_in_top() { "$GRANGE" top | sed -n 's/^  \([a-z]*\) point .*/\1/p' | xargs; }
older_first() { [ "$(longest_in_top)" = "older newer" ]; }

@test "top: what runs longest comes first, of whichever study" {
    waiter
    grange up -n 1 -j 2
    grange run --quiet --study newer true # a name that the farm has known for longer
    for study in older newer; do
        grange submit --quiet --study "$study" sh waiter.sh "$study"
        poll_until 20 grep -q "$study" started
    done
    poll_until 20 older_first # one look may have heard of one only
    touch go
    grange wait older newer
    grange down
}

@test "top on a terminal draws until q, and gives the terminal back" {
    grange up -n 1 -j 1
    command -v script >/dev/null || skip "script(1) is not there"
    mkfifo keys
    script -qec "$GRANGE top" typed <keys >/dev/null 2>&1 3>&- &
    top=$!
    started+=("$top")
    exec {keys}>keys
    poll_until 20 grep -q "$(worker_name 1)" typed
    printf q >&"$keys"
    finish "$top"
    exec {keys}>&-
    grep -q $'\033\\[?1049l' typed
    grange down
}

@test "several clients at once: each study runs once, and all end" {
    counter
    grange up -n 2 -j 2
    runs=()
    for k in 1 2 3 4; do
        start "run$k" "$GRANGE" run --quiet --study "s$k" sh counter.sh "s$k-{n}" ::: n=1:25
        runs+=("$pid")
    done
    for k in 1 2; do
        start "same$k" "$GRANGE" run --quiet --study same sh counter.sh "same-{n}" ::: n=1:25
        runs+=("$pid")
    done
    for one in "${runs[@]}"; do
        finish "$one"
        same 0 "$rc"
    done
    same 125 "$(sort -u ran | wc -l)"
    same 125 "$(wc -l <ran)"
    grange down
}

@test "status and results of the farm from another directory" {
    grange up -n 1 -j 1
    mkdir there
    cd there
    grange submit --quiet --study s 'echo {n}' ::: n=1:3
    grange wait --quiet s
    run -0 grange status
    has "$output" "s"
    same "1 2 3" "$(grange results s --format csv | column n | xargs)"
    cd ..
    grange down
}
