#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2013,SC2016,SC2103,SC2030,SC2031,SC2154
# A farm that is reached by its connection files, options of its workers, a service manager.
load helper

worker_name() { echo "$(hostname)-w$1"; }

# looks_from_afar - each verb that looks prints here what it prints where the directory is.
looks_from_afar() {
    local verb
    for verb in "status t" "status t --json" "results t --format csv" "results t --where n=2 --json" \
        "results t --sort -n" "log t 0" "log t n=2 --stderr" "explain t n=2" "explain t 1 --json" "graph t" "graph t --points"; do
        # shellcheck disable=SC2086
        same "$(cd .. && "$GRANGE" $verb 2>&1)" "$("$GRANGE" $verb --connect client.json 2>&1)"
    done
    for verb in "results t --where nothing=1" "explain t 7" "log t n=9" "graph none"; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr "$GRANGE" $verb --connect client.json
        has "$stderr" "grange: "
    done
    run -0 grange results t --connect client.json -o t.csv
    same "$(cd .. && results t)" "$(cat t.csv)"
    run -2 grange results t --connect client.json --where nothing=1 -o t.csv
    same "$(cd .. && results t)" "$(cat t.csv)" # nothing was put in its place
    run -0 grange graph t --connect client.json -o t.dot
    same "$(cd .. && "$GRANGE" graph t)" "$(cat t.dot)"
    # Many pages; and who stops reading leaves nobody behind.
    run -0 grange run --quiet --connect client.json --study long 'head -c 1000000 /dev/zero | tr "\0" {x}' ::: x=7
    same "1000000 $(head -c 1000000 /dev/zero | tr '\0' 7 | cksum)" \
        "$("$GRANGE" log long 0 --connect client.json | tee >(cksum >sum) | wc -c) $(poll_until 10 test -s sum && cat sum)"
    "$GRANGE" log long 0 --connect client.json 2>/dev/null | head -c 1 >one || true
    poll_until 20 bash -c '! tr "\0" " " </proc/*/cmdline 2>/dev/null | grep -q "grange log --dir $0"' "$(dirname "$PWD")"
    run -2 grange graph none --connect client.json -o none.dot
    [ ! -e none.dot ]
    run -3 grange results t --connect worker.json
    has "$output" "client.json"
}

