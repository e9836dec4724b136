#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# kill -9 of every part, with real points: nothing that was recorded is lost or recorded twice, and
# no process of a point outlives its worker.
load helper

setup_more() { waiter; }

# go - a run in the background whose points wait for the file "go"; sets run, scheduler, worker.
go() {
    start run "$GRANGE" run --study k -j 2 "$@"
    run=$pid
    poll_until 20 lines_at_least started 2
    poll_until 20 part_of "$run" scheduler
    poll_until 20 part_of "$run" worker
    scheduler=$(part_of "$run" scheduler)
    worker=$(part_of "$run" worker)
}

# kill_all RUN - everything at once: stopped first, so that none sees another one die.
kill_all() {
    local all
    kill -STOP "$1"
    mapfile -t all < <(descendants "$1")
    kill -STOP "${all[@]}" 2>/dev/null || true # quick points may have ended
    mapfile -t all < <(descendants "$1")
    kill -9 "$1" "${all[@]}" 2>/dev/null || true
    poll_until 10 gone "$1" "${all[@]}"
}

started_twice() { sort started | uniq -d | sort -n | xargs; }
all_done() { same "$1" "$(sql "select count(*) from results where state = 'done'")"; }
recorded_once() { same "" "$(sql 'select task from ended group by task having count(*) > 1')"; }

@test "scheduler killed: running points go on, are adopted, and none runs again" {
    go sh waiter.sh {n} ::: n=1:6
    kill -9 "$scheduler"
    poll_until 20 other_part "$run" scheduler "$scheduler"
    touch go
    finish "$run"
    same 0 "$rc"
    same "" "$(started_twice)"
    all_done 6
    recorded_once
    same "value 1" "$(grange log k n=1)"
}

@test "scheduler killed while its points end: what they printed arrives" {
    go sh waiter.sh {n} ::: n=1:6
    kill -STOP "$scheduler"
    touch go
    # shellcheck disable=SC2046
    poll_until 20 gone $(descendants "$worker" | while read -r p; do
        if [ "$(tr '\0' ' ' <"/proc/$p/cmdline")" = "sh waiter.sh 1 " ]; then echo "$p"; fi
    done)
    kill -9 "$scheduler" || true # the run may have done it: it did not answer
    finish "$run"
    same 0 "$rc"
    same "" "$(started_twice)"
    all_done 6
    recorded_once
}

@test "scheduler killed while the study is on hold: the run that starts it again does not undo that" {
    go sh waiter.sh {n} ::: n=1:40
    run -0 grange hold k
    kill -9 "$scheduler"
    poll_until 20 other_part "$run" scheduler "$scheduler"
    touch go
    finish "$run"
    same 1 "$rc"
    has "$(cat run.err)" "held by another command"
    [ "$(sql "select count(*) from results where state = 'done'")" -lt 40 ]
    run -0 grange run --quiet --study k sh waiter.sh {n} ::: n=1:40
    all_done 40
}

@test "scheduler killed again and again" {
    start run "$GRANGE" run --quiet --study k -j 2 'echo {n} >>started; echo value {n}' ::: n=1:400
    run=$pid
    for enough in 20 80 150 220 300; do
        poll_until 30 lines_at_least started "$enough"
        p=$(part_of "$run" scheduler) && { kill -9 "$p" || true; }
    done
    finish "$run"
    same 0 "$rc"
    all_done 400
    recorded_once
    same "value 400" "$(grange log k n=400)"
}

# grandchildren - points that leave children in sessions of their own, and ignore what can be ignored.
grandchildren() {
    cat >family.sh <<'EOF'
trap '' TERM HUP INT
sleep 1000 & # a point
echo $! >>family
setsid sh -c 'echo $$ >>family; trap "" TERM; setsid sleep 1000 & echo $! >>family; exec sleep 1000' & # a point
setsid -f sh -c 'echo $$ >>family; exec sleep 1000' # a point
echo $$ >>family
echo "$1" >>started
while [ ! -e go ]; do sleep 0.02; done # a point
exit 0
EOF
}

@test "worker killed: every process of its points is gone at once, and they run again at no cost" {
    grandchildren
    go --retries 0 sh family.sh {n} ::: n=1,2
    poll_until 10 lines_at_least family 10
    mapfile -t family <family
    for p in "${family[@]}"; do kill -0 "$p"; done
    kill -9 "$worker"
    poll_until 1 gone "${family[@]}"
    poll_until 20 lines_at_least started 4
    mapfile -t family <family
    touch go
    finish "$run"
    same 0 "$rc"
    poll_until 1 gone "${family[@]}"
    same "1 2" "$(started_twice)"
    all_done 2
    recorded_once
    same "1 1" "$(sql 'select attempts from results' | xargs)"
}

@test "the process below the supervisor killed: the same" {
    grandchildren
    go --retries 0 sh family.sh {n} ::: n=1,2
    poll_until 10 lines_at_least family 10
    mapfile -t family <family
    kill -9 "$(children "$worker" | head -n 1)"
    poll_until 1 gone "${family[@]}"
    poll_until 20 lines_at_least started 4
    mapfile -t family <family
    touch go
    finish "$run"
    same 0 "$rc"
    poll_until 1 gone "${family[@]}"
    all_done 2
    recorded_once
}

