#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# Timeouts, retries, what exit codes mean, halting, interrupting.
load helper

@test "--timeout: TERM, a grace, KILL, to the whole group" {
    cat >stubborn.sh <<'EOF'
trap '' TERM
sh -c 'trap "" TERM; echo $$ >>pids; while :; do sleep 1; done' & # a point
echo $$ >>pids
while :; do sleep 1; done # a point
EOF
    for limit in "${limits[@]}"; do
        : >pids
        run -1 grange run --quiet --fresh --study t --timeout "$limit" sh stubborn.sh {n} ::: n=1
        [ "$(wc -l <pids)" != 2 ] || break
    done
    has "$(grange results t)" "timed out"
    mapfile -t pids <pids
    same 2 "${#pids[@]}"
    gone "${pids[@]}"
}

@test "--timeout: a point that obeys TERM can tidy up" {
    cat >tidy.sh <<'EOF'
trap 'echo tidied; exit 0' TERM
echo begun
while :; do sleep 0.05; done # a point
EOF
    for limit in "${limits[@]}"; do
        run -1 grange run --quiet --fresh --study t --timeout "$limit" sh tidy.sh {n} ::: n=1
        [ -z "$(grange log t 0)" ] || break
    done
    same "$(printf '%s\n' begun tidied)" "$(grange log t 0)"
    same "failed" "$(results t | column state)"
}

@test "--timeout 300%: of the median, once enough points have finished" {
    cat >some.sh <<'EOF'
[ "$1" != 12 ] || exec sleep 1000 # a point
exec sleep 0.1 # a point
EOF
    for limit in 300% 3000% 30000%; do
        run -1 grange run --quiet --fresh --study t --no-shuffle --timeout "$limit" sh some.sh {n} ::: n=1:14
        [ "$(failed)" != 12 ] || break
    done
    same 12 "$(failed)"
    has "$(grange results t --where "state = 'failed'")" "timed out"
}

@test "--timeout 300%: also for a point that began before the median was known" {
    cat >some.sh <<'EOF'
[ "$1" != 1 ] || exec sleep 1000 # a point
exec sleep 0.1 # a point
EOF
    for limit in 300% 3000% 30000%; do
        run -1 grange run --quiet --fresh --study t -j 2 --no-shuffle --timeout "$limit" sh some.sh {n} ::: n=1:14
        [ "$(failed)" != 1 ] || break
    done
    same 1 "$(failed)"
}

failed() { results t --where "state = 'failed'" | column n | xargs; }

@test "--retries: again until it succeeds, and the attempts are told" {
    cat >third.sh <<'EOF'
echo "$1" >>tries
[ "$(wc -l <tries)" -ge 3 ] || { echo "not yet" >&2; exit 1; }
echo fine
EOF
    run -0 grange run --quiet --study r --retries 5 sh third.sh {n} ::: n=1
    same 3 "$(wc -l <tries)"
    same 3 "$(sql 'select attempts from results')"
    run -0 grange explain r 0
    has "$output" "not yet"
}

@test "--retries: no more than were asked for" {
    run -1 grange run --quiet --study r --retries 2 'echo {n} >>tries; false' ::: n=1
    same 3 "$(wc -l <tries)"
}

@test "exit codes: retry, fail for good, succeeded" {
    cat >codes.sh <<'EOF'
echo "$1" >>tries
exit "$1"
EOF
    run -1 grange run --quiet --study e --retries 1 --exit 75:retry,77:fail,3:ok sh codes.sh {c} ::: c=0,3,77,1
    same "$(printf '%s\n' 0 1 1 3 77)" "$(sort -n tries)"
    same "done done failed failed" "$(results e | column state | xargs)"
}

@test "exit codes: retry without --retries tries a few times" {
    cat >busy.sh <<'EOF'
echo "$1" >>tries
[ "$(wc -l <tries)" -ge 3 ] || exit 75
EOF
    run -0 grange run --quiet --study e --exit 75:retry sh busy.sh {c} ::: c=1
    same 3 "$(wc -l <tries)"
}

@test "a failing point never stops the others" {
    run -1 grange run --quiet --study f 'echo {n} >>ran; [ $(({n} % 3)) != 0 ]' ::: n=1:30
    same 30 "$(wc -l <ran)"
    same 10 "$(sql "select count(*) from results where state = 'failed'")"
}

@test "--halt now,fail=1: running points are stopped, and stay to be done" {
    waiter
    cat >halt.sh <<'EOF'
[ "$1" = 2 ] || exec sh waiter.sh "$1"
while [ ! -s started ]; do sleep 0.02; done # a point
exit 1
EOF
    run -1 grange run --study h -j 2 --no-shuffle --halt now,fail=1 sh halt.sh {n} ::: n=1:10
    has "$output" "halt"
    same "1" "$(cat started)"
    same 1 "$(sql 'select count(*) from ended')"
    touch go
    run -1 grange run --quiet --study h -j 2 sh halt.sh {n} ::: n=1:10
    same 9 "$(sql "select count(*) from results where state = 'done'")"
}

@test "--halt soon,fail=1: running points may finish" {
    cat >halt.sh <<'EOF'
echo "$1" >>started
if [ "$1" = 1 ]; then
    while [ "$(wc -l <started)" -lt 2 ]; do sleep 0.02; done # a point
    echo $$ >new
    mv new failing
    exit 1
fi
while [ ! -e failing ]; do sleep 0.02; done # a point
# The worker sees the end of the other one before ours:
while kill -0 "$(cat failing)" 2>/dev/null; do sleep 0.02; done # a point
EOF
    run -1 grange run --quiet --study h -j 2 --no-shuffle --halt soon,fail=1 sh halt.sh {n} ::: n=1:10
    same "1 2" "$(sort -n started | xargs)"
    same 1 "$(sql 'select count(*) from ended where state = 3')"
}

