#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# What points print is kept, byte for byte, and harms nobody however much it is.
load helper

@test "stdout and stderr are kept apart" {
    # shellcheck disable=SC2016
    run -0 grange run --quiet --study o 'echo out {n}; echo err {n} >&2' ::: n=1,2
    same "out 2" "$(grange log o n=2)"
    same "err 2" "$(grange log o n=2 --stderr)"
}

@test "binary output is kept byte for byte" {
    # Every byte value, and what hardly packs.
    awk 'BEGIN { for (i = 0; i < 256; i++) printf "\\%03o", i }' >octal
    # shellcheck disable=SC2059
    printf "$(cat octal)" >all
    same 256 "$(wc -c <all)"
    head -c 300000 /dev/urandom >noise
    run -0 grange run --quiet --study o cat {f} ::: f=all,noise
    grange log o f=all | cmp - all
    grange log o f=noise | cmp - noise
    : >empty
    run -0 grange run --quiet --study e cat {f} ::: f=empty
    grange log e 0 | cmp - empty
}

@test "more than 1 MiB goes to a file, and it says so" {
    head -c 3000000 /dev/urandom >noise
    run -0 grange run --quiet --study o 'cat noise; cat noise >&2; true {n}' ::: n=1
    grange log o 0 | cmp - noise
    grange log o 0 --stderr | cmp - noise
    run -0 grange explain o 0
    has "$output" ".grange/output/"
    same 3000000 "$(stat -c %s .grange/output/*/*.stdout)"
    same 1 "$(sql 'select count(*) from output where out_file is not null')"
    [ "$(stat -c %s .grange/grange.db)" -lt 4000000 ]
}

@test "exactly 1 MiB stays in the store" {
    head -c 1048576 /dev/urandom >noise
    run -0 grange run --quiet --study o cat {f} ::: f=noise
    grange log o 0 | cmp - noise
    same 0 "$(sql 'select count(*) from output where out_file is not null')"
}

@test "a point that prints gigabytes harms nobody" {
    start run "$GRANGE" run --quiet --study o -j 2 'head -c {bytes} /dev/zero; echo last >&2' ::: bytes=700000000,10,20
    run_pid=$pid
    most=0
    until gone "$run_pid"; do
        for p in $(descendants "$run_pid"); do
            rss=$(sed -nE 's/^VmRSS:[[:space:]]+([0-9]+).*/\1/p' "/proc/$p/status" 2>/dev/null) || true
            [ "${rss:-0}" -le "$most" ] || most=$rss
        done
        nap
    done
    finish "$run_pid"
    same 0 "$rc"
    [ "$most" -lt 102400 ] || { echo "needed $most KiB"; return 1; }
    same "700000000" "$(sql 'select max(out_total) from ended')"
    [ "$(du -sk .grange | cut -f1)" -lt 300000 ]
    same 10 "$(grange log o bytes=10 | wc -c)"
    run -0 grange explain o 0
    has "$output" "700"
}

@test "a point that closes its output or leaves a child with it open is not waited for" {
    waiter
    cat >leave.sh <<'EOF'
exec 3>&1
( while [ ! -e go ]; do sleep 0.02; done; echo late >&3 ) & # a point
echo "early $1"
EOF
    run -0 grange run --quiet --study o sh leave.sh {n} ::: n=1
    same "early 1" "$(grange log o 0)"
    run -0 grange run --quiet --study c 'exec >&- 2>&-; test {n}' ::: n=1
}

@test "stdin of a point is empty" {
    run -0 grange run --quiet --study o 'wc -c; true {n}' ::: n=1
    same 0 "$(grange log o 0 | xargs)"
}

@test "{out} is a directory of the point, kept when the point has ended" {
    # shellcheck disable=SC2016
    run -1 grange run --quiet --study o 'echo {n} >{out}/value; [ {n} != 2 ]' ::: n=1,2
    same "1" "$(cat .grange/points/o/n=1*/value)"
    same "2" "$(cat .grange/points/o/n=2*/value)"
    [ -z "$(ls .grange/attempts 2>/dev/null)" ]
}

