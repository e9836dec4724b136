#!/usr/bin/env bats
# shellcheck disable=SC2154
# What is said of files that cannot be written, programs that cannot start, names that are taken.
load helper

@test "a file that cannot be written is named, with what is wrong" {
    run -3 grange run --save nowhere/s.yaml echo '{x}' ::: x=1
    has "$output" "cannot write 'nowhere/s.yaml': No such file or directory"
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    run -3 grange graph s -o nowhere/s.dot
    has "$output" "cannot write 'nowhere/s.dot': No such file or directory"
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
}

@test "a farm: a name that is taken, a study on hold, an open port" {
    run -0 grange up --quiet --name lab -j 1 --dir one
    run -3 grange up --quiet --name lab -j 1 --dir two
    has "$output" "the farm lab is up in "
    has "$output" "give this one another name: --name NAME"
    run -0 grange submit --dir one --study s 'sleep {x}' ::: x=0.01 # a point
    run -0 grange wait --dir one s
    run -0 grange hold --dir one s
    has "$output" "s is on hold"
    run -0 grange down --dir one --now
    run -0 grange up --name open -n 0 --dir three --listen tcp://127.0.0.1:0
    has "$output" "is not encrypted and asks nobody who he is: whoever reaches it can run commands as you; tls+tcp:// does both"
    run -0 grange down --dir three
    start scheduler "$GRANGE" scheduler --dir four --listen tcp://127.0.0.1:0
    poll_until 20 grep -q "whoever reaches it can run commands as you. tls+tcp:// does both." scheduler.err
}

@test "a place where nobody listens is named" {
    run -3 grange workers --connect "ipc://$PWD/none.sock"
    has "$output" "cannot connect to"
    has "$output" "none.sock"
}