@test "up --listen tls+tcp: connection files, for clients and workers elsewhere" {
    run -0 grange up -n 1 -j 1 --name lab --listen tls+tcp://127.0.0.1:0
    has "$output" "--connect $PWD/.grange/client.json"
    has "$output" "--connect $PWD/.grange/worker.json"
    same "600 600" "$(stat -c %a .grange/client.json .grange/worker.json | xargs)"
    # The files are all that another host has: the directory there is not the one here.
    mkdir far
    sed 's/"host": *"[^"]*"/"host": "elsewhere"/' .grange/client.json >far/client.json
    sed 's/"host": *"[^"]*"/"host": "elsewhere"/' .grange/worker.json >far/worker.json
    chmod 600 far/*.json
    cd far
    start worker "$GRANGE" worker --connect worker.json -j 2 --name far
    poll_until 20 bash -c '"$GRANGE" workers --connect client.json | grep -q far'
    run -0 grange run --connect client.json --study s 'echo {n}' ::: n=1:9
    has "$output" "using the farm lab at client.json"
    has "$output" "s: 9 points: 9 done"
    run -0 grange run --connect client.json --study s 'echo {n}' ::: n=1:9
    has "$output" "s: 9 points: 9 done (9 of them ended before)"
    run -1 grange run --connect client.json --study u 'exit $(({n} == 2))' ::: n=1:3
    has "$output" "point 1 (n=2): exit 1"
    has "$output" "results: grange results u --connect client.json"
    run -0 --separate-stderr grange submit --connect client.json --study t 'exit $(({n} == 2))' ::: n=1:3
    same "t" "$output"
    run -1 grange wait --connect client.json t
    has "$output" "t: 3 points: 2 done, 1 failed"
    run -0 grange status --connect client.json
    has "$output" "t "
    has "$output" "failed"
    run -0 grange status t --connect client.json --json
    has "$output" '"done": 2, "warned": 0, "failed": 1'
    run -2 grange status nowhere --connect client.json
    run -0 grange top --connect client.json
    has "$output" "far"
    GRANGE_CONNECT=client.json run -0 grange cancel t
    run -2 grange cancel t --connect client.json n=1
    has "$output" "is no index of a point"
    run -1 grange wait --connect client.json t
    run -0 grange run --dry-run --connect client.json --study t 'exit $(({n} == 2))' ::: n=1:3
    has "$output" "every point counts as one to run"
    looks_from_afar
    run -0 grange retry t 1 --connect client.json
    has "$output" "1 point of t will run again"
    run -1 grange wait --connect client.json t
    run -0 grange resume t --retry-failed --connect client.json
    has "$output" "t goes on, 1 to run; see: grange wait t --connect client.json"
    run -1 grange wait --connect client.json t
    run -2 grange resume --connect client.json
    run -2 grange run --connect client.json -j 1 'true {n}' ::: n=1
    has "$output" "-j starts a worker beside those of the farm, here; with --connect the farm has only its own"
    run -3 grange submit --connect worker.json 'true {n}' ::: n=1
    has "$output" "client.json"
    run -0 grange down --connect client.json
    cd ..
    poll_until 20 bash -c '! ls .grange/keepers/* 2>/dev/null'
}

# summary STUDY WORDS... - what its run says at the end, without its times, as JSON.
summary() {
    "$GRANGE" run --json --study "$@" 2>said | jq -S 'del(.study, .dir, .wall_s, .speed_up, .utilisation, .sum_s, .slots)'
}

@test "the summary of a run is that of a run where the directory is: times, failures, metrics" {
    grange up -n 1 -j 2 --listen tls+tcp://127.0.0.1:0
    mkdir far
    sed 's/"host": *"[^"]*"/"host": "elsewhere"/' .grange/client.json >far/client.json
    chmod 600 far/client.json
    cat >some.sh <<'EOS'
[ $(($1 % 3)) = 0 ] || echo "e $1, \"x\""
[ $(($1 % 4)) != 0 ] || { echo "no \"luck\", $1" >&2; exit 2; }
EOS
    words=(-m 'e=regex:e (\d+)' -m 'f=regex:x(y)' "sh $PWD/some.sh {n}" :::)
    for n in 6 60; do # also where some ended before, and more failed than are shown
        here=$(summary here "${words[@]}" "n=1:$n")
        same "$here" "$(cd far && summary there --connect client.json "${words[@]}" "n=1:$n")"
        has "$here" '"reason": "exit 2: no \"luck\", 4"'
    done
    same "60 15 10 6" "$(jq -r '"\(.points) \(.failed) \(.failures | length) \(.reused)"' <<<"$here")"
    # Times: of this run's points alone.
    jq -e '.metrics_missing | .e > 0 and .f > .e' <<<"$here"
    (cd far && run -1 --separate-stderr grange run --json --study there --connect client.json "${words[@]}" n=1:61 &&
        jq -r .sum_s <<<"$output" >took)
    same "$(sql "select printf('%.3f', wall_us / 1e6) from ended order by n desc limit 1")" "$(xargs printf %.3f <far/took)"
    grange down
}

@test "up --listen: on a farm that is up it is refused; tcp:// warns; other words are refused" {
    run -2 grange up --listen http://here
    has "$output" "expected tls+tcp://"
    run -0 grange up -n 0 --listen tcp://127.0.0.1:0
    has "$output" "not encrypted"
    run -2 grange up --listen tls+tcp://127.0.0.1:0
    has "$output" "is up already"
    run -0 grange down
}

@test "--listen: a URL that is none is a wrong word, before anything is started; one that cannot be had is an error" {
    for wrong in tls+tcp://127.0.0.1 tls+tcp://:1 tls+tcp://h:x tcp://h:70000 tls+tcp://h:65535 'tcp://[::1:0' ipc://; do
        for verb in up scheduler; do
            run -2 grange "$verb" --dir other --listen "$wrong"
            has "$output" "--listen $wrong: "
            has "$output" "see: grange help $verb"
        done
    done
    [ ! -e other ]
    run -0 grange up -n 0 --listen tls+tcp://127.0.0.1:0
    taken=$(grep -o '127.0.0.1:[0-9]*' .grange/client.json)
    touch file
    while read -r url why; do
        run -3 grange up --dir other --name other --listen "$url"
        has "$output" "$why"
        run -14 grange scheduler --dir other --listen "$url"
        has "$output" "$why"
    done <<EOF
tls+tcp://$taken that port is taken by another program; choose another one, or 0
tcp://$taken that port is taken
tls+tcp://192.0.2.1:0 no address of this machine; 0.0.0.0 stands for all
tls+tcp://nowhere.invalid:0 there is no host 'nowhere.invalid'
ipc://$PWD/no/s the directory $PWD/no/: No such file
ipc://$PWD/file something else of that name
EOF
    [ -f file ]
    run -0 grange farms
    has_not "$output" other
    run -0 grange down
}

@test "up --listen ipc://PATH is a socket here, and tells of no file of an earlier start" {
    run -0 grange up -n 0 --listen tls+tcp://127.0.0.1:0
    run -0 grange down
    run -0 grange up -n 1 -j 1 --listen ipc://s.sock
    has_not "$output" "--connect"
    [ -S s.sock ]
    run -0 grange run -q --connect "ipc://$PWD/s.sock" 'true {n}' ::: n=1
    run -0 grange down
}

@test "up --json names the addresses" {
    run -0 --separate-stderr grange up -n 0 --listen tls+tcp://127.0.0.1:0 --json
    has "$output" '"urls": ["tls+tcp://127.0.0.1:'
    run -0 grange down
}

@test "the scheduler of a farm that is killed is back at the same address" {
    grange up -n 1 -j 1 --listen tls+tcp://127.0.0.1:0
    before=$(grep -o 'tls+tcp://[^"]*' .grange/client.json)
    keeper=$(ls .grange/keepers)
    for c in $(children "$keeper"); do
        ! tr '\0' ' ' <"/proc/$c/cmdline" | grep -q "grange scheduler" || kill -9 "$c"
    done
    poll_until 20 grange run --quiet --connect .grange/client.json --study a 'true {n}' ::: n=1
    same "$before" "$(grep -o 'tls+tcp://[^"]*' .grange/client.json)"
    grange down
}

@test "up hands options on to its workers, and says what is wrong with them" {
    grange up -n 2 -j 1 --label os=linux --label fast --resource gpus=2 --memory 2G --grace 5s
    run -0 grange workers --json
    has "$output" '"labels": ["os=linux", "fast"]'
    has "$output" '"resources": ["gpus=2"]'
    has "$output" '"memory_mib": 2048'
    grange down
    # The command of an engine runs where `grange up` was typed, as that of grange worker does.
    cp "$GRANGE_SOURCE/examples/engine/engine.py" my_engine.py
    grange up -n 1 -j 1 --dir elsewhere --engine 'python3 my_engine.py'
    run -0 grange call --dir elsewhere --timeout 10m upper hello
    same HELLO "$output"
    grange down --dir elsewhere
    run -2 grange up --resource gpus=many
    has "$output" "gpus"
    run -2 grange up --plugin no-such-file.so
    has "$output" "no-such-file.so"
}

@test "scheduler: a service manager is told when it serves and when it ends" {
    command -v python3 >/dev/null || skip "python3 is not there"
    cat >manager.py <<'EOP'
import os, signal, socket, subprocess, sys
box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
box.bind(sys.argv[1] if sys.argv[1][0] != "@" else "\0" + sys.argv[1][1:])
box.settimeout(200)
child = subprocess.Popen([os.environ["GRANGE"], "scheduler"], env=dict(os.environ, NOTIFY_SOCKET=sys.argv[1]))
print(box.recv(100).decode(), os.path.exists(".grange/scheduler.sock"))
child.send_signal(signal.SIGTERM)
print(box.recv(100).decode(), child.wait())
EOP
    run -0 --separate-stderr python3 manager.py "$PWD/notify"
    same "READY=1 True STOPPING=1 0" "$(xargs <<<"$output")"
    run -0 --separate-stderr python3 manager.py "@grange-test-$$-$BATS_TEST_NUMBER"
    same "READY=1 True STOPPING=1 0" "$(xargs <<<"$output")"
    NOTIFY_SOCKET=nonsense start scheduler "$GRANGE" scheduler # is not told, and serves
    poll_until 20 grange workers
}

@test "examples/slurm: a worker of a job array joins, and drains when its job is to end" {
    grange up -n 0 --listen tls+tcp://127.0.0.1:0
    mkdir bin
    ln -s "$GRANGE" bin/grange
    # What the batch system gives a job: when it ends, and in its environment what it has.
    printf '#!/bin/sh\ndate -d "now + 1 hour" +%%FT%%T\n' >bin/squeue
    chmod +x bin/squeue
    start job env PATH="$PWD/bin:$PATH" SLURM_JOB_ID=77 SLURM_CPUS_PER_TASK=2 SLURM_MEM_PER_NODE=4000 \
        sh "$GRANGE_SOURCE/examples/slurm/workers.sbatch" .grange/worker.json
    job=$pid
    waiter
    start run "$GRANGE" run -q --require job=77 --memory 100M --least 30m 'sh waiter.sh {x}' ::: x=1
    run=$pid
    poll_until 20 lines_at_least started 1
    [ "$(grange workers --json | jq '.workers[0].slots')" = 2 ]
    kill "$job"
    poll_until 20 grep -q event=drain job.err
    touch go
    finish "$job"
    same 0 "$rc"
    finish "$run"
    same 0 "$rc"
}

@test "the units of systemd name options that there are" {
    for unit in "$GRANGE_SOURCE"/examples/systemd/*.service; do
        verb=$(sed -nE 's/^ExecStart=.* grange ([a-z]+) .*/\1/p' "$unit")
        for option in $(grep '^ExecStart' "$unit" | grep -oE -- '--[a-z-]+'); do
            grange "$verb" --help | grep -q -- "$option"
        done
        ! command -v systemd-analyze >/dev/null || systemd-analyze verify "$unit"
    done
}
