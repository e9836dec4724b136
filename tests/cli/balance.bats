#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# Long points leave no core idle while others wait: here a long one is one that ends only when others have
# begun, so whoever holds those back waits for ever. How soon a free core gets the next point is what the
# simulator measures (docs/testing.md).
load helper

setup_more() {
    cat >until.sh <<'EOF'
# until.sh SELF COUNT - begins as SELF; ends when so many have begun.
echo "$1" >>started
while [ "$(wc -l <started)" -lt "$2" ]; do sleep 0.02; done # a point
EOF
}

@test "long points among short ones: the other core does what comes after them" {
    cat >unequal.sh <<'EOF'
if [ $(($1 % 20)) = 0 ]; then exec sh until.sh "$1" $(($1 + 15)); fi
exec sh until.sh "$1" 0
EOF
    start run "$GRANGE" run --quiet --study b -j 2 --no-shuffle sh unequal.sh {n} ::: n=1:115
    finish "$pid"
    same 0 "$rc"
    same 115 "$(sql 'select count(*) from ended')"
}

@test "after many short points a long one does not hold back those prefetched behind it" {
    cat >late.sh <<'EOF'
[ "$1" -lt 200 ] || exec sh until.sh "$1" $((9 * ($1 == 200)))
EOF
    start run "$GRANGE" run --quiet --study b -j 2 --no-shuffle sh late.sh {n} ::: n=1:208
    finish "$pid"
    same 0 "$rc"
    same 208 "$(sql 'select count(*) from ended')"
}

@test "points that are asked for last do not wait for a whole batch" {
    # Two slots, four points that need each other two by two: one slot may not be given three of them.
    cat >pairs.sh <<'EOF'
echo "$1" >>begun
if head -n 2 begun | grep -qx "$1"; then need=2; else need=4; fi
while [ "$(wc -l <begun)" -lt $need ]; do sleep 0.02; done # a point
EOF
    start run "$GRANGE" run --quiet --study b -j 2 sh pairs.sh {n} ::: n=1:4
    finish "$pid"
    same 0 "$rc"
    same 4 "$(sql 'select count(*) from ended')"
}
