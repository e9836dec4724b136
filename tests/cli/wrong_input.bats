#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# What a person gets wrong, and what is said then: what, where, and what would be right. Nothing is
# started and nothing is stored.
load helper

# wrong PART... -- ARGS... - `grange run ARGS` is refused with code 2 and says every PART.
wrong() {
    local parts=()
    while [ "$1" != -- ]; do
        parts+=("$1")
        shift
    done
    shift
    run -2 grange run "$@"
    [ ! -e .grange ] || { echo "made a directory"; return 1; }
    local part
    for part in "grange: " "${parts[@]}"; do has "$output" "$part"; done
}

@test "no command" {
    wrong "command" --
}

@test "no command before the factors" {
    wrong "command" -- ::: T=1,2
}

@test "unknown verb, with a suggestion" {
    run -2 grange rnu true
    has "$output" "run"
}
@test "unknown option, with a suggestion" {
    wrong -- --timeot 3 true ::: x=1
    has "$output" "--timeout"
}

@test "an option without its value" {
    wrong "--timeout" -- --timeout
}

@test "a number that is none" {
    wrong "-j" -- -j many true ::: x=1
}

@test "unknown placeholder: the known ones are listed" {
    wrong "{Z}" "{T}" "{seed}" -- echo '{Z}' ::: T=1,2
}

@test "a factor given twice" {
    wrong "'T'" "twice" -- echo '{T}' ::: T=1,2 T=3
}

@test "two factors or metrics that differ only in upper and lower case" {
    wrong "'t'" "'T'" "case" -- echo '{t}' '{T}' ::: t=1,2 T=3
    wrong "'X'" "case" -- --metric 'x=regex:1' --metric 'X=regex:2' echo '{t}' ::: t=1
    wrong "'T'" "factor" "case" -- --metric 'T=regex:1' echo '{t}' ::: t=1
    printf 'a,A\n1,2\n' >p.csv
    wrong "p.csv" "'a'" "'A'" "case" -- echo '{a}' ::: @p.csv
}

@test "an empty factor" {
    wrong "'T'" -- echo '{T}' ::: T=
}

@test "a range that never ends" {
    wrong "280:320:-10" "never reaches" "280:320:10" -- echo '{T}' ::: T=280:320:-10
}

@test "a range with step 0" {
    wrong "1:2:0" -- echo '{T}' ::: T=1:2:0
}

@test "a zip of unequal lengths" {
    wrong "3" "2" "'a'" "'b'" -- echo '{a}' '{b}' ::: '(a=1,2,3 + b=x,y)'
}

@test "a table with a ragged row" {
    printf 'a,b\n1,2\n3\n' >p.csv
    wrong "p.csv" "3" -- echo '{a}' ::: @p.csv
}
@test "a table with two columns of one name" {
    printf 'a,a\n1,2\n' >p.csv
    wrong "p.csv" "a" -- echo '{a}' ::: @p.csv
}
@test "a table that is not there" {
    wrong "nosuch.csv" -- echo '{a}' ::: @nosuch.csv
}

@test "a value file that is not there" {
    wrong "nosuch.txt" -- echo '{a}' ::: a=@nosuch.txt
}

@test "an empty value file" {
    : >empty.txt
    wrong "empty.txt" -- echo '{a}' ::: a=@empty.txt
}
@test "a missing input file" {
    wrong "deck.cir" -- --input deck.cir cat deck.cir ::: T=1
}

@test "a command that is not found" {
    wrong "nosuchprogram" "not found" -- nosuchprogram '{T}' ::: T=1
}

@test "options behind a command for the shell" {
    wrong "not found" "before it" -- 'sleep {T}; true' --timeout 3s ::: T=1 # a point
}

@test "a command file that is not there" {
    wrong "/nosuch" -- ./nosuch '{T}' ::: T=1
}

@test "0 points: --where leaves none" {
    wrong "0 points" -- --where 'T > 5' echo '{T}' ::: T=1,2
}

@test "a --where that is no expression" {
    wrong "--where" "T >" -- --where 'T >' echo '{T}' ::: T=1,2
}

@test "a --where with an unknown name" {
    wrong "U" "T" -- --where 'U > 1' echo '{T}' ::: T=1,2
}

