#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# A study is a set of points: what is done stays done.
load helper

setup_more() { counter; }
go() { grange run --quiet --study s "$@"; }

@test "the same command again runs nothing" {
    run -0 go sh counter.sh {n} ::: n=1,2,3
    run -0 grange run --study s sh counter.sh {n} ::: n=1,2,3
    same "$(printf '%s\n' 1 2 3)" "$(ran)"
    same 3 "$(results s | column state | grep -c done)"
}

@test "an added value runs only the new points" {
    run -0 go sh counter.sh {n} {m} ::: n=1,2 m=5
    rm ran
    run -0 go sh counter.sh {n} {m} ::: n=0,1,2,3 m=5
    same "$(printf '%s\n' '0 5' '3 5')" "$(ran)"
    same "0 1 2 3" "$(results s | column n | xargs)"
    same 4 "$(results s | column state | grep -c done)"
}

@test "reordered values and factors run nothing" {
    run -0 go sh counter.sh {n} {m} ::: n=1,2 m=5,6
    rm ran
    run -0 go sh counter.sh {n} {m} ::: m=6,5 n=2,1
    same "" "$(ran)"
    same 4 "$(results s | column state | grep -c done)"
    same "got 2 6" "$(grange log s n=2,m=6)"
}

@test "a value taken out is not shown, and comes back without running" {
    run -0 go sh counter.sh {n} ::: n=1,2,3
    rm ran
    run -0 go sh counter.sh {n} ::: n=1,3
    same "1 3" "$(results s | column n | xargs)"
    run -0 go sh counter.sh {n} ::: n=1,2,3
    same "1 2 3" "$(results s | column n | xargs)"
    same "" "$(ran)"
}

@test "spelling is identity: 0.10 is another point than 0.1" {
    run -0 go sh counter.sh {x} ::: x=0.1
    run -0 go sh counter.sh {x} ::: x=0.10
    same "$(printf '%s\n' 0.1 0.10)" "$(ran)"
}

@test "a changed command template makes new points and says so" {
    run -0 go sh counter.sh {n} ::: n=1,2
    run -0 grange run --study s sh counter.sh {n} extra ::: n=1,2
    has "$output" "command"
    same "$(printf '%s\n' 1 '1 extra' 2 '2 extra')" "$(ran)"
}

@test "a changed input file makes new points" {
    echo "deck {n}" >deck
    run -0 go --input deck cat deck ::: n=1,2
    same "deck 2" "$(grange log s n=2)"
    echo "other deck {n}" >deck
    run -0 go --input deck cat deck ::: n=1,2
    same "other deck 2" "$(grange log s n=2)"
}

@test "a new --code-version makes new points" {
    run -0 go --code-version 1 sh counter.sh {n} ::: n=1
    run -0 go --code-version 1 sh counter.sh {n} ::: n=1
    same 1 "$(ran)"
    run -0 go --code-version 2 sh counter.sh {n} ::: n=1
    same "$(printf '%s\n' 1 1)" "$(ran)"
}

@test "failed points are kept and shown, and run again on --retry-failed" {
    cat >flaky.sh <<'EOF'
echo "$1" >>ran
[ "$1" != 2 ] || [ -e repaired ]
EOF
    run -1 go sh flaky.sh {n} ::: n=1,2,3
    run -1 go sh flaky.sh {n} ::: n=1,2,3
    same "$(printf '%s\n' 1 2 3)" "$(ran)"
    touch repaired
    run -0 go --retry-failed sh flaky.sh {n} ::: n=1,2,3
    same "$(printf '%s\n' 1 2 2 3)" "$(ran)"
    same "done done done" "$(results s | column state | xargs)"
}

@test "grange retry and grange resume" {
    cat >flaky.sh <<'EOF'
echo "$1" >>ran
[ "$1" -lt 2 ] || [ -e repaired ]
EOF
    run -1 go sh flaky.sh {n} ::: n=1,2,3
    touch repaired
    run -1 grange retry s n=3
    same "$(printf '%s\n' 1 2 3 3)" "$(ran)"
    run -0 grange retry s --failed
    same "$(printf '%s\n' 1 2 2 3 3)" "$(ran)"
    run -0 grange resume s
    same "$(printf '%s\n' 1 2 2 3 3)" "$(ran)"
}

