#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# Study files: YAML with the words of the command line.
load helper

setup_more() { counter; }

@test "a study file runs" {
    cat >study.yaml <<'EOF'
study: first
command: [sh, counter.sh, "{T}", "{n}"]
factors:
  T: 280:300:10
  n: [1, 2]
metrics:
  sum: 'regex:got ([0-9]+)'
task:
  timeout: 30s
  retries: 1
EOF
    run -0 grange run --quiet study.yaml
    same "$(printf '%s\n' '280 1' '280 2' '290 1' '290 2' '300 1' '300 2')" "$(ran)"
    same "280 280 290 290 300 300" "$(results first | column sum | xargs)"
}

@test "it is the same study as the typed one" {
    run -0 grange run --quiet --study s sh counter.sh {T} ::: T=1,2
    cat >study.yaml <<'EOF'
study: s
command: [sh, counter.sh, "{T}"]
factors: {T: [1, 2, 3]}
EOF
    run -0 grange run --quiet study.yaml
    same "$(printf '%s\n' 1 2 3)" "$(ran)"
}

@test "values are taken literally: no is the string no, 007 and 1e3 keep their spelling" {
    cat >study.yaml <<'EOF'
study: s
command: [sh, counter.sh, "{v}"]
factors:
  v: [no, yes, 007, 1e3, ~, null, 0x1F, 1_000, 12:30:45, 1.10]
EOF
    run -0 grange run --quiet -j 1 study.yaml
    same "$(printf '%s\n' no yes 007 1e3 '~' null 0x1F 1_000 12:30:45 1.10)" "$(cat ran)"
}

@test "--save writes a study file that gives the same points" {
    printf 'a,b\n1,x\n2,y\n' >t.csv
    echo "deck {c}" >deck
    words=(--study s --reps 2 --where 'c < 3' --input deck --metric 'm=regex:got (.*)' --timeout 300% --retries 2
        --exit 75:retry sh "$PWD/counter.sh" {a} {b} {c} {seed} ::: @t.csv 'c=lin(1,3,3)')
    run -0 grange run --dry-run --save study.yaml "${words[@]}"
    [ -s study.yaml ]
    run -0 grange run --quiet --dir one "${words[@]}"
    run -0 grange run --quiet --dir two study.yaml
    same "$(grange results s --dir one --format csv | cut -d, -f1-5)" "$(grange results s --dir two --format csv | cut -d, -f1-5)"
    # And it is the same study: nothing is left to run.
    run -0 grange run --dir one --dry-run study.yaml
    sum=$(find one two -type f -name ran -exec cat {} + | wc -l)
    run -0 grange run --quiet --dir one study.yaml
    same "$sum" "$(find one two -type f -name ran -exec cat {} + | wc -l)"
}

@test "options on the command line win over the file's" {
    printf 'study: s\ncommand: [sh, counter.sh, "{v}"]\nfactors: {v: [1, 2, 3]}\n' >study.yaml
    run -0 grange run --quiet --study other --where 'v > 1' study.yaml
    same "$(printf '%s\n' 2 3)" "$(ran)"
    run -0 grange results other
}

# wrong YAML PART... - the study file is refused with code 2 and says every PART, file and line.
wrong() {
    printf '%b' "$1" >bad.yaml
    shift
    run -2 grange run bad.yaml
    [ ! -e .grange ]
    local part
    for part in "grange: " "bad.yaml:" "$@"; do has "$output" "$part"; done
}

@test "an unknown key, with line and suggestion" {
    wrong 'command: [true]\nfactor: {x: [1]}\n' "bad.yaml:2" "'factor'" "factors"
}

@test "an unknown key inside task" {
    wrong 'command: [true]\nfactors: {x: [1]}\ntask:\n  timeuot: 3s\n' "bad.yaml:4" "timeuot" "timeout"
}

@test "a key given twice" {
    wrong 'command: [true]\nfactors: {x: [1]}\ncommand: [false]\n' "bad.yaml:3" "command"
}

@test "no command" {
    wrong 'factors: {x: [1]}\n' "command"
}

@test "a list where a word belongs" {
    wrong 'study: [a]\ncommand: [true]\n' "bad.yaml:1" "study"
}

@test "broken YAML" {
    wrong 'command: [true\nfactors: {x: 1\n' "bad.yaml:"
}

@test "a range that never ends, with its key" {
    wrong 'command: [echo, "{x}"]\nfactors:\n  x: 3:1:1\n' "bad.yaml:3" "x"
}

@test "an unknown placeholder" {
    wrong 'command: [echo, "{y}"]\nfactors: {x: [1]}\n' "{y}" "{x}"
}

@test "a wrong exit action" {
    wrong 'command: [true]\nfactors: {x: [1]}\nexit: {75: again}\n' "bad.yaml:3" "again" "retry"
}

@test "an empty file" {
    wrong '' "command"
}

@test "an alias bomb is refused" {
    wrong 'a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n' "bad.yaml:"
}

@test "a study file that is not there" {
    run -2 grange run nosuch.yaml
    has "$output" "nosuch.yaml"
}

@test "the files of examples/ are good study files" {
    run -0 grange run --dry-run "$GRANGE_SOURCE/examples/rlc/study.yaml"
    has "$output" "252"
}
