#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154,SC1083
# What is said of files that cannot be written, programs that cannot start, names that are taken.
load helper

@test "a file that cannot be written is named, with what is wrong" {
    run -3 grange run --save nowhere/s.yaml echo '{x}' ::: x=1
    has "$output" "cannot write 'nowhere/s.yaml': No such file or directory"
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    run -3 grange graph s -o nowhere/s.dot
    has "$output" "cannot write nowhere/s.dot: No such file or directory"
}

@test "a study file that was written is named, with how to run it" {
    run -0 grange run --dry-run --save s.yaml --study s echo '{x}' ::: x=1
    has "$output" "wrote s.yaml; run it with: grange run s.yaml"
}

@test "without dot there is no picture, and what is missing is named" {
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    run -3 env PATH=/nowhere "$GRANGE" graph s -o s.svg
    has "$output" "the program dot, which draws, is not here; install graphviz"
    [ ! -s s.svg ]
    mkdir bin
    printf '#!/bin/sh\ncat >/dev/null\nexit 1\n' >bin/dot
    chmod +x bin/dot
    run -3 env PATH="$PWD/bin:$PATH" "$GRANGE" graph s -o s.svg
    has "$output" "dot could not draw s.svg"
}

@test "a condition that leaves out everything is said" {
    run grange run --where 'x > 9' echo '{x}' ::: x=1:3
    has "$output" "0 points: --where 'x > 9' leaves out all of them"
}

@test "a program that is no program fails its point, with the reason" {
    printf 'junk' >prog
    chmod +x prog
    run -1 grange run --study s ./prog '{x}' ::: x=1
    run grange explain s 0
    has "$output" "cannot start '$PWD/prog': neither a program nor a script with a #! line"
    printf '#!/nowhere/sh\n' >prog
    run -1 grange run --study t ./prog '{x}' ::: x=1
    run grange explain t 0
    has "$output" "cannot start '$PWD/prog': its interpreter is not there"
    mkdir bin
    cp /bin/true bin/own-tool
    run -0 grange up --quiet -n 1 -j 1
    PATH=$PWD/bin:$PATH run -1 grange run --study u own-tool '{x}' ::: x=1
    has "$output" "cannot start 'own-tool': no such command in PATH"
    run -0 grange down
}

@test "a stage whose output is gone when the next one wants it" {
    printf 'stages:\n  a:\n    command: rmdir {out}\n  b:\n    command: ls {a.out}\n    after: a\n' >s.yaml
    run -1 grange run s.yaml
    has "$output" "the output of stage 'a' is not here: '"
    has "$output" "do all workers share the directory?"
}

@test "a farm: a name that is taken, a study on hold, an open port" {
    run -0 grange up --quiet --name lab -j 1 --dir one
    run -3 grange up --quiet --name lab -j 1 --dir two
    has "$output" "the farm lab is up in "
    has "$output" "give this one another name: --name NAME"
    run -0 grange submit --dir one --study s 'sleep {x}' ::: x=0.01 # a point
    run -0 grange wait --dir one s
    run -0 grange hold --dir one s
    has "$output" "s is on hold; none of its points runs"
    run -0 grange down --dir one --now
    run -0 grange up --name open -n 0 --dir three --listen tcp://127.0.0.1:0
    has "$output" "is not encrypted and asks nobody who he is: whoever reaches it can run commands as you; tls+tcp:// does both"
    run -0 grange down --dir three
    start scheduler "$GRANGE" scheduler --dir four --listen tcp://127.0.0.1:0
    poll_until 20 grep -q "whoever reaches it can run commands as you. tls+tcp:// does both." scheduler.err
}

@test "a place where nobody listens is named" {
    run -3 grange workers --connect "ipc://$PWD/none.sock"
    same "grange: no scheduler answered at ipc://$PWD/none.sock within 10 s: Connection refused" "$output"
}