@test "a retry that finds nothing to run again says so" {
    run -0 go sh counter.sh {n} ::: n=1,2
    run -0 grange retry s --failed
    has "$output" "grange: nothing of s runs again: nothing had failed, was cancelled or given up"
    has "$output" "2 points: 2 done"
    run -0 grange retry s --quiet
    same "" "$output"
    run -0 grange cancel s
    same "grange: nothing of s was left to cancel" "$output"
    # Where a farm does it.
    run -0 grange up --quiet -n 0
    run -0 grange retry s --failed
    same "grange: nothing of s runs again: nothing had failed, was cancelled or given up" "$output"
    run -0 grange retry s --failed --json
    same '{"retried": 0}' "$output"
    run -0 grange submit --quiet --study t true {n} ::: n=1
    run -0 grange cancel s 1
    same "grange: nothing of s was left to cancel" "$output"
    run -0 grange retry t 0
    same "grange: nothing of t runs again: what was named has not ended, or is skipped" "$output"
    run -0 grange down --quiet
    same "$(printf '%s\n' 1 2)" "$(ran)"
}

@test "--fresh runs all again" {
    run -0 go sh counter.sh {n} ::: n=1,2
    run -0 go --fresh sh counter.sh {n} ::: n=1,2
    same "$(printf '%s\n' 1 1 2 2)" "$(ran)"
    same "1 2" "$(results s | column n | xargs)"
}

@test "more replicates run only the new ones" {
    run -0 go --reps 2 sh counter.sh {n} {rep} ::: n=1,2
    rm ran
    run -0 go --reps 3 sh counter.sh {n} {rep} ::: n=1,2
    same "$(printf '%s\n' '1 2' '2 2')" "$(ran)"
}

@test "a wider --where runs only the new points" {
    run -0 go --where 'n < 3' sh counter.sh {n} ::: n=1:5
    rm ran
    run -0 go --where 'n < 5' sh counter.sh {n} ::: n=1:5
    same "$(printf '%s\n' 3 4)" "$(ran)"
    same "1 2 3 4" "$(results s --where "state = 'done'" | column n | xargs)"
}

@test "two studies share a directory, and the view \"results\" is the last one's" {
    run -0 grange run --quiet --study one sh counter.sh {n} ::: n=1,2
    run -0 grange run --quiet --study two sh counter.sh {m} ::: m=3
    same "1 2" "$(results one | column n | xargs)"
    same "3" "$(results two | column m | xargs)"
    run -2 grange results
    has "$output" "one, two"
    same "3" "$(sql 'select m from results')"
    same "2" "$(sql 'select count(*) from results_one')"
}

@test "the study's name comes from the command" {
    run -0 grange run --quiet sh counter.sh {n} ::: n=1
    run -0 grange status
    has "$output" "sh"
}

@test "--dry-run says how many are done already, and stores nothing" {
    run -0 go --dry-run sh counter.sh {n} ::: n=1,2,3
    has "$output" "3"
    has "$output" "sh counter.sh 1"
    [ ! -e .grange ]
    run -0 go sh counter.sh {n} ::: n=1,2
    before=$(sql 'select count(*) from array')
    run -0 go --dry-run sh counter.sh {n} ::: n=1,2,3
    has "$output" "2"
    same "$before" "$(sql 'select count(*) from array')"
    same "$(printf '%s\n' 1 2)" "$(ran)"
}

@test "cancelled points stay to be seen" {
    waiter
    start run "$GRANGE" run --study s -j 1 sh waiter.sh {n} ::: n=1,2,3
    poll_until 20 lines_at_least started 1
    run -0 grange cancel s n=3
    touch go
    finish "$pid"
    same 1 "$rc"
    same "done done cancelled" "$(results s | column state | xargs)"
    # It never began, so nobody told its values; the study knows them.
    same "1 2 3" "$(results s | column n | xargs)"
    same "cancelled" "$(results s --where 'n > 2' | column state)"
    run -0 go --retry-failed sh waiter.sh {n} ::: n=1,2,3
    same "done done done" "$(results s | column state | xargs)"
}

@test "what earlier points took says which new ones go first; --no-shuffle keeps the order" {
    # shellcheck disable=SC2016 # expanded by the point
    echo 'echo $1 >>order; [ $1 -le 4 ] || sleep 0.15 # a point' >long.sh
    grange run --quiet --study s -j 1 sh long.sh {n} ::: n=1:8
    same "1 2 3 4 5 6 7 8" "$(xargs <order)"
    rm order
    grange run --quiet --study s -j 1 sh long.sh {n} ::: n=1:12
    same "12 11 10 9" "$(xargs <order)"
    rm order
    grange run --quiet --study s -j 1 --no-shuffle sh long.sh {n} ::: n=1:16
    same "13 14 15 16" "$(xargs <order)"
}
