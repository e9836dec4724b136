#!/usr/bin/env bats
# shellcheck disable=SC1083,SC2154
# shellcheck disable=SC2054
# What makes no noise: a scheduler that hangs, descriptors that are closed, points that can never run.
load helper

@test "a scheduler that hangs is killed and started again; running points go on, none runs twice" {
    waiter
    export GRANGE_PATIENCE_PERCENT=10
    start run "$GRANGE" run --study k -j 2 sh waiter.sh {n} ::: n=1:6
    run=$pid
    poll_until 20 lines_at_least started 2
    poll_until 20 part_of "$run" scheduler
    scheduler=$(part_of "$run" scheduler)
    poll_until 20 sql_is "select count(*) from running" 2
    kill -STOP "$scheduler"
    poll_until 60 other_part "$run" scheduler "$scheduler"
    gone "$scheduler"
    touch go
    finish "$run"
    same 0 "$rc"
    has "$(cat run.err)" "the scheduler does not answer any more"
    same "" "$(sort started | uniq -d)"
    same 6 "$(sql "select count(*) from results where state = 'done'")"
    same "" "$(sql 'select task from ended group by task having count(*) > 1')"
}

# asks PID - it has made its connection's threads, so it is past what it does before.
asks() { [ "$(ls "/proc/$1/task" 2>/dev/null | wc -l)" -gt 1 ]; }
stands() { grep -q '^State:.T' "/proc/$1/status"; }

@test "Ctrl-C while the scheduler does not answer: each verb ends at once, and says what it did" {
    start scheduler "$GRANGE" scheduler
    scheduler=$pid
    poll_until 20 grep -q event=start scheduler.err
    grange submit --quiet --study s true {n} ::: n=1:3
    # Signals are for the thread that asks, whatever the library has made besides.
    start watch "$GRANGE" workers --watch
    poll_until 20 test -s watch.out
    for task in /proc/"$pid"/task/*; do
        blocked=$(sed -nE 's/^SigBlk:[[:space:]]+//p' "$task/status")
        same "$((${task##*/} == pid ? 0 : 2))" "$((16#$blocked & 2))" # SIGINT
    done
    kill -INT "$pid"
    finish "$pid"
    same 0 "$rc"
    kill -STOP "$scheduler"
    poll_until 20 stands "$scheduler"
    for verb in "wait s" "top" "workers" "workers --watch" "call noop" "submit true {n} ::: n=1" "run true {n} ::: n=1" \
        "cancel s" "retry s" "hold s" "priority s 1" "drain w" "down"; do
        # shellcheck disable=SC2086
        start verb "$GRANGE" $verb
        poll_until 20 asks "$pid"
        kill -INT "$pid"
        finish "$pid"
        same "130 of $verb" "$rc of $verb"
        case $verb in
            wait*) said="; the points go on, and the same command may be given again" ;;
            top | workers*) said="" ;; # and nothing else was its task
            *) said="; nothing was done" ;;
        esac
        same "grange: interrupted$said" "$(grep interrupted verb.err)"
        same "" "$(cat verb.out)"
    done
    kill -CONT "$scheduler"
    run -0 grange cancel s
    has "$output" "3 points cancelled"
}

# in_request PID - it polls its connection alone, not also signals, keys and stdout.
in_request() { read -r _ _ n_fds _ <"/proc/$1/syscall" && [ "$n_fds" = 0x1 ]; }

@test "what goes on looking ends by Ctrl-C also while it waits for an answer" {
    start scheduler "$GRANGE" scheduler
    scheduler=$pid
    poll_until 20 grep -q event=start scheduler.err
    [ -r "/proc/$scheduler/syscall" ] || skip "what a process waits for cannot be seen here"
    for ((i = 0; i < 5; i++)); do # again where five seconds were over before the signal came
        start watch "$GRANGE" workers --watch
        poll_until 20 test -s watch.out
        kill -STOP "$scheduler"
        poll_until 20 in_request "$pid" || break
        kill -INT "$pid"
        finish "$pid"
        kill -CONT "$scheduler"
        [ "$rc" != 0 ] || break
    done
    same 0 "$rc"
    same "" "$(cat watch.err)"
}

three_done() {
    same 3 "$(sql "select count(*) from results where state = 'done'")"
    same "value 2" "$(grange log k n=2)"
    rm -rf .grange
}

@test "a run with stdin, stdout or stderr closed runs its points" {
    local line=(run --study k -j 2 echo 'value {n}' ::: n=1,2,3)
    "$GRANGE" "${line[@]}" <&- 2>err
    three_done
    "$GRANGE" "${line[@]}" </dev/null 2>&-
    three_done
    "$GRANGE" "${line[@]}" </dev/null >&- 2>err
    three_done
    "$GRANGE" "${line[@]}" <&- >&- 2>&-
    three_done
}

@test "points that need more memory than the machine has are refused" {
    have=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
    run -2 "$GRANGE" run --memory "$((have + 1024))M" echo {n} ::: n=1,2
    has "$output" "none could ever run"
    has "$output" "MiB of memory"
    "$GRANGE" run --dry-run --save study.yaml --memory 64M echo {n} ::: n=1,2
    sed -i "s/64M/$((have + 1024))M/" study.yaml
    grep -q "$((have + 1024))M" study.yaml
    run -2 "$GRANGE" run study.yaml
    has "$output" "none could ever run"
    [ ! -e .grange ]
}

@test "a scheduler killed while the study is halted: it stays halted" {
    cat >mixed.sh <<'EOF'
echo "$1" >>started
[ "$1" != 1 ] || exit 1
while [ ! -e go ]; do sleep 0.02; done # a point
EOF
    start run "$GRANGE" run --study k -j 2 --halt soon,fail=1 sh mixed.sh {n} ::: n=2,1,3,4,5,6
    run=$pid
    poll_until 20 sql_is "select count(*) from ended" 1
    poll_until 20 sql_is "select count(*) from running" 1
    poll_until 20 grep -q '1 failed' run.err # so the run has heard that it is halted
    scheduler=$(part_of "$run" scheduler)
    kill -9 "$scheduler"
    poll_until 20 other_part "$run" scheduler "$scheduler"
    touch go
    finish "$run"
    same 1 "$rc"
    has "$(cat run.err)" "halted by --halt"
    same "1 2" "$(sort -n started | xargs)"
}

@test "a scheduler killed before the study halts: what had failed counts" {
    cat >mixed.sh <<'EOF'
echo "$1" >>started
[ "$1" != 1 ] || exit 1
while [ ! -e go ]; do sleep 0.02; done # a point
[ "$1" != 2 ] || exit 1
while [ ! -e on ]; do sleep 0.02; done # a point
EOF
    start run "$GRANGE" run --study k -j 2 --no-shuffle --halt soon,fail=2 sh mixed.sh {n} ::: n=1:9
    run=$pid
    poll_until 20 lines_at_least started 3
    poll_until 20 sql_is "select count(*) from running" 2
    scheduler=$(part_of "$run" scheduler)
    kill -9 "$scheduler"
    poll_until 20 other_part "$run" scheduler "$scheduler"
    touch go
    poll_until 20 sql_is "select halted from study" 1
    touch on
    finish "$run"
    same 1 "$rc"
    has "$(cat run.err)" "halted by --halt"
}