@test "the run killed: scheduler, worker and points end within seconds; the same command resumes" {
    grandchildren
    start first "$GRANGE" run --quiet --study k -j 2 'echo {n} >>quick; echo value {n}' ::: n=1,2,3
    finish "$pid"
    go sh family.sh {n} ::: n=1,2
    poll_until 10 lines_at_least family 10
    mapfile -t parts < <(descendants "$run")
    mapfile -t family <family
    kill -9 "$run"
    poll_until 10 gone "${parts[@]}" "${family[@]}"
    touch go
    run -0 "$GRANGE" run --quiet --study k -j 2 sh family.sh {n} ::: n=1,2
    all_done 2
    recorded_once
}

@test "status: a study whose run was killed is stopped, also while nobody has noticed and while another one runs" {
    waiter
    # A parent that does not wait for it.
    start parent sh -c '"$GRANGE" run --quiet --study a -j 1 sh waiter.sh {n} ::: n=1:3 & exec tail -f /dev/null'
    poll_until 20 lines_at_least started 1
    run_a=$(children "$pid")
    scheduler=$(part_of "$run_a" scheduler)
    run -0 grange status a
    has "$output" running
    kill -STOP "$scheduler" # so it holds the directory still
    kill -9 "$run_a"
    poll_until 20 gone "$run_a"
    run -0 grange status a
    has "$output" stopped
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    rm started
    start b "$GRANGE" run --quiet --study b -j 1 sh waiter.sh {n} ::: n=1:3
    poll_until 20 lines_at_least started 1
    same 1 "$(sql "select active from study where name = 'a'")" # as it was left
    same stopped "$(grange status a --json | jq -r '.[].state')"
    same running "$(grange status b --json | jq -r '.[].state')"
    touch go
    finish "$pid"
    same 0 "$rc"
}

@test "everything killed at once: what was recorded stays, the same command runs the rest" {
    cat >mixed.sh <<'EOF'
echo "$1" >>started
[ "$1" -le 20 ] || while [ ! -e go ]; do sleep 0.02; done # a point
echo "value $1"
EOF
    start run "$GRANGE" run --study k -j 2 sh mixed.sh {n} ::: n=1:30
    run=$pid
    poll_until 30 done_at_least 20
    poll_until 30 lines_at_least started 22
    kill_all "$run"
    same 20 "$(sql 'select count(*) from ended')"
    touch go
    run -0 "$GRANGE" run --quiet --study k -j 2 sh mixed.sh {n} ::: n=1:30
    same "21 22" "$(started_twice)"
    all_done 30
    recorded_once
    same "value 7" "$(grange log k n=7)"
    same "value 30" "$(grange log k n=30)"
}

@test "everything killed again and again: every point is recorded once, none that was recorded runs again" {
    local enough round=0
    for enough in 30 90 160 230; do
        round=$((round + 1))
        start run$round "$GRANGE" run --quiet --study k -j 2 'echo {n} >>started; echo value {n}' ::: n=1:300
        poll_until 30 lines_at_least started "$enough"
        kill_all "$pid"
        sql 'select vals from ended' | sort >"recorded$round"
        wc -l <started >"lines$round"
    done
    run -0 "$GRANGE" run --quiet --study k -j 2 'echo {n} >>started; echo value {n}' ::: n=1:300
    all_done 300
    recorded_once
    for round in 1 2 3 4; do
        tail -n "+$(($(cat lines$round) + 1))" started | sed 's/.*/["&"]/' | sort >later
        same "" "$(comm -12 later "recorded$round")"
    done
}

@test "a scheduler that cannot come back is said, not tried for ever" {
    go sh waiter.sh {n} ::: n=1,2
    kill -STOP "$scheduler" # so that it does not notice
    dd if=/dev/zero of=.grange/grange.db bs=1 count=4096 conv=notrunc status=none
    rm -f .grange/grange.db-wal .grange/grange.db-shm
    kill -9 "$scheduler"
    finish "$run"
    same 3 "$rc"
    has "$(cat run.err)" "damaged"
}

@test "two runs in one directory at once: the second joins or is refused, and nothing is harmed" {
    go sh waiter.sh {n} ::: n=1:4
    start second "$GRANGE" run --study k -j 2 sh waiter.sh {n} ::: n=1:4
    second=$pid
    poll_until 20 eval 'gone "$second" || [ -s second.err ] || [ -s second.out ]'
    touch go
    finish "$run"
    same 0 "$rc"
    finish "$second"
    if [ "$rc" != 0 ]; then
        same 3 "$rc"
        has "$(cat second.err)" "$run"
    fi
    same "" "$(started_twice)"
    all_done 4
    recorded_once
}

@test "twenty runs in one directory at once" {
    pids=()
    for i in $(seq 20); do
        start "run$i" "$GRANGE" run --quiet --study "k$i" 'echo {n} >>started; echo value {n}' ::: n="$i"
        pids+=("$pid")
    done
    good=0
    for p in "${pids[@]}"; do
        finish "$p"
        case $rc in 0) good=$((good + 1)) ;; 3) ;; *) echo "ended with $rc"; return 1 ;; esac
    done
    [ "$good" -ge 1 ]
    same "$good" "$(sql 'select count(*) from ended')"
    same "$good" "$(wc -l <started)"
    same ok "$(sql 'pragma integrity_check')"
}
