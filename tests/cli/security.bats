#!/usr/bin/env bats
# Farms that listen: credentials, roles, what others may not do. Loopback and ports of the kernel's choice.
# shellcheck disable=SC2030,SC2031,SC2154

load helper

# start_farm ARGS... - a scheduler with its connection files written.
start_farm() {
    local ready
    exec {ready}<> <(:)
    start farm "$GRANGE" scheduler --dir farm --log farm.log --ready-fd "$ready" "$@"
    scheduler=$pid
    ready "$ready"
    exec {ready}>&-
}

start_worker() {
    start worker "$GRANGE" worker "$@" --log worker.log
}

stop() {
    kill "$1"
    finish "$1"
}

mode_of() { stat -c %a "$1"; }

@test "over TLS a study runs as it does embedded" {
    grange run --dir embedded -q 'echo v={x}{y}' ::: x=1:20 y=a,b
    want=$(results --dir embedded)
    start_farm --listen tls+tcp://127.0.0.1:0
    start_worker --connect farm/worker.json -j 2
    grange run --connect farm/client.json -q 'echo v={x}{y}' ::: x=1:20 y=a,b
    got=$(results --dir farm)
    for c in point x y state; do same "$(column "$c" <<<"$want")" "$(column "$c" <<<"$got")"; done
    [ "$(column state <<<"$got" | sort | uniq -c | tr -s ' ')" = " 40 done" ]
}

@test "keys and connection files are for their owner only, whatever the umask" {
    umask 000
    start_farm --listen tls+tcp://127.0.0.1:0
    [ "$(mode_of farm)" = 700 ]
    [ "$(mode_of farm/keys.json)" = 600 ]
    [ "$(mode_of farm/worker.json)" = 600 ]
    [ "$(mode_of farm/client.json)" = 600 ]
    [ "$(mode_of farm/scheduler.sock)" = 600 ]
    [ "$(mode_of farm/lock)" = 600 ]
    chmod 644 farm/client.json
    run ! grange run --connect farm/client.json -q true ::: x=1
    has "$output" "chmod 600"
}

@test "a worker's credentials cannot submit, a client's cannot work" {
    start_farm --listen tls+tcp://127.0.0.1:0
    run ! grange worker --connect farm/client.json
    has "$output" "connection file of a client"
    run ! grange run --connect farm/worker.json -q true ::: x=1
    has "$output" "connection file of a worker"

    # the same, with the file made to lie about its role
    jq '.role = "worker"' farm/client.json >lie.json
    jq '.role = "client"' farm/worker.json >lie2.json
    # ... and with the other role's address too
    jq --argjson u "$(jq .urls farm/worker.json)" '.urls = $u' lie.json >lie3.json
    jq --argjson u "$(jq .urls farm/client.json)" '.urls = $u' lie2.json >lie4.json
    chmod 600 lie*.json
    run -20 grange worker --connect lie.json
    has "$output" "grange: the scheduler refused this worker: these are the credentials of a client"
    run ! grange run --connect lie2.json -q true ::: x=1
    has "$output" "credentials of a worker"
    run -20 grange worker --connect lie3.json
    has "$output" "certificate"
    run ! grange run --connect lie4.json -q true ::: x=1
    has "$output" "certificate"
    [ "$(DIR=farm sql 'select count(*) from study')" = 0 ]
}

@test "the credentials of another farm are refused" {
    start_farm --listen tls+tcp://127.0.0.1:0
    cp farm/worker.json other.json
    stop "$scheduler"
    rm farm/keys.json
    start_farm --listen tls+tcp://127.0.0.1:0
    jq --argjson u "$(jq .urls farm/worker.json)" '.urls = $u' other.json >old.json
    chmod 600 old.json
    run -20 grange worker --connect old.json
    has "$output" "certificate"
}