@test "more points than a limit, which is named" {
    wrong "67108864" -- echo '{a}' ::: a=1:100000 b=1:100000
}
@test "a design without a number of points" {
    wrong "lhs" "n," -- --design lhs echo '{x}' ::: x=0..1
}

@test "a continuous factor without a design" {
    wrong "x" "design" "lhs" -- echo '{x}' ::: x=0..1
}

@test "an unknown design, with the known ones" {
    wrong "sobal" "sobol" -- --design sobal --n 3 echo '{x}' ::: x=0..1
}

@test "a timeout that is none" {
    wrong "soonish" -- --timeout soonish echo '{x}' ::: x=1
}

@test "a halt rule that is none" {
    wrong "fail=1" -- --halt sometimes echo '{x}' ::: x=1
}

@test "a metric of unknown kind" {
    wrong "xml" "regex" -- --metric 'e=xml:a' echo '{x}' ::: x=1
}

@test "a regular expression that is none" {
    wrong "e" -- --metric 'e=regex:(oops' echo '{x}' ::: x=1
}

@test "a metric with the name of a factor" {
    wrong "x" -- --metric 'x=regex:1' echo '{x}' ::: x=1
}

@test "a directory that cannot be written to" {
    if [ "$(id -u)" = 0 ]; then
        : >file # root may write everywhere, but nobody below a file
        run ! grange run --dir file/sub true {x} ::: x=1
    else
        mkdir -m 0555 fixed
        run ! grange run --dir fixed/sub true {x} ::: x=1
    fi
    has "$output" "grange: "
    has "$output" "/sub"
}

@test "a study that is not there: the known ones are listed" {
    run -0 grange run --quiet --study here true {x} ::: x=1
    run -2 grange results nowhere
    has "$output" nowhere
    has "$output" here
    for verb in "log nowhere 0" "explain nowhere 0" "resume nowhere" "retry nowhere" "cancel nowhere"; do
        # shellcheck disable=SC2086
        run -2 grange $verb
        has "$output" nowhere
    done
}

@test "no store at all" {
    for verb in status results "log a 0" "explain a 0"; do
        # shellcheck disable=SC2086
        run ! grange $verb
        has "$output" ".grange"
        [ ! -e .grange ]
    done
}

@test "a store from a newer version is left alone" {
    run -0 grange run --quiet --study s true {x} ::: x=1
    sqlite3 .grange/grange.db 'pragma user_version = 99; pragma wal_checkpoint(truncate)' >/dev/null
    before=$(sha256sum .grange/grange.db)
    run -3 grange run --quiet --study s true {x} ::: x=1,2
    has "$output" "newer"
    run ! grange results s
    has "$output" "newer"
    same "$before" "$(sha256sum .grange/grange.db)"
}

@test "a damaged store is said, with how to recover, and not overwritten" {
    run -0 grange run --quiet --study s --no-shuffle true {x} ::: x=1:2000
    sqlite3 .grange/grange.db 'pragma wal_checkpoint(truncate)' >/dev/null
    dd if=/dev/zero of=.grange/grange.db bs=1 seek=0 count=4096 conv=notrunc status=none
    before=$(sha256sum .grange/grange.db)
    run -3 grange run --quiet --study s true {x} ::: x=1:2001
    has "$output" "damaged"
    has "$output" "nothing was changed"
    has "$output" "to recover what can be read"
    run ! grange results s
    has "$output" "damaged"
    same "$before" "$(sha256sum .grange/grange.db)"
}

@test "a store that is no database" {
    mkdir .grange
    echo "a letter to grandmother, quite long, long enough to be no database at all" >.grange/grange.db
    before=$(sha256sum .grange/grange.db)
    run -3 grange run --quiet true {x} ::: x=1
    has "$output" "grange.db"
    same "$before" "$(sha256sum .grange/grange.db)"
}

@test "help: every verb has it, with examples" {
    run -0 grange
    has "$output" "grange run"
    run -0 grange --version
    has "$output" "grange 0."
    for verb in run status results log explain retry resume cancel scheduler worker; do
        run -0 grange help $verb
        has "$output" "$verb"
        run -0 grange $verb --help
        has "$output" "EXAMPLE"
    done
}

