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
