#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# A full disk: nothing acknowledged is lost, it stops with a clear message, and it resumes when there is
# room. The disk is a small tmpfs in a mount namespace of the test's own.
load helper

setup_more() {
    in_namespace=(unshare -m)
    [ "$(id -u)" = 0 ] || in_namespace=(unshare -rm)
    "${in_namespace[@]}" mount -t tmpfs none /mnt 2>/dev/null || skip "this machine lets nobody mount a tmpfs"
    mkdir small
    cat >point.sh <<'EOF'
echo "$1" >>../started
head -c 40000 /dev/urandom
EOF
}

@test "the disk fills during a run; after making room the same command runs the rest" {
    cat >script.sh <<'EOF'
set -u
mount -t tmpfs -o size=3m none small
cd small
"$GRANGE" run --study d -j 2 sh ../point.sh {n} ::: n=1:200 >../first.out 2>&1
echo $? >../first.rc
sqlite3 -readonly .grange/grange.db 'select vals from ended' | sort >../recorded
df --output=avail . | tail -n 1
wc -l <../started >../lines
mount -o remount,size=60m .
"$GRANGE" run --quiet --study d -j 2 sh ../point.sh {n} ::: n=1:200 >../second.out 2>&1
echo $? >../second.rc
sqlite3 .grange/grange.db "select count(*) from results where state = 'done'" >../done
sqlite3 .grange/grange.db 'select task from ended group by task having count(*) > 1' >../twice
sqlite3 .grange/grange.db 'pragma integrity_check' >../integrity
"$GRANGE" log d n=3 | wc -c >../bytes
EOF
    run -0 "${in_namespace[@]}" bash script.sh
    cat first.out second.out
    same 3 "$(cat first.rc)"
    grep -qi "no space left" first.out
    has "$(cat first.out)" ".grange"
    [ "$(wc -l <recorded)" -gt 0 ]
    same 0 "$(cat second.rc)"
    same 200 "$(cat done)"
    same "" "$(cat twice)"
    same ok "$(cat integrity)"
    same 40000 "$(cat bytes)"
    # What was recorded did not run again.
    tail -n "+$(($(cat lines) + 1))" started | sed 's/.*/["&"]/' | sort >later
    same "" "$(comm -12 later recorded)"
}

@test "a disk that is full from the start" {
    cat >script.sh <<'EOF'
mount -t tmpfs -o size=64k none small
cd small
head -c 64k /dev/zero >filler 2>/dev/null
"$GRANGE" run --study d sh ../point.sh {n} ::: n=1:3 >../first.out 2>&1
echo $? >../first.rc
rm filler
mount -o remount,size=20m .
"$GRANGE" run --quiet --study d sh ../point.sh {n} ::: n=1:3 >../second.out 2>&1
echo $? >../second.rc
EOF
    run -0 "${in_namespace[@]}" bash script.sh
    cat first.out second.out
    has "$(cat first.out)" "there is no space left for .grange; nothing was started"
    same 3 "$(cat first.rc)"
    grep -qi "no space left" first.out
    same 0 "$(cat second.rc)"
}

@test "a long output that finds no room costs its rest, not the run" {
    cat >script.sh <<'EOF'
mount -t tmpfs -o size=8m none small
cd small
timeout 500 "$GRANGE" run --study d -j 1 --no-shuffle 'head -c {bytes} /dev/zero' ::: bytes=50000000,10 >../first.out 2>&1
echo $? >../first.rc
sqlite3 -readonly .grange/grange.db 'pragma integrity_check' >../integrity
EOF
    run -0 "${in_namespace[@]}" bash script.sh
    cat first.out
    same ok "$(cat integrity)"
    [ "$(cat first.rc)" != 124 ]
    case $(cat first.rc) in
    0) ;;
    1 | 3) grep -qi "no space left" first.out ;;
    *) return 1 ;;
    esac
}

@test "grange scheduler ends with 13: a disk that is full from the start, one that fills" {
    cat >script.sh <<'EOF'
mount -t tmpfs -o size=64k none small
cd small
head -c 64k /dev/zero >filler 2>/dev/null
"$GRANGE" scheduler --dir .grange >../first.out 2>&1
echo $? >../first.rc
rm filler
mount -o remount,size=3m .
mkfifo ready
"$GRANGE" scheduler --dir .grange --ready-fd 9 >../second.out 2>&1 9<>ready &
read -r line <ready
timeout 500 "$GRANGE" run --study d -j 2 sh ../point.sh {n} ::: n=1:200 >../run.out 2>&1
echo $? >../run.rc
wait $!
echo $? >../second.rc
EOF
    run -0 "${in_namespace[@]}" bash script.sh
    cat first.out second.out run.out
    same 13 "$(cat first.rc)"
    grep -qi "no space left" first.out
    same 13 "$(cat second.rc)"
    grep -qi "no space left" second.out
    same 3 "$(cat run.rc)"
}