@test "a connection file of another farm is said to be one, and which file counts" {
    local side url
    run -0 grange up --quiet --name lab -n 0 --listen tls+tcp://127.0.0.1:0
    mkdir old
    cp .grange/*.json old/
    run -0 grange down
    mv .grange gone
    run -0 grange up --quiet --name lab -n 0 --listen tls+tcp://127.0.0.1:0
    for side in client worker; do
        url=$(jq -r '.urls[0]' .grange/$side.json)
        jq --arg u "$url" '.urls = [$u]' old/$side.json >$side.json
        chmod 600 $side.json
    done
    run -3 grange submit --connect client.json true ::: x=1
    has "$output" "cannot connect to the farm lab at client.json: $(jq -r '.urls[0]' client.json): one side does not accept the other's certificate: $PWD/client.json may be of another farm, or of this one before its keys were made anew; the file that counts is $PWD/.grange/client.json"
    run -20 grange worker --connect worker.json
    has "$output" "$PWD/worker.json may be of another farm, or of this one before its keys were made anew; the file that counts is $PWD/.grange/worker.json"
    jq '.host = "elsewhere"' worker.json >far.json
    jq 'del(.host)' worker.json >nowhere.json
    chmod 600 far.json nowhere.json
    run -20 grange worker --connect far.json
    has "$output" "the file that counts is elsewhere:$PWD/.grange/worker.json"
    run -20 grange worker --connect nowhere.json
    has "$output" "the file that counts is the worker.json that its scheduler wrote last"
    mv .grange/worker.json of.json
    cp worker.json .grange/
    run -20 grange worker --connect .grange/worker.json # the place is right, what is in it is not
    has "$output" "is another scheduler at that address, or a clock wrong? $PWD/.grange/worker.json is ours"
    run -0 grange down
}

@test "an address with the wrong scheme is said to be one; where nobody is, once" {
    local plain tls
    run -0 grange up --quiet --name safe -n 0 --dir safe --listen tls+tcp://127.0.0.1:0
    run -0 grange up --quiet --name open -n 0 --dir open --listen tcp://127.0.0.1:0
    plain=$(jq -r '.urls[0]' open/client.json)
    tls=$(jq -r '.urls[0]' safe/client.json)
    jq --arg u "tls+$plain" '.urls = [$u] | .host = "elsewhere"' safe/client.json >mixed.json
    chmod 600 mixed.json
    start one "$GRANGE" status --connect "${tls#tls+}"
    one=$pid
    start two "$GRANGE" status --connect mixed.json
    two=$pid
    start three "$GRANGE" status --connect "ipc://$PWD/none.sock"
    finish "$pid"
    same 3 "$rc"
    same "grange: no scheduler answered at ipc://$PWD/none.sock within 10 s: Connection refused" "$(cat three.err)"
    finish "$one"
    same 3 "$rc"
    same "grange: no scheduler answered at ${tls#tls+} within 10 s: it closed the connection at once; is it tls+tcp:// there?" "$(cat one.err)"
    finish "$two"
    same 3 "$rc"
    same "grange: cannot connect to the farm safe at mixed.json: no scheduler answered at tls+$plain within 10 s: it closed the connection at once; is it tcp:// there?" "$(cat two.err)"
    # A worker goes on trying, and says so.
    start worker "$GRANGE" worker --connect "${tls#tls+}" # whose port for clients this is
    poll_until 20 grep -q 'event=no_scheduler .*it closed the connection at once; is it tls+tcp:// there?' worker.err
    run -3 grange submit true ::: x=1
    has "$output" "no farm is up in .grange; start one: grange up; or name one that is: --farm open ($PWD/open), safe ($PWD/safe)"
    run -3 grange submit --dir none true ::: x=1
    has_not "$output" "or name one that is"
    run -0 grange down --dir safe
    run -0 grange down --dir open
}

@test "what was stopped is said once to run again" {
    waiter
    run -0 grange up --quiet -j 1
    run -0 grange submit --quiet --study s sh waiter.sh {x} ::: x=1
    poll_until 20 lines_at_least started 1
    run -0 grange hold s --now
    poll_until 20 eval 'grange explain s 0 | grep -q "ready: to be run again (stopped); the study is on hold"'
    run -0 grange down --now
}

# long_output - the study "long", whose point printed more than a store keeps: it is in a file.
long_output() { run -0 grange run --quiet "$@" --study long 'head -c 3000000 /dev/zero' ::: x=1; }

@test "what a point printed, and nobody can have: stdout is full, its file is gone, it is cut" {
    long_output
    run -3 bash -c '"$GRANGE" log long 0 >/dev/full'
    has "$output" "cannot write what it printed: No space left on device"
    file=$(echo .grange/output/*/*.stdout)
    rm "$file"
    run -2 grange log long 0
    has "$output" "stdout of this point was in $file: No such file or directory"
    mkdir -m 700 two
    : >two/output # no directory can be there
    long_output --dir two
    run -0 bash -c '"$GRANGE" log --dir two long 0 >kept'
    has "$output" "note: stdout is cut: 1,048,576 of 3,000,000 bytes were kept"
    same 1048576 "$(stat -c %s kept)"
}

@test "a farm that is elsewhere, and stdout is full" {
    command -v python3 >/dev/null || skip "python3 is not here"
    run -0 grange up --quiet -n 1 -j 1 --listen tls+tcp://127.0.0.1:0 --engine "python3 $GRANGE_SOURCE/examples/engine/engine.py"
    long_output
    mkdir far
    sed 's/"host": *"[^"]*"/"host": "elsewhere"/' .grange/client.json >far/client.json
    chmod 600 far/client.json
    run -3 bash -c '"$GRANGE" log long 0 --connect far/client.json >/dev/full'
    has "$output" "cannot write what came: No space left on device"
    run -3 bash -c '"$GRANGE" call echo 7 >/dev/full'
    has "$output" "cannot write to stdout: No space left on device"
    run -0 grange down --now
}

