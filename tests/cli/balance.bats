#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# Durations 1000 times apart leave no core idle while points wait.
load helper

# idle - the longest time, in ms, during which fewer than two points ran although one that had not
# started yet was waiting: from what was recorded, not from how long it all took.
idle() {
    sql "select started_ms, ended_ms from ended order by started_ms" | awk -F'|' '
        { n++; start[n] = $1; end[n] = $2; at[++m] = $2 }
        END {
            last = start[n] # after this nothing waits
            for (i = 1; i <= m; i++) {
                if (at[i] >= last) continue
                # A slot became free at at[i]: when did the next point start?
                next_start = -1
                for (j = 1; j <= n; j++)
                    if (start[j] >= at[i] && (next_start < 0 || start[j] < next_start)) next_start = start[j]
                if (next_start >= 0 && next_start - at[i] > worst) worst = next_start - at[i]
            }
            print worst + 0
        }'
}

@test "long points among short ones: a free core gets the next point at once" {
    cat >unequal.sh <<'EOF'
[ $(($1 % 10)) != 0 ] || exec sleep 1.5 # a point
exec sleep 0.0015 # a point
EOF
    run -0 grange run --quiet --study b -j 2 --no-shuffle sh unequal.sh {n} ::: n=1:60
    same 60 "$(sql 'select count(*) from ended')"
    worst=$(idle)
    echo "$worst ms"
    [ "$worst" -lt 250 ]
}

@test "after many short points a long one does not hold back those prefetched behind it" {
    cat >late.sh <<'EOF'
[ "$1" != 200 ] || exec sleep 3 # a point
[ "$1" -lt 200 ] || exec sleep 0.2 # a point
EOF
    run -0 grange run --quiet --study b -j 2 --no-shuffle sh late.sh {n} ::: n=1:208
    # While the long one ran, the other core did all that came after it.
    same 8 "$(sql "select count(*) from ended e, (select started_ms s, ended_ms t from ended order by wall_us desc limit 1) l
                   where e.started_ms >= l.s and e.ended_ms <= l.t and e.wall_us between 150000 and 2000000")"
}

@test "points that are asked for last do not wait for a whole batch" {
    # Two slots, four points of 0.7 s: one slot may not be given three of them.
    run -0 grange run --quiet --study b -j 2 sh -c 'exec sleep 0.7; {n}' ::: n=1:4 # grange
    same 4 "$(sql 'select count(*) from ended')"
    [ "$(sql 'select max(ended_ms) - min(started_ms) from ended')" -lt 2000 ]
}