@test "no files are made for points that need none" {
    run -0 grange run --quiet --study o true {n} ::: n=1:20
    same "" "$(find .grange/points .grange/attempts .grange/output -mindepth 1 2>/dev/null)"
}

@test "the last line without a newline is kept" {
    run -0 grange run --quiet --study o printf %s {v} ::: v=abc
    printf abc | cmp - <(grange log o 0)
}

# streams - how many files of long streams there are.
streams() { find .grange/output -type f 2>/dev/null | wc -l; }

@test "the long output of an attempt that was retried goes with it" {
    cat >long.sh <<'EOF'
head -c 2000000 /dev/zero; head -c 2000000 /dev/zero >&2
echo >>tries
[ "$(wc -l <tries)" -ge 3 ] || exit 1
EOF
    run -0 grange run --quiet --study o --retries 2 --backoff 1ms..2ms sh long.sh {n} ::: n=1
    same 3 "$(wc -l <tries)"
    same 2 "$(streams)" # stdout and stderr of the last one
    run -0 grange retry o 0 --quiet
    same 4 "$(wc -l <tries)"
    same 2 "$(streams)"
    same 2000000 "$(grange log o 0 | wc -c)"
}

@test "a replacement of a directory that was cut off is tidied up at the next start" {
    # shellcheck disable=SC2016
    run -0 grange run --quiet --study o 'echo {n} >{out}/value' ::: n=1,2
    lease() { sqlite3 .grange/grange.db "select lease from ended where task = $1"; }
    mkdir -p .grange/attempts
    mkdir ".grange/attempts/$(lease 1).old" # what the new one has replaced
    mv .grange/points/o/n=2* ".grange/attempts/$(lease 2).old" # what the new one was to replace
    run -0 grange run --quiet --study p true {n} ::: n=1
    same "" "$(ls .grange/attempts)"
    same "1" "$(cat .grange/points/o/n=1*/value)"
    same "2" "$(cat .grange/points/o/n=2*/value)"
}

# far_worker [OPTION...] - one that has worker.json alone, in the directory `there`; it has TMPDIR and its state there too.
far_worker() {
    mkdir -p there
    cp .grange/worker.json there/
    (cd there && exec env TMPDIR="$PWD" XDG_STATE_HOME="$PWD/state" "$GRANGE" worker --connect worker.json -j 2 --name far \
        --log "$OLDPWD/worker.log" "$@" 2>"$OLDPWD/worker.err" 3>&-) &
    worker_pid=$!
    started+=("$worker_pid")
    poll_until 20 grep -q event=welcome worker.log
}

left_there() { find there -mindepth 1 ! -name worker.json ! -path there/state ! -path there/state/grange ! -name kept; }

