#!/usr/bin/env bats
# A farm over several hosts: each is a network namespace with one cable to a switch, which is another. Addresses,
# ports and the name of the host are theirs alone, and so is the grange directory of each: the directory of the
# test, where points run, is what they share. Only the scheduler's host sees that of the farm.

# shellcheck disable=SC1083,SC2016,SC2030,SC2031,SC2054,SC2154
load ../cli/helper

setup_more() {
    net="gr$$-$BATS_TEST_NUMBER"
    hosts=()
    declare -gA workers=()
    own_mounts=()
    ! unshare --mount true 2>/dev/null || own_mounts=(--mount)
    mkdir -m 700 farm
    hosts 2>why || skip "no network namespaces, bridges or pairs of interfaces here: $(head -1 why)"
}

hosts() {
    ip netns add "$net-switch" || return
    hosts+=(switch)
    ip_at switch link add br0 type bridge && ip_at switch link set br0 up && host sched 1 && host one 2 &&
        host two 3 && host desk 4
}

teardown_more() {
    local h
    for h in "${hosts[@]}"; do
        end_host "$h"
        ip netns del "$net-$h" || true
    done
}

# ip_at HOST ... - `ip -n`, which wants mounts of its own and so a root that is a mount point: not so in a chroot.
ip_at() { nsenter --net="/run/netns/$net-$1" ip "${@:2}"; }

# host NAME N - a new one, at 10.77.0.N.
host() {
    ip netns add "$net-$1" || return
    hosts+=("$1")
    ip_at "$1" link add eth0 type veth peer name "$1" netns "$net-switch" &&
        ip_at switch link set "$1" master br0 up &&
        ip_at "$1" addr add "10.77.0.$2/24" dev eth0 &&
        ip_at "$1" link set lo up && ip_at "$1" link set eth0 up && mkdir "$1" && at "$1" true
}

# door HOST - `into`: what goes before a command to run it there, under its name. What it must not see is empty, where
# that can be: below a root that is no mount point it has no mounts of its own.
door() {
    local hidden=-
    [ "${#own_mounts[@]}" = 0 ] || [ "$1" = sched ] || hidden=$BATS_TEST_TMPDIR/farm
    into=(nsenter --net="/run/netns/$net-$1" unshare --uts "${own_mounts[@]}" sh -ec '
        hostname "$0"
        [ "$1" = - ] || mount -t tmpfs -o mode=755 none "$1"
        shift
        exec "$@"' "$1" "$hidden")
}

# end_host NAME - kill -9 for every process on it, and no other.
end_host() {
    local pids
    mapfile -t pids < <(ip netns pids "$net-$1")
    [ "${#pids[@]}" = 0 ] || kill -9 "${pids[@]}" 2>/dev/null || true
}

unplug() { ip_at switch link set "$1" down; }
plug() { ip_at switch link set "$1" up; }

# on HOST NAME COMMAND... - in the background there, as helper's start.
on() {
    local name=$2 into
    door "$1"
    start "$name" "${into[@]}" "${@:3}"
}

# at HOST COMMAND... - in the foreground there.
at() {
    local into
    door "$1"
    "${into[@]}" "${@:2}" </dev/null
}

# farm HOST... - a scheduler on its host, and a worker on each that is named; the desk has client.json.
farm() {
    scheduler
    poll_until 20 test -s farm/worker.json
    cp farm/client.json desk/
    for h in "$@"; do worker "$h"; done
}

scheduler() {
    on sched scheduler "$GRANGE" scheduler --dir farm --log farm.log --listen tls+tcp://10.77.0.1:7000
    scheduler=$pid
}

# worker HOST [OPTION...] - one point at a time, unless an option says otherwise.
worker() {
    local h=$1
    shift
    cp farm/worker.json "$h/"
    on "$h" "$h" "$GRANGE" worker --connect "$h/worker.json" --dir "$h/disk" --name "$h" --log "$h.log" -j 1 "$@"
    workers[$h]=$pid
    poll_until 20 grep -q event=welcome "$h.log"
}

# desk VERB... - a command typed on the third host, in its own directory.
desk() { (cd desk && at desk "$GRANGE" "$@"); }

# same_from_afar VERB... - on the desk as on the farm's own host, whatever it exits with.
same_from_afar() {
    same "$(at sched "$GRANGE" "$@" --dir farm 2>&1 || true)" "$(desk "$@" --connect client.json 2>&1 || true)"
}

joined() { [ "$(grep -c "event=worker_joined.* name=$1 " farm.log)" -ge "$2" ]; }
# lasting - of the CSV of results (no commas in values), what is the same every time.
lasting() {
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) drop[i] = $i ~ /^(seconds|host|started)$/ }
             { line = ""; for (i = 1; i <= NF; i++) if (!drop[i]) line = line "," $i; print substr(line, 2) }'
}
succeeded() { DIR=farm done_at_least "$1"; }

