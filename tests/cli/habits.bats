#!/usr/bin/env bats
# shellcheck disable=SC2154,SC1083,SC2094,SC2016
# What who is new does: output that nobody takes, names that are kept, words in the wrong place.
load helper

@test "what cannot be written to stdout is no success, whatever the verb; where nobody reads any more it ends in silence" {
    run -0 grange up --quiet -j 1
    run -0 grange run --quiet --study s echo '{x}' ::: x=1:3
    mkfifo pipe
    exec {both}<>pipe {gone}>pipe {both}<&- # a pipe whose reader has gone
    export gone
    for verb in status 'status --json' 'explain s 0' 'explain s 0 --json' 'results s' 'graph s' 'log s 0' farms 'farms --json' workers 'workers --json' \
        'workers --watch' top up help 'help run' --version 'completion zsh' 'submit --study s echo {x} ::: x=1:3' \
        'run --json --study s echo {x} ::: x=1:3' 'run --dry-run echo {x} ::: x=1' 'wait --json s' 'cancel --json s'; do
        run -3 bash -c '"$GRANGE" $0 </dev/null >/dev/full' "$verb"
        has "$output" "cannot write"
        run -141 bash -c '"$GRANGE" $0 </dev/null >&"$gone"' "$verb"
    done
    exec {gone}>&-
    run -0 grange down
}

@test "a directory keeps the name of its farm when that goes down; another name is taken when it is given" {
    run -0 grange up --quiet --name lab -n 0
    run -0 grange down
    run -0 grange up -n 0
    has "$output" "farm lab is up"
    run -0 grange down --farm lab
    run -0 grange up -n 0 --name den
    run -0 grange down
    echo '../x' >.grange/farm # no name: as if there were none
    run -0 grange up -n 0
    has "$output" "farm default is up"
    run -0 grange down
}

@test "wait --timeout 0 looks once: a study that has ended has ended" {
    run -0 grange up --quiet -j 1
    run -0 grange run --quiet --study s echo '{x}' ::: x=1:3
    run -0 grange wait s --timeout 0
    has "$output" "s: 3 points: 3 done"
    run -0 grange hold s
    same "grange: s is on hold; none of its points runs" "$output"
    run -0 grange submit --study t --require none-has echo '{x}' ::: x=1
    run -4 grange wait t --timeout 0
    has "$output" "1 left"
    run -0 grange down --now
}

@test "words behind a study file, empty labels, options of no verb, a directory that is not there" {
    printf 'study: s\ncommand: [echo, "{x}"]\nfactors: {x: "1:3"}\n' >s.yaml
    run -2 grange run s.yaml ::: x=4
    has "$output" "':::' behind the study file s.yaml: its command and its factors are in the file"
    run -0 grange run --quiet s.yaml --fresh
    run -2 grange run --require '' echo '{x}' ::: x=1
    has "$output" "--require: an empty value asks for nothing; leave it out"
    run -2 grange worker --label ''
    has "$output" "--label: an empty value offers nothing; leave it out"
    run -2 grange --dir x status
    has "$output" "grange has no option --dir; see 'grange help'"
    run -2 grange status --dir nowhere
    has "$output" "nowhere/grange.db: there is no such directory, and no study yet"
}

@test "graph writes the picture that the name of the file says" {
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    command -v dot >/dev/null || skip "no dot (graphviz)"
    run -0 grange graph s -o s.png
    same "PNG" "$(head -c 4 s.png | tail -c 3)"
    run -0 grange graph s -o s.pdf
    same "%PDF" "$(head -c 4 s.pdf)"
    run -0 grange graph s -o s.svg
    grep -q '<svg' s.svg
    run -3 grange graph s -o nowhere/s.svg
    same "grange: cannot write nowhere/s.svg: No such file or directory" "$output"
    run -0 grange graph s -o s.dot
    has "$(head -1 s.dot)" "digraph"
    same "" "$(ls s.*.*)"
}

@test "values and tables of stdin: @-, also when the study goes on later" {
    run -0 bash -c 'seq 3 | "$GRANGE" run --quiet --study s "test {x} != 2" ::: x=@- || test $? = 1'
    same "1 2 3" "$(sql 'select x from results order by point' | xargs)"
    run -1 grange retry s --failed
    run -0 bash -c 'printf "a,b\n1,2\n3,4\n" | "$GRANGE" run --quiet --study t "echo {a} {b}" ::: @-'
    same "3 4" "$(grange log t 1)"
    echo 7 >-
    run -0 grange run --quiet --study u 'echo {x}' ::: x=@./-
    same 7 "$(grange log u 0)"
    run -2 grange run 'echo {x}' ::: x=@- # </dev/null
    has "$output" "file '-' has no line with a value in it"
}

@test "many points are counted with commas, also when they are cancelled or run again" {
    run -0 grange up --quiet -n 0
    run -0 grange submit --study s true '{x}' ::: x=1:1234
    run -0 grange cancel s
    same "grange: 1,234 points cancelled" "$output"
    run -0 grange retry s --failed
    same "grange: 1,234 points of s will run again" "$output"
    run -0 grange down
}

@test "of many studies a message names some whole, and says how many there are beyond" {
    for i in $(seq 11 30); do
        # shellcheck disable=SC2086
        run -0 grange run --quiet --study a-study-of-some-length-$i true '{x}' ::: x=1
    done
    run -2 grange results
    same "grange: which study? .grange has: $(seq -f 'a-study-of-some-length-%.0f' -s ', ' 11 22) and 8 more: \`grange status\` lists them" "$output"
    run -2 grange results b
    has "$output" "it has: a-study-of-some-length-30, a-study"
    has "$output" "a-study-of-some-length-19 and 8 more: \`grange status\` lists them"
}