@test "what a worker without the farm's directory printed at length is in the farm once it has left" {
    head -c 5000000 /dev/urandom >noise
    grange up -n 0 --listen tls+tcp://127.0.0.1:0
    far_worker
    run -0 grange run --quiet --study o -m 'e=regex:energy (\d+)' 'cat noise; echo energy 7; cat noise >&2; true {n}' ::: n=1
    run -0 grange run --quiet --study c 'cat noise; true {n}' ::: n=1
    kill -TERM "$worker_pid"
    finish "$worker_pid"
    same 0 "$rc"
    same "" "$(left_there)"
    grange log o 0 --stderr | cmp - noise
    grange log o 0 | cmp - <(cat noise && echo energy 7)
    grange log c 0 --connect .grange/client.json | cmp - noise
    same 7 "$(sql "select e from results_o")"
    # A metric that is new is looked for in all of it.
    run -0 grange run --dry-run --study o -m 'e=regex:energy (\d+)' 'cat noise; echo energy 7; cat noise >&2; true {n}' ::: n=1
    same 3 "$(find .grange/blobs -type f | wc -l)"
    run -0 grange explain o 0
    has "$output" ".grange/blobs/"
    # What runs again takes its file with it.
    run -0 grange retry o 0
    poll_until 10 bash -c '[ "$(find .grange/blobs -type f | wc -l)" = 1 ]'
    grange log c 0 | cmp - noise
    # One that nothing names is deleted when a scheduler starts an hour later, these are not.
    : >.grange/blobs/0123456789abcdef
    touch -d '2 hours ago' .grange/blobs/*
    grange down
    grange up -n 0
    [ ! -e .grange/blobs/0123456789abcdef ]
    grange log c 0 | cmp - noise
}

@test "files of a point stay where the worker has left them, and it is said where" {
    grange up -n 0 --listen tls+tcp://127.0.0.1:0
    far_worker
    run -0 grange run --quiet --study o 'echo 7 >{out}/e.txt; echo {n}' ::: n=1
    run -0 grange explain o 0
    has "$output" "directory  $PWD/there/state/grange/kept/far-"
    has "$(sql 'select dir from ended')" "$(hostname):$PWD/there/state/grange/kept/"
    kill -TERM "$worker_pid"
    finish "$worker_pid"
    has "$(cat worker.err)" "grange: worker: what points left is in $PWD/there/state/grange/kept/far-"
    same 7 "$(cat there/state/grange/kept/far-*/points/o/*/e.txt)"
    same "" "$(find there -maxdepth 1 -name 'grange-*')"
    # From another machine.
    sqlite3 .grange/grange.db "update ended set dir = 'elsewhere:/kept/points/o/n=1'"
    run -0 grange explain o 0
    has "$output" "directory  elsewhere:/kept/points/o/n=1"
    has "$output" "command    echo 7 >/kept/points/o/n=1/e.txt; echo 1"
    sqlite3 .grange/grange.db "update output set out_file = 'elsewhere:/kept/output/o/1.stdout'"
    run -2 grange log o 0
    has "$output" "stdout of this point is on the disk of its worker: elsewhere:/kept/output/o/1.stdout; look there"
}

@test "what a worker that was killed told nobody of is removed by the next one there, and nothing else" {
    head -c 3000000 /dev/urandom >noise
    grange up -n 0 --listen tls+tcp://127.0.0.1:0
    far_worker
    run -0 grange run --quiet --study o 'echo 7 >{out}/e.txt; echo {n}' ::: n=1
    cat >hang.sh <<'EOF'
cat noise; : >"$1/half"
[ -e go ] || { : >hangs; exec sleep 1000; } # a point
EOF
    start run "$GRANGE" run --study half 'sh hang.sh {out}; true {n}' ::: n=1
    poll_until 20 test -e hangs
    poll_until 20 bash -c 'ls there/state/grange/kept/far-*/attempts/output/half/0-*.stdout'
    # shellcheck disable=SC2046
    kill -9 "$worker_pid" $(descendants "$worker_pid")
    poll_until 20 gone "$worker_pid"
    first=$(ls there/state/grange/kept)
    same 1 "$(find there -maxdepth 1 -name 'grange-*' | wc -l)"
    : >go
    rm worker.log
    far_worker
    finish "$pid"
    same 0 "$rc"
    same "e.txt" "$(find "there/state/grange/kept/$first" -type f -printf '%f\n' | sort | tr '\n' ' ' | sed 's/ $//')"
    kill -TERM "$worker_pid"
    finish "$worker_pid"
    same "" "$(find there -maxdepth 1 -name 'grange-*')"
    same "e.txt half" "$(find there/state/grange/kept -type f -printf '%f\n' | sort | tr '\n' ' ' | sed 's/ $//')"
}