@test "more points at a time than can be named" {
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    seq 0 65536 >points
    run -2 bash -c '"$GRANGE" retry s $(cat points)'
    has "$output" "65537 points were named; at most 65536 can be at a time"
}

@test "a machine that has no more processes or descriptors" {
    run -3 faulty pipe2:1 up --quiet -n 1
    has "$output" "cannot make a pipe: Too many open files"
    run -3 faulty fork:1 up --quiet -n 1
    has "$output" "cannot start a process: Resource temporarily unavailable"
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    run -3 faulty popen:1 graph s -o s.svg
    has "$output" "cannot start dot: Cannot allocate memory"
    run -3 faulty posix_spawn:1 run true ::: x=1
    has "$output" "cannot start the scheduler: Resource temporarily unavailable"
    run -3 faulty posix_spawn:2 run true ::: x=1
    has "$output" "cannot start the worker: Resource temporarily unavailable"
}

# A log that is a pipe which nobody reads: who opens it stands still.
@test "a scheduler that is never ready is given up, and ended" {
    mkdir -m 700 .grange .grange/log
    mkfifo .grange/scheduler.log .grange/log/scheduler.log
    GRANGE_PATIENCE_PERCENT=1 run -3 grange run true ::: x=1
    has "$output" "the scheduler was not ready after 0.6 s; see .grange/scheduler.log"
    GRANGE_PATIENCE_PERCENT=1 run -3 grange up -n 1
    has "$output" "not all were ready within 0.6 s; they go on: see "
    has "$output" "/log, or end them with grange down"
    keeper_there
    mapfile -t kept < <(descendants "$keeper")
    [ "${#kept[@]}" != 0 ]
    run -0 grange down
    has "$output" "is down"
    poll_until 20 gone "${kept[@]}" # nor do they stay behind, who stand still
    [ -z "$(ls .grange/keepers)" ]
}

@test "a scheduler that is killed before it is ready" {
    mkdir -m 700 .grange
    mkfifo .grange/scheduler.log
    start run "$GRANGE" run true ::: x=1
    poll_until 20 part_of "$pid" scheduler
    kill -9 "$(part_of "$pid" scheduler)"
    finish "$pid"
    same 3 "$rc"
    has "$(cat run.err)" "the scheduler ended with signal 9 (Killed); see .grange/scheduler.log"
}

# killed_again - kills the scheduler that serves by now; true when its run has given up.
killed_again() {
    local holder rest
    if [ "$(grep -c event=welcome .grange/worker.log)" -ge "$epoch" ]; then
        read -r holder rest <.grange/lock
        if kill -9 "$holder"; then epoch=$((epoch + 1)); fi
    fi
    gone "$run"
}

@test "a directory that another run has; a scheduler that dies again and again" {
    waiter
    start run "$GRANGE" run --study s sh waiter.sh '{x}' ::: x=1
    run=$pid
    poll_until 20 lines_at_least started 1
    run -3 grange run --study t true ::: x=1
    has "$output" "another \`grange run\` (process $run) is using .grange; wait for it, or use another directory with --dir"
    run -3 grange down
    has "$output" ".grange is that of a \`grange run\` (process $run), which ends it by itself"
    epoch=1 # it serves when the worker was welcomed once more; its run knows by then
    poll_until 60 killed_again
    finish "$run"
    same 3 "$rc"
    has "$(cat run.err)" "the scheduler ended 6 times within 10 s; giving up. The last time: the scheduler ended with signal 9 (Killed)"
    has "$(cat run.err)" "its log: .grange/scheduler.log"
    has "$(cat run.err)" "nothing that was recorded is lost"
}

@test "a worker that dies again and again" {
    run -3 grange run --study s 'kill -9 $PPID' ::: x=1:20
    has "$output" "the worker ended 6 times within 10 s; giving up"
    has "$output" "its log: .grange/worker.log"
}

@test "a run beside a scheduler that is up says whose it is; an output that is damaged is said" {
    start scheduler "$GRANGE" scheduler --dir .grange
    poll_until 20 test -S .grange/scheduler.sock
    run -0 grange run -j 1 --study s 'head -c 9999 /dev/zero' ::: x=1
    has "$output" "using the scheduler in .grange (that of \`grange up\` or \`grange scheduler\`)"
    kill "$pid"
    finish "$pid"
    sqlite3 .grange/grange.db "update output set flags = 1, out = x'00112233'"
    run -3 grange log s 0
    has "$output" "stdout of this point cannot be unpacked: the store is damaged"
}

