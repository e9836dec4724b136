#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2086,SC2154
# The exit codes of docs/manual/exit-codes.md, verb by verb: each verb with an option that it does not have, without the
# farm or the store that it needs, with a stdout that takes nothing. What else each of them ends with is in the tests of
# the verb; the codes of daemons are in daemons.bats and disk_full.bats.
load helper

verbs() { grange --help | sed -n '/^Verbs:/,/^$/p' | sed -nE 's/^  ([a-z]+) .*/\1/p'; }

# ends CODE TEXT ARGS... - `grange ARGS` ends with the code, says the text, and makes nothing.
ends() {
    local code=$1 text=$2
    shift 2
    run "-$code" grange "$@"
    has "$output" "$text"
    [ ! -e none ] || { echo "grange $*: made a directory"; return 1; }
}

@test "2: an option that a verb does not have; a help that nobody wrote" {
    verbs | grep -vx help >list
    [ "$(wc -l <list)" -ge 23 ]
    while read -r verb; do
        ends 2 "grange $verb has no option --xyzzy-plugh" "$verb" --xyzzy-plugh
        run -0 grange "$verb" --help
    done <list
    ends 2 "'xyzzy'" help xyzzy
    run -0 grange help exit-codes
    ends 0 "Verbs:"
}

# What each verb does without a farm, and without a store; run, up and the daemons make what they need.
without="
resume s       | 2 | there is no such directory, and no study yet
retry s        | 2 | there is no such directory, and no study yet
cancel s       | 2 | there is no such directory, and no study yet
status         | 2 | there is no such directory, and no study yet
status s       | 2 | there is no such directory, and no study yet
results s      | 2 | there is no such directory, and no study yet
log s 0        | 2 | there is no such directory, and no study yet
explain s 0    | 2 | there is no such directory, and no study yet
graph s        | 2 | there is no such directory, and no study yet
submit true    | 3 | no farm is up in none; start one: grange up --dir none
wait s         | 3 | no farm is up in none; start one: grange up --dir none
workers        | 3 | no farm is up in none; start one: grange up --dir none
top            | 3 | no farm is up in none; start one: grange up --dir none
hold s         | 3 | no farm is up in none; start one: grange up --dir none
release s      | 3 | no farm is up in none; start one: grange up --dir none
priority s 1   | 3 | no farm is up in none; start one: grange up --dir none
drain w        | 3 | no farm is up in none; start one: grange up --dir none
call f         | 3 | no farm is up in none; start one: grange up --dir none
down           | 0 | the scheduler in none is not up
"

@test "2, 3: no store, no farm" {
    while IFS='|' read -r args code text; do
        [ -z "$args" ] || ends $code "${text# }" ${args%% *} --dir none ${args#* }
    done <<<"$without"
    for verb in $(verbs); do
        case $verb in run | up | farms | worker | scheduler | completion | help) continue ;; esac
        has "$without" $'\n'"$verb "
    done
    ends 0 "no farm of yours is up" farms
}

@test "2: no farm of that name; a study, a point that is not there" {
    while IFS='|' read -r args _; do
        [ -z "$args" ] || ends 2 "no farm is called 'nosuch'" ${args%% *} --farm nosuch ${args#* }
    done <<<"$without"
    ends 2 "no farm is called 'nosuch'" run --farm nosuch true ::: x=1
    run -0 grange up --quiet -n 1 -j 1
    run -0 grange run --quiet --study s true ::: x=1
    for args in "resume t" "retry t" "cancel t" "status t" "results t" "log t 0" "explain t 0" "graph t" "wait t" "hold t" \
        "release t" "priority t 1" "log s 7" "explain s 7" "cancel s 7" "retry s 7" "drain w"; do
        run -2 grange $args
    done
    run -0 grange down
}

@test "3: what is printed finds no room" {
    run -0 grange up --quiet -n 1 -j 1
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    for args in status "status s" "status --json" "results s" "log s 0" "explain s 0" "graph s" farms workers "workers --json" "workers --watch" \
        top "submit true ::: x=2" "run --json --study u true ::: x=2" "wait s --json" "completion bash" "help run" --help; do
        run bash -c '"$GRANGE" '"$args"' >/dev/full'
        [ "$status" = 3 ] || { echo "grange $args: $status"; return 1; }
        has "$output" "cannot write"
    done
    run -0 grange down
}