@test "of an attempt that failed and is tried again nothing stays at its worker; of the last one it does" {
    cat >two.sh <<'EOF'
echo x >"$1/left"
case $1 in */other-*) ;; *) exit 1 ;; esac
EOF
    grange up -n 0 --listen tls+tcp://127.0.0.1:0
    far_worker
    grange submit --quiet --study o --retries 1000 --backoff 100ms..1s 'sh two.sh {out}; [ $? = 0 ] && true {n}' ::: n=1
    run -1 grange run --quiet --study last 'sh two.sh {out}; [ $? = 0 ] && true {n}' ::: n=1
    poll_until 20 bash -c '[ "$(sqlite3 .grange/grange.db "select count(*) from attempt")" -ge 2 ]'
    kill -TERM "$worker_pid"
    finish "$worker_pid"
    same "last" "$(ls there/state/grange/kept/far-*/points)"
    rm worker.log
    far_worker --name other
    run -0 grange wait o
    run -0 grange explain o 0
    has "$output" "directory  $PWD/there/state/grange/kept/other-"
    same 2 "$(find there/state/grange/kept -name left | wc -l)" # the result, and the failure that is one
    kill -TERM "$worker_pid"
    finish "$worker_pid"
}

@test "nor in a directory that the worker was given, when that is not the farm's" {
    grange up -n 0 --listen tls+tcp://127.0.0.1:0
    far_worker --dir disk
    grange submit --quiet --study o --retries 1000 --backoff 100ms..1s 'echo x >{out}/left; false {n}' ::: n=1
    poll_until 20 bash -c '[ "$(sqlite3 .grange/grange.db "select count(*) from attempt")" -ge 2 ]'
    kill -TERM "$worker_pid"
    finish "$worker_pid"
    same "" "$(find there/disk -name left)"
}

@test "a long stream that the scheduler has no room for stays at its worker, and log finds it on that machine" {
    head -c 3000000 /dev/urandom >noise
    grange up -n 0 --listen tls+tcp://127.0.0.1:0
    : >.grange/blobs # no directory can be made of it
    far_worker
    run -0 grange run --quiet --study o 'cat noise; true {n}' ::: n=1
    has "$(sql 'select out_file from output')" "$(hostname):$PWD/there/state/grange/kept/far-"
    kill -TERM "$worker_pid"
    finish "$worker_pid"
    grange log o 0 | cmp - noise
}

@test "a long stream that its worker cannot read any more stays there too" {
    library=$(dirname "$GRANGE")/../tests/nth.so
    [ -e "$library" ] || skip "what lets calls fail is not built under sanitizers"
    grange up -n 0 --listen tls+tcp://127.0.0.1:0
    LD_PRELOAD=$library GRANGE_FAULT=pread:1 far_worker
    run -0 grange run --quiet --study o 'head -c 3000000 /dev/zero; true {n}' ::: n=1
    has "$(sql 'select out_file from output')" "$(hostname):$PWD/there/state/grange/kept/far-"
    has "$(cat worker.log)" 'error="the worker cannot read it"'
    kill -TERM "$worker_pid"
    finish "$worker_pid"
}

@test "a long stream whose scheduler is killed while it comes is there once, and whole" {
    head -c 60000000 /dev/urandom >noise
    start scheduler "$GRANGE" scheduler --dir .grange --listen tls+tcp://127.0.0.1:0
    scheduler=$pid
    poll_until 20 test -s .grange/worker.json
    far_worker
    grange submit --quiet --study o 'echo x >>ran; cat noise; true {n}' ::: n=1
    poll_until 60 bash -c 'ls .grange/blobs/* 2>/dev/null'
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    start scheduler "$GRANGE" scheduler --dir .grange --listen tls+tcp://127.0.0.1:0
    poll_until 60 grange wait o --quiet
    grange log o 0 | cmp - noise
    same 1 "$(wc -l <ran)"
    same 1 "$(find .grange/blobs -type f | wc -l)"
    kill -TERM "$worker_pid"
    finish "$worker_pid"
    same "" "$(left_there)"
}