@test "--halt soon,fail=20%: when enough have ended to tell" {
    run -1 grange run --quiet --study h -j 1 --no-shuffle --halt soon,fail=20% 'echo {n} >>ran; [ $(({n} % 2)) = 0 ]' ::: n=1:500
    [ "$(wc -l <ran)" -ge 20 ]
    [ "$(wc -l <ran)" -lt 500 ]
}

@test "Ctrl-C once: nothing new starts, running points finish, and it says how to resume" {
    waiter
    start run "$GRANGE" run --study c -j 2 sh waiter.sh {n} ::: n=1:20
    run=$pid
    poll_until 20 lines_at_least started 2
    kill -INT "$run"
    poll_until 20 grep -qi "stopping\|finish" run.err run.out
    touch go
    finish "$run"
    same 130 "$rc"
    [ "$(wc -l <started)" -lt 20 ]
    has "$(cat run.err run.out)" "grange resume c"
    ended=$(sql 'select count(*) from ended where state = 3')
    same "$(wc -l <started)" "$ended"
    run -0 grange resume c
    same 20 "$(sort started | uniq | wc -l)"
    same 20 "$(wc -l <started)"
}

@test "Ctrl-C once: points that do not finish are stopped after a grace" {
    start run "$GRANGE" run --study c -j 2 'echo $$ >>pids; exec sleep 1000; true {n}' ::: n=1:4 # a point
    run=$pid
    poll_until 20 lines_at_least pids 2
    kill -INT "$run"
    finish "$run"
    same 130 "$rc"
    mapfile -t pids <pids
    gone "${pids[@]}"
    same 2 "${#pids[@]}"
    same 0 "$(sql 'select count(*) from ended')"
}

@test "Ctrl-C twice: at once" {
    start run "$GRANGE" run --study c -j 2 'trap "" TERM; echo $$ >>pids; while :; do sleep 1; done; true {n}' ::: n=1:4 # a point
    run=$pid
    poll_until 20 lines_at_least pids 2
    kill -INT "$run"
    poll_until 20 grep -qi "stopping\|finish" run.err run.out
    kill -INT "$run"
    poll_until 3 gone "$run"
    finish "$run"
    same 130 "$rc"
    mapfile -t pids <pids
    poll_until 2 gone "${pids[@]}"
    has "$(cat run.err run.out)" "grange resume c"
}

scheduler_is_ready() { grep -qs event=start .grange/scheduler.log; }

@test "Ctrl-C while the points are being stored: none has run, and it does not say that nothing was done" {
    # A table that the scheduler is busy with for a while; on another machine a longer one. Again where the
    # signal came before the run had sent it, or when it was stored.
    for lines in 300000 300000 300000 3000000 3000000; do
        rm -rf .grange ran
        { echo x,y && seq "$lines" | sed 's/$/,abcdefgh/'; } >points.csv
        start run "$GRANGE" run --study s -j 1 sh -c 'echo {x} >>ran' ::: @points.csv
        poll_until 60 scheduler_is_ready
        kill -INT "$pid"
        finish "$pid"
        grep -qE "no new points start|nothing was done" run.err || break
    done
    same 130 "$rc"
    has "$(cat run.err)" "no point has run"
    has "$(cat run.err)" "the same command goes on"
    [ ! -e ran ]
}

@test "SIGTERM to the run is the same as Ctrl-C" {
    waiter
    start run "$GRANGE" run --study c -j 2 sh waiter.sh {n} ::: n=1:4
    run=$pid
    poll_until 20 lines_at_least started 2
    kill -TERM "$run"
    poll_until 20 grep -qi "stopping\|finish" run.err run.out
    touch go
    finish "$run"
    same 130 "$rc"
    run -0 grange resume c
    same 4 "$(wc -l <started)"
}

@test "the run survives the end of its terminal's reader" {
    run -0 bash -c '"$GRANGE" run --study p "true {n}" ::: n=1:300 </dev/null 2>&1 | head -n 1; exit 0'
    run -0 grange run --quiet --study p 'true {n}' ::: n=1:300
    same 300 "$(sql "select count(*) from results where state = 'done'")"
}

@test "-j N runs at most N at a time" {
    cat >many.sh <<'EOF'
echo >"alive.$1"
ls alive.* | wc -l >>counts
while [ ! -e go ] && [ "$(ls alive.* | wc -l)" -lt 3 ]; do [ "$(wc -l <counts)" -lt 4 ] && sleep 0.02 || break; done # a point
sleep 0.05 # a point
rm "alive.$1"
EOF
    run -0 grange run --quiet --study j -j 3 sh many.sh {n} ::: n=1:30
    same 3 "$(sort -n counts | tail -n 1)"
}

@test "--cores: a wide point takes its slots" {
    cat >wide.sh <<'EOF'
mkdir alone || { echo "not alone" >&2; exit 1; }
sleep 0.05 # a point
rmdir alone
EOF
    run -0 grange run --quiet --study w -j 2 --cores 2 sh wide.sh {n} ::: n=1:6
    run -2 grange run --quiet --study w -j 2 --cores 3 sh wide.sh {n} ::: n=1:6
    has "$output" "cores"
}

@test "--memory: a point that takes more fails alone" {
    cat >eat.sh <<'EOF'
v=$(head -c "$1" /dev/zero | tr '\0' x)
echo ${#v}
EOF
    run -1 grange run --quiet --study m --memory 64M sh eat.sh {n} ::: n=1000000,300000000
    same "done failed" "$(results m | column state | xargs)"
}