@test "a certificate that has expired is refused, and one of a client's that names no use is" {
    start_farm --listen tls+tcp://127.0.0.1:0
    stop "$scheduler"
    # An authority of ours instead of the one for clients, whose key nobody has.
    for name in authority client; do openssl ecparam -name prime256v1 -genkey -noout -out $name.key; done
    openssl req -x509 -new -key authority.key -subj "/CN=our authority" -days 3 -out authority.crt
    openssl req -new -key client.key -subj /CN=client.grange -out client.csr
    # sign NAME DAYS USE - farm/client.json becomes NAME.json, with a certificate of that authority.
    sign() {
        printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\n' "$3" >"$1.ext"
        openssl x509 -req -in client.csr -CA authority.crt -CAkey authority.key -CAcreateserial -days "$2" \
            -extfile "$1.ext" -out "$1.crt" 2>"$1.err"
        jq --rawfile c "$1.crt" --rawfile k client.key '.cert = $c | .key = $k' farm/client.json >"$1.json"
        chmod 600 "$1.json"
    }
    jq --rawfile ca authority.crt '.for_clients.ca = $ca' farm/keys.json >keys
    chmod 600 keys
    mv keys farm/keys.json
    start_farm --listen tls+tcp://127.0.0.1:0
    start_worker --connect farm/worker.json -j 1
    sign good 1 clientAuth
    sign expired -1 clientAuth
    sign server 1 serverAuth
    grange run --connect good.json -q true ::: x=1 # so it is the date, and the use, that count below
    for wrong in expired server; do
        run ! grange run --connect $wrong.json -q true ::: x=2
        has "$output" "certificate"
    done
    [ "$(DIR=farm sql 'select count(*) from ended')" = 1 ]
}

@test "a directory that others may write in is no place for a farm" {
    mkdir -m 775 shared
    for verb in scheduler up; do
        run -3 grange "$verb" --dir shared || [ "$status" = 14 ]
        has "$output" "chmod go-w shared"
    done
    run -3 grange run --dir shared true ::: x=1
    has "$output" "others may write in the directory shared (mode 0775)"
    chmod go-w shared
    grange run --dir shared -q true ::: x=1
}

@test "a .grange of another user is used when it is named only" {
    mkdir .grange
    chown 65534 .grange 2>why || skip "only root can give it away: $(cat why)"
    for words in 'run true' up worker scheduler status 'wait x' 'results x' down; do
        # shellcheck disable=SC2086
        run -3 grange $words
        has "$output" "belongs to another user (uid 65534)"
    done
    grange run --dir .grange -q true ::: x=1
}

@test "a scheduler that starts again keeps keys and ports, and its workers come back" {
    start_farm --listen tls+tcp://127.0.0.1:0
    start_worker --connect farm/worker.json -j 1
    grange run --connect farm/client.json -q true ::: x=1:3
    before=$(jq -c '.urls, .ca' farm/worker.json farm/client.json)
    stop "$scheduler"
    start_farm --listen tls+tcp://127.0.0.1:0
    grange run --connect farm/client.json -q true ::: x=4:6
    same "$before" "$(jq -c '.urls, .ca' farm/worker.json farm/client.json)"
}

@test "plain tcp must be asked for by name, and warns" {
    start_farm --listen tcp://127.0.0.1:0
    poll_until 10 grep -q 'warning: tcp://127.0.0.1' farm.err
    grep -q 'not encrypted' farm.log
    [ ! -e farm/keys.json ]
    jq -e 'has("key") | not' farm/worker.json
    start_worker --connect "$(jq -r '.urls[0]' farm/worker.json)" -j 1
    grange run --connect farm/client.json -q true ::: x=1:3
    # What runs there may submit, to the same address.
    grange run --connect farm/client.json -q --study s 'echo "parent=${{GRANGE_PARENT-none}}"' ::: x=1
    same "parent=$(jq -r '.urls[0]' farm/worker.json)" "$(grange log --connect farm/client.json s 0)"
    run ! grange scheduler --dir other --listen 127.0.0.1:0
    has "$output" "tls+tcp://HOST:PORT"
    for wrong in tls+tcp://127.0.0.1 tls+tcp://:1 tls+tcp://h:x tls+tcp://::1:5 tcp://h:70000 tls+tcp://h:65535; do
        run ! grange scheduler --dir other --listen "$wrong"
        has "$output" "--listen $wrong"
    done
}

@test "an address of all interfaces becomes addresses that can be dialled" {
    start_farm --listen tls+tcp://0.0.0.0:0
    run jq -r '.urls[]' farm/worker.json
    has_not "$output" "0.0.0.0"
    has "$output" "tls+tcp://"
    start_worker --connect farm/worker.json -j 1
    grange run --connect farm/client.json -q true ::: x=1:3
}
