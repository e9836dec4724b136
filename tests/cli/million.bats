#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# A million points cost next to nothing until they run.
load helper

# peak FILE - the largest resident memory in KiB that time -v wrote.
peak() { sed -nE 's/.*Maximum resident set size \(kbytes\): ([0-9]+).*/\1/p' "$1"; }
# instructions COMMAND... - how many it takes, as callgrind counts them: the same on every machine.
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null </dev/null |
        sed -nE 's/^==[0-9]+== Collected : ([0-9]+).*/\1/p'
}

@test "--dry-run of a million points answers within 50 MiB" {
    command time -v -o t "$GRANGE" run true {x} ::: x=1:1000000 --dry-run >out </dev/null
    has "$(cat out)" "1,000,000"
    [ "$(peak t)" -lt 51200 ] || { cat t; return 1; }
}

@test "--dry-run costs no more for a million points than for a thousand" {
    thousand=$(instructions "$GRANGE" run true {x} ::: x=1:1000 --dry-run)
    million=$(instructions "$GRANGE" run true {x} ::: x=1:1000000 --dry-run)
    echo "$thousand $million"
    [ "$thousand" -gt 0 ]
    [ "$million" -lt $((thousand * 11 / 10)) ]
}

@test "a million points are submitted as one row, with under 40 MiB resident in scheduler and worker together" {
    waiter
    start run "$GRANGE" run --study big -j 2 sh waiter.sh {x} ::: x=1:1000000
    run=$pid
    poll_until 20 lines_at_least started 2
    scheduler=$(part_of "$run" scheduler)
    worker=$(part_of "$run" worker)
    same "1|1000000" "$(sql 'select count(*), sum(n) from array')"
    same 0 "$(sql 'select count(*) from ended')"
    # Proportional shares: what three processes map from one file counts once.
    sum=0
    for p in "$scheduler" "$worker" $(children "$worker" | while read -r c; do
        if [ "$(readlink "/proc/$c/exe")" = "$(readlink -f "$GRANGE")" ]; then echo "$c"; fi
    done); do
        rss=$(sed -nE 's/^VmRSS:[[:space:]]+([0-9]+).*/\1/p' "/proc/$p/status")
        sum=$((sum + rss))
    done
    echo "$sum KiB resident"
    [ "$sum" -lt 40960 ]
    [ "$(du -sk .grange | cut -f1)" -lt 4096 ]
    kill -INT "$run"
    kill -INT "$run"
    finish "$run"
    same 130 "$rc"
}

@test "of a million points of which 999,000 are done the last thousand run" {
    run -0 grange run --quiet --study big -j 2 --function noop ::: x=1:1000000
    same 1000000 "$(sql 'select count(*) from ended')"
    # As if it had been stopped before the last thousand were recorded.
    sqlite3 .grange/grange.db 'delete from ended where n > 999000'
    run -0 grange run --quiet --study big -j 2 --function noop ::: x=1:1000000
    same 1000000 "$(sql 'select count(*) from ended')"
}

@test "a sweep that grows to a million, of which 999,000 are done: the last thousand run" {
    run -0 grange run --quiet --study big -j 2 --where 'x <= 999000' --function noop ::: x=1:1000000
    same 999000 "$(sql 'select count(*) from ended')"
    command time -v -o t "$GRANGE" run --quiet --study big -j 2 --function noop ::: x=1:1000000 </dev/null
    # Only the last thousand ran: the others are theirs from before.
    same 1000000 "$(sql 'select count(*) from ended')"
    same 1000 "$(sql 'select count(*) from ended where task > 1000000')"
    same 999000 "$(sql 'select count(*) from adopted')"
    [ "$(peak t)" -lt 262144 ] || { cat t; return 1; }
    # And with nothing left to do.
    run -0 grange run --quiet --study big -j 2 --function noop ::: x=1:1000000
    same 1000000 "$(sql 'select count(*) from ended')"
}

@test "above 1,000 points the order is shuffled, so that partial results are representative" {
    counter
    run -0 grange run --quiet --study s -j 1 sh counter.sh {x} ::: x=1:1200
    same "$(seq 1200)" "$(ran)"
    run ! cmp -s ran <(seq 1200)
    rm ran
    run -0 grange run --quiet --study t -j 1 --no-shuffle sh counter.sh {x} ::: x=1:1200
    cmp ran <(seq 1200)
    run -0 grange run --quiet --study u -j 1 sh counter.sh {x} ::: x=1:1000
    cmp <(tail -n 1000 ran) <(seq 1000)
}
