#!/usr/bin/env bats
# Peers that do what no peer should (tests/hostile/hostile.c) get nothing, cost nothing, and hinder nobody.

# shellcheck disable=SC2030,SC2031,SC2154
load helper

setup_more() { hostile=${GRANGE%/bin/grange}/tests/hostile; }

# farm - a scheduler, at $port and at farm/scheduler.sock.
farm() {
    local ready
    exec {ready}<> <(:)
    start farm "$GRANGE" scheduler --dir farm --log farm.log --ready-fd "$ready" --listen tls+tcp://127.0.0.1:0
    scheduler=$pid
    ready "$ready"
    exec {ready}>&-
    port=$(jq -r '.urls[0]' farm/worker.json)
    port=${port##*:}
}

# attack MODE [WHERE] - what came back.
attack() { "$hostile" "$1" "${2:-farm/scheduler.sock}" </dev/null; }

# works - a worker joins, a study runs, and the scheduler is the same one as before.
works() {
    start worker "$GRANGE" worker --connect farm/worker.json -j 1 --log worker.log
    grange run --connect farm/client.json -q true ::: x=1:3
    kill -0 "$scheduler"
    [ "$(DIR=farm sql 'select count(*) from study')" = 1 ]
}

rss_kib() { sed -nE 's/^VmRSS:[^0-9]*([0-9]+).*/\1/p' "/proc/$scheduler/status"; }
all_open() { [ "$(cat idle*.out | wc -l)" = "$1" ]; }

@test "garbage and oversized frames end the connection without a word" {
    farm
    same closed "$(attack garbage)"
    same closed "$(attack oversized)"
    same closed "$(attack large-after-hello | grep -v welcome)"
    works
}

@test "what is no message, an unknown version or role is refused with a reason" {
    farm
    same $'refused 11: not a message of grange\nclosed' "$(attack nonsense)"
    out=$(attack version)
    has "$out" "refused 6: hostile speaks version 99"
    has "$out" "closed"
    has "$(attack role)" "refused 11: a hello from role 3"
    works
}

@test "messages in the wrong order or of another role are refused, and the connection ends" {
    farm
    same $'refused 14: say hello first\nclosed' "$(attack early)"
    same $'welcome\nrefused 11: a client does not send this\nclosed' "$(attack twice)"
    same $'welcome\nrefused 11: a client does not send this\nclosed' "$(attack client-results)"
    has "$(attack worker-submits)" "refused 11: a worker does not send this"
    has "$(attack worker-invents)" "refused 11: a worker does not send this"
    works
}

@test "a look from elsewhere does not write, and not look anywhere else" {
    farm
    out=$(attack looks)
    has "$out" "refused 1: 'cancel' does not only look"
    for option in --output=/tmp/x --dir=/ -o/tmp/x --json=1; do
        has "$out" "refused 1: '$option' is no option of a look"
    done
    has "$out" "refused 13: the connection was lost"
    works
}

@test "too many looks at once: one is refused, and whoever comes when they are over is not" {
    farm
    works
    same $'welcome\nrefused 4: too many look into the store of this farm at once; try again\nrefused 11: a client does not send this\nclosed' \
        "$(attack many-looks | grep -v '^message')" # those are pages of the others
    run -0 grange status --connect farm/client.json
}

@test "what asks for something that is not there is told what is missing" {
    farm
    mkdir -p farm/blobs/0000000000000002 # can be opened, and not be read
    out=$(attack asks)
    has "$out" "refused 1: no points named"
    has "$out" "refused 2: there is no array with this key or number"
    has "$out" "refused 2: there is no array of calls with the key 'o'"
    has "$out" "refused 5: a key of 150 bytes cannot name a study; give the array a study of at most 100 bytes"
    has "$out" "refused 2: there is no array of calls 'b' to wait for"
    has "$out" "refused 2: there is no array of calls 77; open it by its key"
    has "$out" "blob 2: this payload or result is not here any more"
    has "$out" "blob 9: a payload or result cannot be read"
    works
}

@test "without TLS there is nothing to be had from the port that wants it" {
    GRANGE_PATIENCE_PERCENT=20 farm # 2 s to greet
    for mode in garbage oversized version early; do
        out=$(attack "$mode" "$port")
        has "$out" closed
        has_not "$out" refused
    done
    works
    grep -q event=turned_away farm.log
}

# written - the store, byte by byte: a commit would show.
written() { cat farm/grange.db farm/grange.db-wal | sha256sum; }

turned_away() { sed -nE 's/.*event=turned_away connections=//p' farm.log | awk '{ n += $1 } END { print n + 0 }'; }
all_turned_away() { [ "$(turned_away)" = "$1" ]; }

@test "who has no certificate costs no message, no commit and no memory that stays" {
    farm
    local i before after written
    start other "$GRANGE" scheduler --dir other --listen tls+tcp://127.0.0.1:0
    poll_until 20 test -s other/client.json
    (umask 077 && jq --argjson u "$(jq .urls farm/client.json)" '.urls = $u' other/client.json >foreign.json)
    written=$(written)
    for ((i = 0; i < 250; i++)); do
        [ "$i" != 50 ] || before=$(rss_kib) # once what is allocated for the first ones is there
        same closed "$(attack garbage "$port")"
    done
    after=$(rss_kib)
    poll_until 20 all_turned_away 250
    run ! grange workers --connect foreign.json
    has "$output" certificate
    same "" "$(grep -E 'event=(refused|drop|worker)' farm.log)"
    same "$written" "$(written)"
    [ $((after - before)) -lt $((4 * 1024)) ]
    works
    [ "$(written)" != "$written" ]
}

@test "a connection that never says a whole word is closed" {
    GRANGE_PATIENCE_PERCENT=20 farm # 2 s to greet
    same closed "$(attack loris)"
    same closed "$(attack loris "$port")"
    works
}

@test "ten thousand idle connections keep nobody out and take bounded memory" {
    farm
    local hold i before
    exec {hold}<> <(:)
    before=$(rss_kib)
    for i in 1 2 3 4 5 6 7 8; do
        "$hostile" idle "$port" 1250 <&"$hold" >"idle$i.out" &
        started+=("$!")
    done
    works # while they come
    poll_until 120 all_open 8
    grange run --connect farm/client.json -q true ::: x=4:6 # and when they are there
    [ $(($(rss_kib) - before)) -lt $((192 * 1024)) ]
    [ "$(find "/proc/$scheduler/fd" | wc -l)" -lt 1200 ] # GREETING_MAX and its own
}