@test "scheduler, workers and client on hosts of their own give the results of one machine" {
    cat >sim.sh <<'SIM'
echo "energy $(((GRANGE_SEED % 1000) * $1)) eV"
echo "$2" >&2
exit $(($1 == 7))
SIM
    study=(--study s -m 'energy=regex:energy (\d+)' 'sh sim.sh {T} {k}' ::: T=1:20 k=a,b)
    grange run --dir embedded -q "${study[@]}" || true
    farm one two
    at desk "$GRANGE" run --connect desk/client.json -q "${study[@]}" || true
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

@test "what was printed at length on another host is read anywhere; files that were left there are named" {
    head -c 3000000 /dev/urandom >noise
    farm one
    at desk "$GRANGE" run --connect desk/client.json -q --study s 'cat noise; echo {x} >{out}/f' ::: x=1
    kill -TERM "${workers[one]}"
    poll_until 20 gone "${workers[one]}"
    (cd desk && at desk "$GRANGE" log s 0 --connect client.json) | cmp - noise
    at sched "$GRANGE" log s 0 --dir farm | cmp - noise
    has "$(desk explain s 0 --connect client.json)" "directory  one:$PWD/one/disk/points/s/"
    same 1 "$(cat one/disk/points/s/*/f)"
}

@test "long output that stays at its worker is read on that host, and named on others" {
    head -c 3000000 /dev/urandom >noise
    farm
    : >farm/blobs # no directory can be made of it
    worker one
    cp farm/client.json one/
    at desk "$GRANGE" run --connect desk/client.json -q --study s 'cat noise >&2; echo {x}' ::: x=1
    for h in sched desk; do
        run -2 at $h "$GRANGE" log s 0 --stderr --connect desk/client.json
        has "$output" "stderr of this point is on the disk of its worker: one:$PWD/one/disk/output/s/0-"
    done
    (cd one && at one "$GRANGE" log s 0 --stderr --connect client.json) | cmp - noise
    same 1 "$(cd one && at one "$GRANGE" log s 0 --connect client.json)"
    run -2 at one "$GRANGE" log s 1 --connect one/client.json
    has "$output" "point 1"
    rm one/disk/output/s/0-*
    run -2 at one "$GRANGE" log s 0 --stderr --connect one/client.json
    has "$output" "stderr of this point was in $PWD/one/disk/output/s/0-"
    has "$output" "No such file or directory"
}

@test "what runs on a host that is cut off goes on, and counts when it is back; a client that was cut off hears of it" {
    waiter
    farm one
    on desk run "$GRANGE" run --connect desk/client.json -q 'sh waiter.sh {x}' ::: x=1,2,3
    run=$pid
    poll_until 20 lines_at_least started 1
    unplug desk
    unplug one
    poll_until 30 grep -q event=worker_gone farm.log
    plug one
    poll_until 30 joined one 2
    : >go
    poll_until 20 succeeded 3
    same 3 "$(wc -l <started)" # none of them ran twice
    plug desk
    finish "$run"
    same 0 "$rc"
}

@test "the points of a host that lost its power run on another" {
    cat >slow.sh <<'SLOW'
echo "$1 $2" >>ran
while [ ! -e go ] && [ "$2" = one ]; do sleep 0.02; done # a point
echo "value $1"
SLOW
    cat >where.sh <<'WHERE'
exec sh slow.sh "$1" "$(ip -o -4 addr show eth0 | grep -q 10.77.0.2/ && echo one || echo two)"
WHERE
    farm one two
    on desk run "$GRANGE" run --connect desk/client.json -q 'sh where.sh {x}' ::: x=1:12
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

@test "over a restart of the scheduler: a run on a third host draws its progress, a program waits for a future that it opened" {
    local patient
    patient=$(cd "$(dirname "$GRANGE")/.." && pwd)/examples/example_patient
    waiter
    farm one two
    on desk run "$GRANGE" run --connect desk/client.json --study s sh waiter.sh {x} ::: x=1,2,3
    run=$pid
    poll_until 20 grep -q "s: 0 of 3 ended, 0 done, 0 failed, 2 running, 1 left" run.err
    on desk first "$patient" desk/client.json "echo p >>started; cat go"
    poll_until 20 grep -q '^waiting' first.out
    kill -9 "$pid"
    poll_until 20 gone "$pid"
    on desk opened "$patient" desk/client.json --open patient:0
    opened=$pid
    poll_until 20 grep -q '^waiting' opened.out
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    scheduler
    poll_until 20 grep -q "the scheduler went away; waiting for it to come back" run.err
    poll_until 20 grep -q "the scheduler is back" run.err
    has_not "$(cat opened.out)" "done"
    : >go
    finish "$run"
    same 0 "$rc"
    has "$(cat run.err)" "s: 3 points: 3 done"
    finish "$opened"
    same 0 "$rc"
    same "done" "$(tail -n 1 opened.out)"
    same 4 "$(wc -l <started)" # what ran went on
}

@test "a host that has client.json and nothing else runs, sees and steers studies" {
    local verb study=()
    cat >energy.sh <<'SIM'
[ "$1" = 5 ] || echo "energy $(($1 * $1)) eV"
[ "$1" != 6 ] || { echo "no luck" >&2; exit 3; }
SIM
    waiter
    farm one two
    export GRANGE_CONNECT=client.json
    study=(--study s -m 'energy=regex:energy (\d+)' "sh ../energy.sh {T}" ::: T=1:6)
    run -1 desk run "${study[@]}"
    has "$output" "s: 6 points, 6 to run"
    has "$output" "s: 6 points: 5 done, 1 failed"
    has "$output" "point 5 (T=6): exit 3: no luck"
    has "$output" "on 2 cores, utilisation"
    has "$output" "metric energy was not found in 1 point that succeeded"
    has "$output" "results: grange results s --connect client.json"
    run -1 desk run "${study[@]}"
    has "$output" "(6 of them ended before)"
    same "3" "$(desk results s --format csv --where "state = 'failed'" | column reason | sed 's/exit //')"
    for verb in "status" "status s" "status s --json" "results s" "results s --format csv" "results s --json --sort -T" \
        "results s --where T>2" "log s 0" "log s T=6 --stderr" "log s 9" "explain s 5" "explain s T=5 --json" "graph s" \
        "graph s --points" "results s --where no=1"; do
        # shellcheck disable=SC2086
        same_from_afar $verb
    done
    desk results s -o s.csv
    same "$(grange results s --dir farm --format csv)" "$(cat desk/s.csv)"
    rm desk/s.csv

    same t "$(desk submit --quiet --study t --no-shuffle sh ../waiter.sh {n} ::: n=1:5 2>/dev/null)"
    poll_until 20 lines_at_least desk/started 2
    has "$(desk top)" "slots 2, 2 busy (100%)"
    same "one two" "$(desk workers --json | jq -r '[.workers[].worker] | sort | join(" ")')"
    run -0 desk hold t
    : >desk/go
    poll_until 20 succeeded 7
    run -4 desk wait t --timeout 10ms
    run -0 desk cancel t 4
    has "$output" "1 point cancelled"
    run -0 desk priority t 7 --weight 3 --max-running 1
    has "$output" "t: priority 7, weight 3, at most 1 running at once"
    poll_until 20 eval 'desk top | grep -qE "^ *t .* 7 "'
    run -0 desk release t
    run -1 desk wait t
    has "$output" "t: 5 points: 4 done, 1 cancelled"
    run -0 desk retry t 4
    run -0 desk wait t --json
    has "$output" '"done": 5'
    run -0 desk resume s --retry-failed
    run -1 desk wait s
    run -0 desk drain two
    poll_until 20 gone "${workers[two]}"
    run -0 desk down
    poll_until 20 gone "$scheduler"
    same "client.json go started" "$(find desk -mindepth 1 -printf '%f\n' | sort | xargs)"
}

@test "calls and C programs from a third host: the results of a farm of their own, over a restart of the scheduler" {
    build=$(cd "$(dirname "$GRANGE")/.." && pwd)
    plugin=$build/lib/collatz.so
    [ -e "$build/lib/libgrange.so" ] || skip "libgrange.so is not built under sanitizers"
    export PKG_CONFIG_PATH="$build/lib/pkgconfig" LD_LIBRARY_PATH="$build/lib"
    farm
    worker one -j 2 --plugin "$plugin"
    worker two -j 2 --plugin "$plugin"
    export GRANGE_CONNECT=client.json
    poll_until 20 eval '[ "$(desk call --all about it | grep -c slot)" = 4 ]'
    same hello "$(desk call echo hello)"
    head -c 3000000 /dev/urandom >desk/long
    desk call echo @long | cmp - desk/long
    desk call --engine 3 echo @long | cmp - desk/long
    run -1 desk call fail ""
    run -0 desk status --json
    has "$output" '"calls-'
    program futures
    program as_completed
    program graph
    program sweep
    program map --plugin "$plugin"
    program engines --plugin "$plugin"
    has "$(cat desk/far)" "the sum of 1000 squares is 332833500"
    program reopened
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    scheduler
    same "$(cat desk/far)" "$(cd desk && at desk ./reopened client.json)"
    same 10 "$(find . -name ran.txt -exec cat {} + | wc -l)" # five in each of the two farms
}

# program NAME [--plugin LIB] - an example on the desk, with a farm of its own there and with that of the others:
# the same output, in the file desk/far.
program() {
    local name=$1
    shift
    # shellcheck disable=SC2046
    cc -std=c17 -o "desk/$name" "$GRANGE_SOURCE/examples/c/$name.c" $(pkg-config --cflags --libs grange)
    (cd desk && at desk "./$name" "$@" >near 2>said && at desk "./$name" "$@" client.json >far 2>>said)
    same "$(cat desk/near)" "$(cat desk/far)"
}
