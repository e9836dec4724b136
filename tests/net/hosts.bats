#!/usr/bin/env bats
# A farm over several hosts: each is a network namespace with one cable to a switch, which is another.
# Only the files are shared. Addresses and ports are theirs alone.

# shellcheck disable=SC2016,SC2030,SC2031,SC2054,SC2154
load ../cli/helper

setup_more() {
    net="gr$$-$BATS_TEST_NUMBER"
    hosts=()
    hosts 2>why || skip "no network namespaces, bridges or pairs of interfaces here: $(head -1 why)"
}

hosts() {
    ip netns add "$net-switch" || return
    hosts+=(switch)
    ip -n "$net-switch" link add br0 type bridge && ip -n "$net-switch" link set br0 up && host sched 1 && host one 2 &&
        host two 3 && host desk 4
}

teardown_more() {
    local h
    for h in "${hosts[@]}"; do
        end_host "$h"
        ip netns del "$net-$h" || true
    done
}

# host NAME N - a new one, at 10.77.0.N.
host() {
    ip netns add "$net-$1" || return
    hosts+=("$1")
    ip -n "$net-$1" link add eth0 type veth peer name "$1" netns "$net-switch" &&
        ip -n "$net-switch" link set "$1" master br0 up &&
        ip -n "$net-$1" addr add "10.77.0.$2/24" dev eth0 &&
        ip -n "$net-$1" link set lo up && ip -n "$net-$1" link set eth0 up && ip netns exec "$net-$1" true
}

# end_host NAME - kill -9 for every process on it, and no other.
end_host() {
    local pids
    mapfile -t pids < <(ip netns pids "$net-$1")
    [ "${#pids[@]}" = 0 ] || kill -9 "${pids[@]}" 2>/dev/null || true
}

unplug() { ip -n "$net-switch" link set "$1" down; }
plug() { ip -n "$net-switch" link set "$1" up; }

# on HOST NAME COMMAND... - in the background there, as helper's start.
on() {
    local h=$1 name=$2
    shift 2
    start "$name" ip netns exec "$net-$h" "$@"
}

# at HOST COMMAND... - in the foreground there.
at() {
    local h=$1
    shift
    ip netns exec "$net-$h" "$@" </dev/null
}

# farm - a scheduler on its host, and a worker on each that is named, one point at a time.
farm() {
    local h
    on sched scheduler "$GRANGE" scheduler --dir farm --log farm.log --listen tls+tcp://10.77.0.1:7000
    poll_until 20 test -s farm/worker.json
    for h in "$@"; do
        on "$h" "$h" "$GRANGE" worker --connect farm/worker.json --name "$h" -j 1 --log "$h.log"
        poll_until 20 grep -q event=welcome "$h.log"
    done
}

joined() { [ "$(grep -c "event=worker_joined.* name=$1 " farm.log)" -ge "$2" ]; }
# lasting - of the CSV of results (no commas in values), what is the same every time.
lasting() {
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) drop[i] = $i ~ /^(seconds|host|started)$/ }
             { line = ""; for (i = 1; i <= NF; i++) if (!drop[i]) line = line "," $i; print substr(line, 2) }'
}
everywhere() { [ "$(sort -u ran | wc -l)" -ge "$1" ]; }

@test "scheduler, workers and client on hosts of their own give the results of one machine" {
    cat >sim.sh <<'SIM'
echo "energy $(((GRANGE_SEED % 1000) * $1)) eV"
echo "$2" >&2
exit $(($1 == 7))
SIM
    study=(--study s -m 'energy=regex:energy (\d+)' 'sh sim.sh {T} {k}' ::: T=1:20 k=a,b)
    grange run --dir embedded -q "${study[@]}" || true
    farm one two
    at desk "$GRANGE" run --connect farm/client.json -q "${study[@]}" || true
    # Byte for byte, all but when, where and how long.
    want=$(results --dir embedded | lasting) got=$(results --dir farm | lasting)
    same "$want" "$got"
    for i in $(seq 0 39); do
        for stream in "" --stderr; do
            # shellcheck disable=SC2086
            cmp <(grange log --dir embedded s $i $stream) <(grange log --dir farm s $i $stream)
        done
    done
    has "$(grange log --dir farm s 0)" "energy"
    [ "$(wc -l <<<"$got")" = 41 ] # and the header
    has "$got" "point,T,k,energy,state,reason,attempts"
    # both took part, and nothing but the two ports was listening
    [ "$(DIR=farm sql 'select count(distinct worker) from ended')" = 2 ]
    [ "$(at sched ss -Hltn | wc -l)" = 2 ]
}

@test "what runs on a host that is cut off goes on, and counts when it is back" {
    waiter
    farm one
    on desk run "$GRANGE" run --connect farm/client.json -q 'sh waiter.sh {x}' ::: x=1,2,3
    run=$pid
    poll_until 20 lines_at_least started 1
    unplug one
    poll_until 30 grep -q event=worker_gone farm.log
    plug one
    poll_until 30 joined one 2
    : >go
    finish "$run"
    [ "$rc" = 0 ]
    [ "$(wc -l <started)" = 3 ] # none of them ran twice
    [ "$(DIR=farm sql 'select count(*) from ended where state = 3')" = 3 ]
}

@test "a client that is cut off comes back to its study" {
    waiter
    farm one
    on desk run "$GRANGE" run --connect farm/client.json -q 'sh waiter.sh {x}' ::: x=1,2
    run=$pid
    poll_until 20 lines_at_least started 1
    unplug desk
    : >go
    poll_until 20 env DIR=farm bash -c '. "$0"; done_at_least 2' "$BATS_TEST_DIRNAME/../cli/helper.bash"
    plug desk
    finish "$run"
    [ "$rc" = 0 ]
}

@test "the points of a host that lost its power run on another" {
    cat >slow.sh <<'SLOW'
echo "$1 $2" >>ran
while [ ! -e go ] && [ "$2" = one ]; do sleep 0.02; done # a point
echo "value $1"
SLOW
    cat >where.sh <<'WHERE'
[ -d /sys/class/net/eth0 ] || exit 9
exec sh slow.sh "$1" "$(ip -o -4 addr show eth0 | grep -q 10.77.0.2/ && echo one || echo two)"
WHERE
    farm one two
    on desk run "$GRANGE" run --connect farm/client.json -q 'sh where.sh {x}' ::: x=1:12
    run=$pid
    poll_until 20 grep -q one ran
    unplug one # it says nothing any more, not even that it ends
    end_host one
    finish "$run"
    [ "$rc" = 0 ]
    [ "$(DIR=farm sql 'select count(*) from ended where state = 3')" = 12 ]
    lost=$(grep one ran | cut -d' ' -f1)
    grep -qx "$lost two" ran
}
