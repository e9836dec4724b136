#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# A farm that is reached by its connection files, options of its workers, a service manager.
load helper

worker_name() { echo "$(hostname)-w$1"; }

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
    run -0 --separate-stderr grange submit --connect client.json --study t 'exit $(({n} == 2))' ::: n=1:3
    same "t" "$output"
    run -1 grange wait --connect client.json t
    has "$output" "t: 3 points: 2 done, 1 failed"
    run -0 grange status --connect client.json
    has "$output" "t "
    has "$output" "failed"
    run -0 grange status t --connect client.json --json
    has "$output" '"done": 2, "failed": 1'
    run -2 grange status nowhere --connect client.json
    run -0 grange top --connect client.json
    has "$output" "far"
    GRANGE_CONNECT=client.json run -0 grange cancel t
    run -2 grange cancel t --connect client.json n=1
    has "$output" "is no index of a point"
    run -2 grange results t --connect client.json
    has "$output" "not on this machine"
    run -2 grange run --connect client.json -j 1 'true {n}' ::: n=1
    run -3 grange submit --connect worker.json 'true {n}' ::: n=1
    has "$output" "client.json"
    run -0 grange down --connect client.json
    cd ..
    poll_until 20 bash -c '! ls .grange/keepers/* 2>/dev/null'
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
    run -3 grange up --resource gpus=many
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
