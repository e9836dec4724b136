#!/usr/bin/env bats
# shellcheck disable=SC2094,SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# Real programs: the circuit simulator ngspice and the linear-programming solver glpsol, and examples/.
load helper

@test "glpsol: a model with placeholders, the objective read from its report" {
    # The most 3x + 2y with x + y <= demand, x <= 5: 3 min(5, d) + 2 (d - min(5, d)).
    cat >model.lp <<'EOF'
Maximize
 profit: 3 x + {price} y
Subject To
 cap: x + y <= {demand}
Bounds
 0 <= x <= 5
End
EOF
    run -0 grange run --quiet --study lp --input model.lp \
        --metric 'profit=regex@report:^Objective: +profit = ([-0-9.e+]+)' \
        --metric 'status=regex@report:^Status: +([A-Z]+)' \
        --metric 'rows=regex:([0-9]+) rows?,' \
        glpsol --lp model.lp -o report ::: demand=2:8:2 price=1,2
    results lp >r.csv
    same "6 6 12 12 16 17 18 21" "$(column profit <r.csv | xargs)"
    same "OPTIMAL" "$(column status <r.csv | sort -u)"
    same "1" "$(column rows <r.csv | sort -u)"
}

@test "glpsol: a broken model fails its point only, and the reason is there" {
    printf 'Maximize\n p: x\nSubject To\n c: x <= {limit}\nEnd\n' >model.lp
    run -1 grange run --quiet --study lp --input model.lp glpsol --lp model.lp ::: limit=3,oops,4
    same "done failed done" "$(results lp | column state | xargs)"
    has "$(grange log lp limit=oops)" "error"
}

@test "ngspice: a deck that it does not understand fails with its exit code" {
    printf 'nothing to do\nR1 a 0 {R}\n.end\n' >deck.cir
    run -1 grange run --quiet --study s --input deck.cir ngspice -b deck.cir ::: R=1
    has "$(grange results s)" "exit 1"
}

@test "examples/rlc: 252 circuits agree with theory within 1 %, as table and picture" {
    run -0 "$GRANGE_SOURCE/examples/rlc/run.sh" out
    has "$output" "252 points; largest deviation"
    same 253 "$(wc -l <out/compared.csv)"
    same 504 "$(grep -c '<circle' out/rlc.svg)"
    tail -n 1 out/rlc.svg | grep -q '</svg>'
    same 252 "$(column f0 <out/compared.csv | grep -c '^[0-9.]*e[+][0-9]*$')"
    # A second time nothing runs, and nothing differs.
    cp out/compared.csv first.csv
    before=$(DIR=out/.grange sql 'select count(*) from ended')
    run -0 "$GRANGE_SOURCE/examples/rlc/run.sh" out
    same "$before" "$(DIR=out/.grange sql 'select count(*) from ended')"
    cmp first.csv out/compared.csv
    # The study file is the same study.
    run -0 grange run --dir out/.grange --dry-run "$GRANGE_SOURCE/examples/rlc/study.yaml"
    has "$output" "to run: 0"
}

@test "examples/rlc: the comparison notices a wrong value" {
    printf 'R,L,C,f0,bandwidth\n10,1e-4,1e-8,1.7e5,1.59155e4\n' >wrong.csv
    awk -f "$GRANGE_SOURCE/examples/rlc/compare.awk" wrong.csv >compared.csv
    run -1 awk -f "$GRANGE_SOURCE/examples/rlc/largest.awk" compared.csv
}

@test "examples/pi: the same numbers in any order and on any number of workers" {
    for jobs in 1 2 5; do
        JOBS=$jobs run -0 "$GRANGE_SOURCE/examples/pi/run.sh" "out$jobs"
        has "$output" "pi is about 3.14"
        column hits <"out$jobs/results.csv" >"hits$jobs"
    done
    same 100 "$(wc -l <hits1)"
    [ "$(sort -u hits1 | wc -l)" -gt 50 ]
    cmp hits1 hits2
    cmp hits1 hits5
    grange run --quiet --dir shuffled --study pi --shuffle --reps 100 --metric 'hits=regex:hits ([0-9]+)' out1/pi {seed} {n} ::: n=20000
    same "$(cat hits1)" "$(grange results --dir shuffled pi --format csv | column hits)"
}

@test "examples/collatz: the lengths of 1..300" {
    run -0 "$GRANGE_SOURCE/examples/collatz/run.sh" out
    column steps <out/results.csv >steps
    same 300 "$(wc -l <steps)"
    same 111 "$(sed -n 27p steps)"
    same 0 "$(sed -n 1p steps)"
    same 127 "$(sort -n steps | tail -n 1)"
    same 9232 "$(column top <out/results.csv | sed -n 27p)"
}
