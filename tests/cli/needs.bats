#!/usr/bin/env bats
# Where points may run, whose turn it is, what exit codes mean: with a scheduler and workers of their own.
load helper

# farm WORDS.. - a scheduler, and a worker with these words.
farm() {
    start scheduler "$GRANGE" scheduler
    poll_until 20 test -S .grange/scheduler.sock
    start worker "$GRANGE" worker "$@"
}

left_is() { [ "$(grange status s --json 2>/dev/null | grep -c "\"left\": $1,")" -eq 1 ]; }
explains() { grange explain s 0 2>&1 | grep -q "$1"; }

@test "a point that no worker can run waits, and explain and status say why" {
    farm -j 1 --label small
    start run "$GRANGE" run --quiet --study s --resource gpus=1 --require small 'echo {x}' ::: x=1,2
    run_pid=$pid
    poll_until 20 left_is 2
    poll_until 20 explains "no worker that is connected can run it: needs gpus=1, has none (worker"
    run grange status
    has "$output" "s: no worker that is connected can run its points: needs gpus=1, has none"
    start other "$GRANGE" worker -j 1 --label small --resource gpus=1
    finish "$run_pid"
    [ "$rc" -eq 0 ]
    left_is 0
}

@test "a run that nobody can go on with says why; top, workers and steering reach its scheduler, submit does not" {
    start run "$GRANGE" run -j 1 --study s --require big 'echo {x}' ::: x=1,2
    run_pid=$pid
    poll_until 20 grep -q "s waits: no worker that is connected can run its points, until one comes: needs label big (worker" run.err
    run -0 grange workers
    has "$output" "run-$run_pid"
    run -0 grange top
    has "$output" "s  "
    run -0 grange priority s 3
    run -0 grange workers --json
    run -3 grange submit true ::: x=1
    has "$output" "no farm is up in .grange, but a \`grange run\` (process $run_pid), which ends by itself; wait for it"
    start other "$GRANGE" worker -j 1 --label big
    finish "$run_pid"
    same 0 "$rc"
    same 1 "$(grep -c waits: run.err)"
}

@test "a restart command runs from the second attempt on; a warning is a success" {
    run grange run --study s --retries 2 --backoff 1ms..2ms --exit 3:warn --restart-command 'echo again {x}; exit 3' \
        'echo first {x}; exit 1' ::: x=1
    [ "$status" -eq 0 ]
    run grange log s 0
    has "$output" "again 1"
    run grange explain s 0
    has "$output" "exit 3, which is a warning"
    has "$output" "restarted  echo again 1; exit 3"
    has "$(results s)" "exit 3, which is a warning"
}

@test "successes with a warning are counted: summary, status, wait, results; also when nothing runs again" {
    run -0 --separate-stderr grange run --study s --exit 3:warn --json 'test {x} -gt 2 || exit 3' ::: x=1:4
    has "$output" '"done": 4'
    has "$output" '"warned": 2'
    run -0 grange run --study s --exit 3:warn 'test {x} -gt 2 || exit 3' ::: x=1:5
    has "$output" "5 done (2 with a warning)"
    run -0 grange status
    has "$output" "5 (2 with a warning)"
    run -0 grange status --json
    has "$output" '"warned": 2'
    run -0 grange results s --where "reason like '%warning'"
    has "$output" "exit 3, which is a warning"
    run -0 grange up -n 1 -j 1
    run -0 grange wait s
    has "$output" "5 done (2 with a warning)"
    run -0 grange wait s --json
    has "$output" '"warned": 2'
    run -0 grange down
}

ended_is() { [ "$(sqlite3 .grange/grange.db "select count(*) from ended")" = "$1" ]; }

@test "a restart command runs after a mere stop, too, also when a scheduler started in between" {
    run -0 grange up -n 1 -j 1
    run -0 grange submit --quiet --study s --restart-command 'echo again {x}' \
        'touch began; until [ -e go ]; do sleep 0.05; done; echo first {x}' ::: x=1 # a point
    poll_until 20 test -e began
    run -0 grange hold s --now
    poll_until 20 stopped_once
    scheduler=$(sed 's/ .*//' .grange/lock)
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    poll_until 20 grange release s
    poll_until 20 ended_is 1
    run -0 grange log s 0
    has "$output" "again 1"
    has_not "$output" "first"
    run -0 grange down
}

stopped_once() { [ "$(sqlite3 .grange/grange.db "select count(*) from attempt where reason = 5")" = 1 ]; }

@test "an exit code can set a point aside at once" {
    run grange run --study s --retries 5 --exit 4:quarantine 'exit 4' ::: x=1
    [ "$status" -eq 1 ]
    has "$output" "1 quarantined (workers were lost, or the exit code says so)"
    run grange status s --json
    has "$output" '"quarantined": 1'
    run grange explain s 0
    has "$output" "quarantined: exit 4"
    grange up
    run -1 grange wait s
    has "$output" "1 quarantined (workers were lost, or the exit code says so)"
    grange down
}

@test "words that make no sense are refused with what would be right" {
    run grange run --resource gpus=no true ::: x=1
    [ "$status" -eq 2 ]; has "$output" "NAME=NUMBER"
    run grange run --require 'a b' true ::: x=1
    [ "$status" -eq 2 ]; has "$output" "label 'a b'"
    run grange run --least soon true ::: x=1
    [ "$status" -eq 2 ]; has "$output" "is no duration"
    run grange run --backoff 5s true ::: x=1
    [ "$status" -eq 2 ]; has "$output" "MIN..MAX"
    run grange run --priority high true ::: x=1
    [ "$status" -eq 2 ]; has "$output" "whole number"
    run grange run --weight 1001 true ::: x=1
    [ "$status" -eq 2 ]
    run grange run --exit 3:wrn true ::: x=1
    [ "$status" -eq 2 ]; has "$output" "did you mean 3:warn?"
    run grange worker --label 'a b'
    [ "$status" -eq 2 ]; has "$output" "label 'a b'"
    run grange worker --resource gpus=0
    [ "$status" -eq 2 ]; has "$output" "NAME=NUMBER"
    run grange worker --memory much
    [ "$status" -eq 2 ]; has "$output" "is no amount"
    run grange worker --end-time yesterday
    [ "$status" -eq 2 ]; has "$output" "a time from now"
    run grange worker --end-time 2001-01-01T00:00
    [ "$status" -eq 2 ]; has "$output" "is over"
}

@test "the points that take longest go first" {
    run grange run -j 1 --study s --longest-first n 'echo {n} >>order' ::: n=3,10,7,1
    [ "$status" -eq 0 ]
    [ "$(tr '\n' ' ' <order)" = "10 7 3 1 " ]
    run grange run --longest-first m 'echo {n}' ::: n=1
    [ "$status" -eq 2 ]; has "$output" "there is no factor 'm'"
}

@test "a worker ends at its end time, and what it had to stop is done elsewhere" {
    start scheduler "$GRANGE" scheduler
    poll_until 20 test -S .grange/scheduler.sock
    start run "$GRANGE" run --quiet --study s 'if [ ! -e second ]; then touch first; sleep 1000; fi' ::: x=1 # a point
    run_pid=$pid
    for limit in 4s 20s 100s; do # until the point has begun within it
        start short "$GRANGE" worker -j 1 --name short --end-time "$limit"
        finish "$pid"
        [ "$rc" -eq 0 ]
        [ ! -e first ] || break
    done
    [ -e first ]
    touch second
    start other "$GRANGE" worker -j 1
    finish "$run_pid"
    [ "$rc" -eq 0 ]
    run grange explain s 0
    has "$output" "stopped, to be run again"
}

# hangs_once - a command of eight points, of which the last hangs, but not in its second attempt.
hangs_once() { echo 'if [ $1 = 8 ] && mkdir hung 2>/dev/null; then sleep 600; fi' >hangs.sh; } # a point

came_late() { grange explain "$1" 7 | grep -qF "came late: another attempt was current (costs no retry)"; }

@test "a backup of a straggler: the first result wins; as an option and in a study file" {
    hangs_once
    farm -j 1 --name one
    start two "$GRANGE" worker -j 1 --name two # a backup runs on another worker
    run -0 grange run --quiet --study s --speculate sh hangs.sh {x} ::: x=1:8
    poll_until 20 came_late s
    rmdir hung
    cat >t.yaml <<'EOF'
study: t
command: ["sh", "hangs.sh", "{x}"]
factors: {x: "1:8"}
task: {speculate: true}
EOF
    run -0 grange run --quiet t.yaml
    poll_until 20 came_late t
}

@test "a point that takes longer than a worker stays does not start there" {
    farm -j 1 --name short --end-time 10m
    start run "$GRANGE" run --quiet --study s --least 1h 'echo {x}' ::: x=1
    run_pid=$pid
    poll_until 20 explains "takes longer than until its end (worker short)"
    start long "$GRANGE" worker -j 1 --name long
    finish "$run_pid"
    [ "$rc" -eq 0 ]
    run grange explain s 0
    has "$output" "long"
}
