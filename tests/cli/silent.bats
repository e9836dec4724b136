#!/usr/bin/env bats
# shellcheck disable=SC1083,SC2154
# What makes no noise: a scheduler that hangs, descriptors that are closed, points that can never run.
load helper

@test "a scheduler that hangs is killed and started again; running points go on, none runs twice" {
    waiter
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
