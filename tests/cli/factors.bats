#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# Factors and placeholders: which points there are, in which order, and what their commands are.
load helper

# commands ARGS... - what `grange run ARGS` would run, one command a line, in order.
commands() {
    grange run --quiet --no-shuffle --study t -j 1 --dir "d$BATS_TEST_NUMBER-$RANDOM" "$@" >run.out 2>run.err || {
        cat run.out run.err
        return 1
    }
    cat ran
    rm ran
}

setup_more() { counter; }

@test "a range has both ends" {
    same "$(printf '%s\n' 280 290 300 310 320)" "$(commands sh counter.sh {T} ::: T=280:320:10)"
}

@test "a range that steps down" {
    same "$(printf '%s\n' 3 2 1)" "$(commands sh counter.sh {T} ::: T=3:1:-1)"
}

@test "a range without a step counts by one" {
    same "$(printf '%s\n' 4 5 6)" "$(commands sh counter.sh {T} ::: T=4:6)"
}

@test "a range of decimals shows no binary noise" {
    same "$(printf '%s\n' 0.1 0.2 0.3)" "$(commands sh counter.sh {x} ::: x=0.1:0.3:0.1)"
    same "$(printf '%s\n' 0.7 0.8 0.9 1.0 1.1)" "$(commands sh counter.sh {x} ::: x=0.7:1.1:0.1)"
}

@test "numbers keep the spelling they were given in" {
    same "$(printf '%s\n' 1e-3 007 1.50 +2 0x10)" "$(commands sh counter.sh {k} ::: k=1e-3,007,1.50,+2,0x10)"
}

@test "lists are crossed, the last factor varies fastest" {
    same "$(printf '%s\n' '1 a' '1 b' '2 a' '2 b')" "$(commands sh counter.sh {n} {c} ::: n=1,2 c=a,b)"
}

@test "lin and log give so many values, ends included" {
    same "$(printf '%s\n' 0 0.25 0.5 0.75 1)" "$(commands sh counter.sh {k} ::: 'k=lin(0,1,5)')"
    values=$(commands sh counter.sh {k} ::: 'k=log(1e-3,1e-1,3)')
    same "0.001 0.01 0.1" "$(awk '{ printf "%s%.6g", (NR > 1 ? " " : ""), $1 }' <<<"$values")"
}

@test "a file gives a value a line" {
    printf 'one\ntwo words\nthree' >values.txt
    same "$(printf '%s\n' one 'two words' three)" "$(commands sh counter.sh {v} ::: v=@values.txt)"
}

@test "a table names its factors, and crosses with others" {
    printf 'a,b\n1,x\n2,"y,z"\n' >points.csv
    same "$(printf '%s\n' '1 x 7' '1 x 8' '2 y,z 7' '2 y,z 8')" \
        "$(commands sh counter.sh {a} {b} {c} ::: @points.csv c=7,8)"
}

@test "zipped factors go together" {
    same "$(printf '%s\n' '1 x' '2 y' '3 z')" "$(commands sh counter.sh {a} {b} ::: '(a=1,2,3 + b=x,y,z)')"
}

@test "plain values as GNU parallel has them" {
    same "$(printf '%s\n' 1 2 3)" "$(commands sh counter.sh {} ::: 1 2 3)"
    same "$(printf '%s\n' 'a 1' 'b 1' 'a 2' 'b 2')" "$(commands sh counter.sh {2} {1} ::: 1 2 ::: a b)"
}

@test "index, replicate, study, brace" {
    same "$(printf '%s\n' '0 5 0 t {x}' '1 5 1 t {x}' '2 6 0 t {x}' '3 6 1 t {x}')" \
        "$(commands --reps 2 sh counter.sh {#} {n} {rep} {study} '{{x}' ::: n=5,6)"
}

@test "the seed of a point does not depend on its position" {
    commands sh counter.sh {n} {seed} ::: n=1,2,3 >a
    commands sh counter.sh {n} {seed} ::: n=3,1,2 >b
    same "$(sort a)" "$(sort b)"
    same 3 "$(cut -d' ' -f2 a | sort -u | wc -l)"
    commands --seed 7 sh counter.sh {n} {seed} ::: n=1,2,3 >c
    run ! cmp -s a c
}

@test "arguments are passed as they are" {
    cat >args.sh <<'EOF'
for a in "$@"; do printf '<%s>' "$a"; done >>ran
echo >>ran
EOF
    # shellcheck disable=SC2016
    same '<a  b><$HOME><*><; touch oops><it'\''s>' \
        "$(commands sh args.sh 'a  b' '$HOME' '*' '; touch oops' {v} ::: "v=it's")"
    [ ! -e oops ]
}

@test "one argument with spaces is run by sh, its values quoted" {
    # shellcheck disable=SC2016
    same "it's; \$HOME" "$(commands 'printf "%s\n" {v} | cat >>ran' ::: "v=it's; \$HOME")"
}

@test "--where leaves points out" {
    same "$(printf '%s\n' '1 300' '1 600' '2 300')" \
        "$(commands --where 'n*T < 1200' sh counter.sh {n} {T} ::: n=1,2 T=300,600)"
}

@test "replicates are points of their own, with seeds of their own" {
    commands --reps 3 sh counter.sh {n} {rep} {seed} ::: n=1,2 >a
    same 6 "$(wc -l <a)"
    same 6 "$(cut -d' ' -f3 a | sort -u | wc -l)"
}

@test "the environment carries the point" {
    # shellcheck disable=SC2016
    words='"$GRANGE_STUDY $GRANGE_POINT $GRANGE_REP $GRANGE_FACTOR_T"; [ "$GRANGE_SEED" = {seed} ] && [ "$GRANGE_ATTEMPT" ]'
    same "t 1 0 3" "$(commands --where 'T = 3' sh -c "echo >>ran $words" ::: T=2,3)"
}

@test "a random design has N points in range, the same every time, and keeps them when N grows" {
    for design in random lhs sobol; do
        commands --design $design --n 20 sh counter.sh {x} {k} ::: x=0..10 k=log:1e-3..1e-1 >a
        commands --design $design --n 20 sh counter.sh {x} {k} ::: x=0..10 k=log:1e-3..1e-1 >b
        cmp a b
        same 20 "$(sort -u a | wc -l)"
        awk '$1 < 0 || $1 > 10 || $2 < 1e-3 || $2 > 1e-1 { print "out of range: " $0; bad = 1 } END { exit bad }' a
    done
    for design in random sobol; do
        commands --design $design --n 20 sh counter.sh {x} ::: x=0..10 >a
        commands --design $design --n 30 sh counter.sh {x} ::: x=0..10 >b
        same "$(cat a)" "$(head -n 20 b)"
    done
}

@test "a Latin hypercube has one point in each slice of each factor" {
    commands --design lhs --n 16 sh counter.sh {x} {y} ::: x=0..16 y=0..16 >a
    for column in 1 2; do
        same "$(seq 0 15)" "$(awk -v c=$column '{ print int($c) }' a | sort -n)"
    done
}
