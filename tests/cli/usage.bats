#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154
# What is wrong on the command line, of every verb: the exit code is 2, the text says what would be right, and
# nothing was made.
load helper

# refuse TEXT ARGS... - `grange ARGS` ends with 2 and says "grange: TEXT" first.
refuse() {
    local text=$1
    shift
    run -2 grange "$@"
    case $output in "grange: $text"*) ;; *)
        printf 'grange %.200s\nsaid:   %s\nwanted: grange: %s\n' "$*" "$output" "$text"
        return 1
        ;;
    esac
    [ ! -e .grange ] || { echo "made a directory"; return 1; }
}

# times N WORDS... - the words, N times.
times() {
    local i n=$1
    shift
    for ((i = 0; i < n; i++)); do printf '%s\n' "$@"; done
}

@test "a verb that is not there" {
    refuse "there is no 'stauts'; did you mean 'grange status'?" stauts
    refuse "there is no './simulate-it'; see 'grange help' (to run a command: grange run ./simulate-it ...)" ./simulate-it
    run -2 grange help xyzzyx
}

@test "options that are not there, or not as they should be" {
    refuse "grange run has no option --timeot; did you mean --timeout?" run --timeot 3 true
    refuse "grange farms has no option --xyzzy-plugh" farms --xyzzy-plugh
    refuse "grange farms has no option -Z" farms -Z
    refuse "grange priority has no option -7; words that begin with '-' come behind '--': grange priority .. -- -7" priority s -7
    refuse "--json takes no value; it was given 'x'" status --json=x
    refuse "--timeout needs a value: --timeout TIME" run --timeout
    refuse "-j needs a value: -j N" run -j
    refuse "-j: 'many' is no whole number; it must be one from 1 to 4096" run -j many true
    refuse "-j: 5000 is out of bounds; it must be from 1 to 4096" run -j 5000 true
    refuse "--grace: '1 week' is no duration; write 30s, 5m, 2h, 1d or 500ms" drain w --grace '1 week'
    refuse "--timeout: 400d is out of bounds; it must be from 0 s to " wait s --timeout 400d
    run -2 grange farms --xyzzy-plugh
    has "$output" "see: grange help farms"
}

@test "one word too many, or too few" {
    refuse "grange farms takes no 'x'" farms x
    refuse "grange down takes no 'x'; --farm or --dir says which one" down x
    refuse "grange up takes no 'x'" up x
    refuse "grange top takes no 'x'" top x
    refuse "grange workers takes no 'x'" workers x
    refuse "one point at a time; '2' is one too many" log s 1 2
    refuse "which study and point? for example: grange explain sim 17" explain
    refuse "one study at most; 's' and 't' were given" status s t
    refuse "one study at a time: 's' and 't' were given" resume s t
    refuse "which study? for example: grange retry sim --failed" retry
    refuse "either --failed or points, not both" retry s --failed 3
    refuse "for which study? for example: grange wait sim" wait
    refuse "which worker? see: grange workers" drain
    refuse "which study? for example: grange hold sim" hold
    refuse "which study? for example: grange priority sim 10" priority
    refuse "which priority? for example: grange priority s 10" priority s
    refuse "'x' is one word too many" hold s x
    refuse "for which shell? grange completion bash, or zsh" completion
    refuse "which function? for example: grange call collatz @number" call
    refuse "what is 'c'? grange call takes a function and its bytes; quote them" call f b c
    # shellcheck disable=SC2046
    refuse "at most 64 studies at a time" wait $(seq 65)
}

@test "values that cannot be" {
    refuse "--format: 'xml' is none of table, csv, json" results s --format xml
    refuse "there is no completion for 'fish'; it is one of bash, zsh" completion fish
    refuse "--sync: 'maybe' is not known; it is one of full, normal, off" run --sync maybe true
    refuse "the priority: 'high' is no whole number" priority s high
    refuse "the priority: 99999999999 is out of bounds; it must be from -1000000 to 1000000" priority s 99999999999
    refuse "either --json or --watch, not both" workers --json --watch
    refuse "either --engine or --all, not both" call f --engine 1 --all
    # shellcheck disable=SC2046
    refuse "more than 4096 engines; --all means all" call f $(times 4097 --engine 3)
    refuse "only one of --connect, --farm and --dir says which farm" status --dir d --connect c
    refuse "--dir needs the name of a directory" status --dir ''
    refuse "--connect needs a connection file or a URL" status --connect ''
    refuse "--farm needs a name; see: grange farms" status --farm ''
    refuse "the name of the directory is longer than " status --dir "$(printf 'd%.0s' {1..5000})"
    refuse "the connection is longer than " status --connect "$(printf 'c%.0s' {1..5000})"
    refuse "halt 'sometimes' should be" run --halt sometimes true ::: x=1
}