@test "what a table lacks, where else a point printed, points that are new, a directory without a name" {
    run -0 grange run --quiet --study s -m 'e=regex:no (\d+)' 'echo 12345 >&2; true {x}' ::: x=1
    run -0 grange results s
    has "$output" "note: metric 'e' was not found in 1 of 1 points that are done"
    run -0 grange log s 0
    has "$output" "note: it printed 6 bytes to stderr: grange log s 0 --stderr"
    run -0 grange run --study s 'echo new {x}' ::: x=1
    has "$output" "the command or its input files differ from those of earlier points of this study: these are new points"
    run -0 grange run --study s 'echo new {x}' ::: x=1,2 # said once: this command is known by now
    has "$output" "s: 2 points, 1 ended before, 1 to run"
    has_not "$output" "differ from those of earlier points"
    mkdir gone
    cd gone
    rmdir ../gone
    run -3 grange run --dir "$BATS_TEST_TMPDIR/d" true ::: x=1
    has "$output" "the current directory cannot be named: No such file or directory"
    cd ..
}

@test "a farm that has no engines, that is up already, that is down, that is without its scheduler" {
    run -0 grange up --quiet --name lab -n 1 -j 1
    run -3 grange call --all f
    has "$output" "there are no engines; start workers with --plugin or --engine"
    run -2 grange up --listen tcp://127.0.0.1:0
    has "$output" " is up already; --listen is for its start: grange down, then up again"
    run -0 grange down
}

@test "a farm that goes down, whose scheduler is gone, that was killed" {
    waiter
    run -0 grange up --quiet --name lab -n 1 -j 1
    run -0 grange submit --quiet --study s sh waiter.sh '{x}' ::: x=1
    poll_until 20 lines_at_least started 1
    start down "$GRANGE" down --drain
    poll_until 20 grep -q ending .grange/lock
    run -3 grange up
    has "$output" "is going down, and waits for points that run: up again once it is down; grange down --now does not wait"
    touch go
    finish "$pid"
    same 0 "$rc"
    run -0 grange up --quiet --name lab -n 1 -j 1
    keeper_there
    read -r scheduler _ <.grange/lock
    kill -STOP "$keeper"
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    run -3 grange up
    has "$output" " has a keeper but no scheduler just now: it is being started again, or cannot be; see "
    # shellcheck disable=SC2046
    kill -9 "$keeper" $(descendants "$keeper")
    poll_until 20 gone "$keeper"
    run -3 grange workers --farm lab
    has "$output" "the farm lab is not up; start it with: grange up --name lab --dir $PWD/.grange"
}

@test "a keeper that is killed before its farm is ready" {
    mkdir -m 700 .grange .grange/log
    mkfifo .grange/log/scheduler.log
    start up "$GRANGE" up -n 1
    poll_until 20 keeper_there
    poll_until 20 hangs
    mapfile -t kept < <(descendants "$keeper")
    kill -9 "$keeper"
    finish "$pid"
    kill -9 "${kept[@]}" # what stands still does not see that its keeper is gone
    same 3 "$rc"
    has "$(cat up.err)" "the keeper ended before all was ready"
}

hangs() { [ -n "$(descendants "$keeper")" ]; }

keeper_there() {
    keeper=$(basename -a .grange/keepers/* | grep -x '[0-9]*')
}

@test "the scheduler of a run that is gone, which does not end" {
    waiter
    start run "$GRANGE" run --study s sh waiter.sh '{x}' ::: x=1
    run=$pid
    poll_until 20 lines_at_least started 1
    read -r scheduler _ <.grange/lock
    kill -STOP "$scheduler"
    kill -9 "$run"
    GRANGE_PATIENCE_PERCENT=1 run -3 grange run --study t true ::: x=1
    has "$output" "the scheduler of a \`grange run\` that is gone (process $run) still has .grange; see .grange/scheduler.log"
    kill -9 "$scheduler"
}

@test "a scheduler that does not answer, and that grange down cannot end, is named" {
    run -0 grange run --quiet --dir farm --study s true ::: x=1
    exec {lock}<>farm/lock
    flock "$lock"
    echo "4711 daemon" >&"$lock"
    run -3 grange retry s 0 --dir farm
    has "$output" "cannot connect to the scheduler: no scheduler answered at "
    run -3 grange down --dir farm --now
    has "$output" "the scheduler of farm (process 4711) does not end; see its log"
}

@test "a stage that waits for one that is not in the store" {
    printf 'stages:\n  a:\n    command: echo a\n  b:\n    command: echo {a.out}\n    after: a\n' >s.yaml
    run -0 grange run s.yaml
    sqlite3 .grange/grange.db "update study set name = 'other' where name = 's.a'"
    run -2 grange resume s.b
    has "$output" "study 's.b' waits for 's.a', which was not submitted; run the study file with both stages"
}