@test "completion in bash: verbs, options, words of an option, studies of the directory" {
    run -0 grange run --quiet --study first true {x} ::: x=1
    run -0 grange run --quiet --study second true {x} ::: x=1
    PATH=$(dirname "$GRANGE"):$PATH
    # shellcheck disable=SC1090
    source <(grange completion bash)
    completed() { # WORD... - what the last of them is completed to
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _grange
        echo "${COMPREPLY[*]}"
    }
    same "release results resume retry" "$(completed grange re | tr ' ' '\n' | sort | xargs)"
    has "$(completed grange run --re)" "--retry-failed"
    same "full normal off" "$(completed grange run --sync "")"
    same "first second" "$(completed grange results "" | tr ' ' '\n' | sort | xargs)"
    same "second" "$(completed grange explain s)"
    same "" "$(completed grange results first f)"
}

@test "shell completion is valid shell" {
    grange completion bash >c.bash
    bash -n c.bash
    has "$(cat c.bash)" "retry-failed"
    grange completion zsh >c.zsh
    has "$(cat c.zsh)" "retry-failed"
    has "$(cat c.zsh)" ":(table csv json)'"
}

# says COMMAND... - each line of stdin is a command and, behind a bar, what it must say; all are wrong usage, and start
# and store nothing.
says() {
    local line command
    while read -r line; do
        command=${line%%|*}
        # shellcheck disable=SC2086
        run -2 grange ${command% }
        has "$output" "${line#*| }"
    done
}

@test "each verb says which word is missing, and which is one too many" {
    says <<'END'
call | which function? for example: grange call collatz
cancel | which study? for example: grange cancel sim
retry | which study? for example: grange retry sim --failed
retry s 1 --failed | either --failed or points, not both
completion | for which shell? grange completion bash, or zsh
explain s | which study and point? for example: grange explain sim 17
explain s 1 2 | one point at a time; '2' is one too many
log | which study and point? for example: grange log sim 17
status a b | one study at most; 'a' and 'b' were given
results a b | one study at most; 'a' and 'b' were given
graph a b | one study at most; 'a' and 'b' were given
resume a b | one study at a time: 'a' and 'b' were given
wait | for which study? for example: grange wait sim
hold | which study? for example: grange hold sim
release | which study? for example: grange release sim
priority | which study? for example: grange priority sim 10
priority sim | which priority? for example: grange priority sim 10
priority sim 1 2 | '2' is one word too many
priority sim ten | the priority: 'ten' is no whole number
drain | which worker? see: grange workers
hold a b | 'b' is one word too many
farms x | grange farms takes no 'x'
top x | grange top takes no 'x'
up x | grange up takes no 'x'
workers x | grange workers takes no 'x'
scheduler x | grange scheduler takes no 'x'
worker x | grange worker takes no 'x'
results s --sort | --sort needs a value: --sort COLUMN
results s -o | -o needs a value: -o FILE
status --connect= | --connect needs a connection file or a URL
END
    [ ! -e .grange ]
}

@test "what may be given a number of times says so when it is given more often" {
    local i many=()
    for i in {1..70}; do many+=(--listen "tcp://127.0.0.1:0"); done
    run -2 grange up "${many[@]}"
    has "$output" "--listen was given more than"
    run -2 grange scheduler --dir x "${many[@]}"
    has "$output" "--listen was given more than"
    run -2 grange worker --connect x --name "$(printf 'n%.0s' {1..101})"
    has "$output" "a name has at most 100 bytes"
    [ ! -e .grange ]
}

@test "a store of several studies asks which; one that is still to be run says how much is left" {
    run -0 grange run --quiet --study a 'echo {n}' ::: n=1
    run -1 grange run --quiet --study b --halt soon,fail=1 -j 1 'exit 1' ::: n=1:20
    run -2 grange results
    has "$output" "which study? .grange has: a, b"
    run -0 grange results b
    has "$output" "points have not ended yet"
    run -0 grange log b 0
    has "$output" "note: the point printed nothing to stdout"
    run -3 grange results a -o nodir/a.csv
    run -2 grange graph a --points --out
    run -3 grange call collatz 7
    has "$output" "no farm is up"
    run -3 bash -c '"$GRANGE" results a >/dev/full'
    has "$output" "cannot write to stdout"
    run -3 bash -c '"$GRANGE" graph a >/dev/full'
    has "$output" "cannot write"
    run -3 bash -c '"$GRANGE" log a 0 >/dev/full'
    has "$output" "cannot write"
}