@test "run: what does not go together" {
    refuse "cannot read the study file 'nosuch.yaml': No such file or directory" run nosuch.yaml
    refuse "--function noop runs no command, but 'true' was given" run --function noop true ::: x=1
    refuse "there is no command to run, for example: grange run ./sim" run
    refuse "there is no command to run, for example: grange submit ./sim" submit
    refuse "--where was given twice; join the two: --where '(A) and (B)'" run --where 'x>1' --where 'x<3' true ::: x=1:4
    refuse "'--json' is an option of grange run among the values after ':::'; write it before the command, or, if it is a value, as a factor: x=--json" \
        run echo ::: a --json
    refuse "after ':::', 'b' is a plain value and 'x=1' is a factor; a group holds either factors" run echo ::: b x=1
    refuse "'::::' is not known here; write ':::' before factors such as T=1,2,3, x=@FILE for a file with a value a line" run echo :::: x=1
    refuse "there is nothing after ':::'; factors such as T=280:320:10" run echo :::
    # shellcheck disable=SC2046
    refuse "--metric was given more than 512 times" run $(times 513 --metric m=regex:x) true ::: x=1
    refuse "each point takes 3 cores, but -j is 2: none could ever run" run -j 2 --cores 3 true ::: x=1
    refuse "each point takes 1073741824 MiB of memory, but this machine has " run --memory 1024T true ::: x=1
    : >plain
    refuse "command '$PWD/plain' is not executable; try: chmod +x $PWD/plain" run ./plain ::: x=1
    refuse "command '$PWD/none': No such file or directory" run ./none ::: x=1
    chmod +x plain
    refuse "command 'plain' was not found in PATH; did you mean ./plain?" run plain ::: x=1
    printf 'stages:\n  a:\n    command: ./plain\n' >stages.yaml
    refuse "--save writes one study; a file with stages is saved already: stages.yaml" run --save b.yaml stages.yaml
    printf 'stages:\n  a:\n    command: nosuchprogram\n' >stages.yaml
    refuse "stage a: command 'nosuchprogram' was not found in PATH" run stages.yaml
}

@test "submit: what belongs to grange run" {
    refuse "--dry-run and --save are for grange run" submit --dry-run true ::: x=1
    refuse "-j is for grange run: a farm that is up has its own" submit -j 2 true ::: x=1
    refuse "--grace is for grange run: a farm that is up has its own" submit --grace 2 true ::: x=1
    refuse "--sync is for grange run: a farm that is up has its own" submit --sync off true ::: x=1
}

@test "up, scheduler and worker: options of daemons" {
    refuse "--listen nowhere: expected tls+tcp://HOST:PORT, ipc://PATH or tcp://HOST:PORT" up --listen nowhere
    # shellcheck disable=SC2046
    refuse "--listen was given more than 8 times" up $(times 9 --listen tcp://127.0.0.1:0)
    # shellcheck disable=SC2046
    refuse "--label: at most 32 options for workers" up $(times 33 --label a)
    refuse "--dir needs the name of a directory" up --dir ''
    refuse "--plugin: cannot read './none.so': No such file or directory" up --plugin ./none.so
    refuse "resource 'gpus=many' should be NAME=NUMBER, for example gpus=2" up --resource gpus=many
    refuse "label 'a b' should be letters, digits" up --label 'a b'
    refuse "--memory: memory 'lots' is no amount; write 512M or 2G" up --memory lots
    refuse "--grace: 'lots' is no duration" up --grace lots
    refuse "--plugin: cannot read './none.so': No such file or directory" worker --plugin ./none.so
    refuse "--name: " up --name a/b
    refuse "--end-time: '2020-01-01T00:00' is over" worker --end-time 2020-01-01T00:00
    refuse "--end-time: 'soon' should be a time from now such as 2h or 90m" worker --end-time soon
    refuse "--memory: memory 'much' is no amount; write 512M or 2G" worker --memory much
    refuse "resource 'gpus=x' should be NAME=NUMBER, for example gpus=2" worker --resource gpus=x
    refuse "label 'a b' should be letters, digits and _" worker --label 'a b'
    # shellcheck disable=SC2046
    refuse "a worker has at most 64 labels" worker $(for i in $(seq 65); do echo "--label l$i"; done)
    # shellcheck disable=SC2046
    refuse "a worker has at most 8 resources" worker $(for i in $(seq 9); do echo "--resource r$i=1"; done)
}
