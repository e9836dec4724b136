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
