#!/usr/bin/env bats
# shellcheck disable=SC1083,SC2016,SC2030,SC2031,SC2154
# Study files with stages: they run in the order of their dependence and see each other's output.
load helper

# A mesh, a simulation at five angles, something for each of them, and a collection.
setup_more() {
    cat >step.sh <<'EOF'
echo "$1" >>ran
shift
eval "$*"
EOF
    cat >wing.yaml <<'EOF'
stages:
  collect:
    after: simulate
    command: ["sh", "step.sh", "collect", "cat {simulate.list}"]
  post:
    after: {simulate: each}
    command: ["sh", "step.sh", "post{alpha}", "sed s/lift/drag/ {simulate.out}/r"]
    metrics: {drag: 'regex:drag (\d+)'}
  mesh:
    command: ["sh", "step.sh", "mesh", "echo nodes 42 > {out}/m"]
  simulate:
    after: mesh
    command: ["sh", "step.sh", "simulate{alpha}", "cat {mesh.out}/m; echo lift $((2 * {alpha})) > {out}/r"]
    factors: {alpha: "0:4:1"}
EOF
}

before() { # FIRST SECOND: the line of one is above that of the other in `ran`
    [ "$(grep -nx "$1" ran | head -1 | cut -d: -f1)" -lt "$(grep -nx "$2" ran | head -1 | cut -d: -f1)" ]
}

@test "stages run in the order of their dependence and see the output of those before them" {
    run -0 --separate-stderr grange run wing.yaml
    has "$stderr" "wing.mesh: 1 point: 1 done"
    has "$stderr" "wing.post: 5 points: 5 done"
    same "0 2 4 6 8" "$(results wing.post | column drag | xargs)"
    same 12 "$(wc -l <ran)"
    for i in 0 1 2 3 4; do
        before mesh "simulate$i"
        before "simulate$i" "post$i"
        before "simulate$i" collect
    done
    run -0 grange log wing.collect 0
    has "$output" "index,alpha,dir"
    has "$output" "4,4,"
}

@test "the same again runs nothing; one more point runs that point, its post and the collection" {
    run -0 grange run --quiet wing.yaml
    : >ran
    run -0 grange run --quiet wing.yaml
    same "" "$(ran)"
    sed -i 's/0:4:1/0:5:1/' wing.yaml
    run -0 grange run --quiet wing.yaml
    same "collect post5 simulate5" "$(LC_ALL=C sort ran | xargs)"
}

@test "a stage whose command changed runs again with all that come after it" {
    run -0 grange run --quiet wing.yaml
    : >ran
    sed -i 's/nodes 42/nodes 43/' wing.yaml
    run -0 grange run --quiet wing.yaml
    same 12 "$(wc -l <ran)"
}

@test "what waits for a stage that failed is skipped with the reason" {
    sed -i 's/echo nodes 42 > {out}\/m/false/' wing.yaml
    run -1 --separate-stderr grange run wing.yaml
    same mesh "$(cat ran)"
    has "$stderr" "wing.mesh: 1 point: 0 done, 1 failed"
    run grange explain wing.simulate 0
    has "$output" "wing.mesh"
    [[ "$output" != *attempt* ]] # there was none
    sed -i 's/"mesh", "false"/"mesh", "echo nodes 42 > {out}\/m"/' wing.yaml
    run -0 grange run --quiet wing.yaml
    same 13 "$(wc -l <ran)"
}

@test "one failed point: only what goes with it is skipped" {
    sed -i 's/cat {mesh.out}\/m;/[ {alpha} != 3 ] || exit 1; &/' wing.yaml
    sed -i 's/after: simulate$/after: {simulate: either}/' wing.yaml
    run -1 grange run --quiet wing.yaml
    same "post0 post1 post2 post4" "$(grep post ran | sort | xargs)"
    same 1 "$(grep -c collect ran)"
}

@test "kill -9 of the run in the middle, then the same again: nothing is done twice" {
    sed -i 's/cat {mesh.out}\/m;/while [ ! -e go ] \&\& [ {alpha} != 0 ]; do sleep 0.02; done; &/' wing.yaml # a point
    start run "$GRANGE" run wing.yaml -j 2
    poll_until 20 grep -qx post0 ran
    poll_until 20 grep -qx simulate1 ran
    poll_until 20 done_at_least 3
    kill -9 "$pid"
    finish "$pid"
    touch go
    run -0 grange run --quiet wing.yaml
    for what in mesh simulate0 post0 collect; do same 1 "$(grep -cx "$what" ran)"; done
    same "0 2 4 6 8" "$(results wing.post | column drag | xargs)"
}

@test "a dry run shows what each stage would run" {
    run -0 grange run wing.yaml --dry-run
    has "$output" "study wing.mesh: 1 point"
    has "$output" "study wing.collect: 1 point"
    has "$output" "points/wing.mesh/point~"
    [ ! -e ran ]
}

@test "wrong stages are refused with file, line and the way out" {
    sed -i 's/after: mesh/after: mash/' wing.yaml
    run -2 --separate-stderr grange run wing.yaml
    same "grange: wing.yaml:12: stage 'simulate' waits for 'mash', which is no stage; did you mean 'mesh'?" "$stderr"
    sed -i 's/after: mash/after: collect/' wing.yaml
    run -2 --separate-stderr grange run wing.yaml
    has "$stderr" "these stages wait for each other: collect -> simulate -> collect"
    run -2 --separate-stderr grange run wing.yaml --save other.yaml
    [ ! -e .grange ]
}

@test "grange graph draws the stages, or their points, coloured by state" {
    run -0 grange run --quiet wing.yaml
    run -0 grange graph wing
    has "$output" '"wing.simulate" -> "wing.post" [label="each"]'
    has "$output" 'label="simulate\n5 done", fillcolor="#8fd6bd"'
    run -0 grange graph wing --points -o wing.svg
    has "$(cat wing.svg)" "alpha=3"
    run -0 grange graph --points # the last one
    same 5 "$(grep -c '"wing.simulate/[0-9]*" -> "wing.post/' <<<"$output")"
    same 6 "$(grep -c '"wing.simulate -> wing.collect"' <<<"$output" | awk '{print $1 - 1}')"
    run -2 grange graph nothing
    mkdir bin && ln -s "$(command -v sh)" bin/sh
    run -3 --separate-stderr env PATH="$PWD/bin" "$GRANGE" graph wing -o x.svg
    has "$stderr" "install graphviz"
}

draws() { "$GRANGE" graph wing "${@:2}" | grep -qF "$1"; }

@test "grange graph: what runs is blue" {
    sed -i 's/echo nodes/while [ ! -e go ]; do sleep 0.02; done; &/' wing.yaml # a point
    run -0 grange up -j 1
    run -0 grange submit --quiet wing.yaml
    poll_until 20 draws 'label="mesh\n1 running", fillcolor="#9ecdf0"'
    draws '"wing.mesh/0" [label="mesh\npoint 0", fillcolor="#9ecdf0"]' --points
    draws 'label="simulate\n5 left", fillcolor="#ffffff"'
    touch go
    run -0 grange wait wing.collect
    grange down
}

@test "grange resume goes on with all stages" {
    sed -i 's/cat {mesh.out}\/m;/[ -e go ] || exit 1; &/' wing.yaml
    run -1 grange run --quiet wing.yaml
    touch go
    run -0 grange resume wing --quiet --retry-failed
    same "0 2 4 6 8" "$(results wing.post | column drag | xargs)"
}

@test "status says which stages were skipped" {
    sed -i 's/echo nodes 42 > {out}\/m/false/' wing.yaml
    run -1 grange run --quiet wing.yaml
    run -0 grange status --json
    same "failed skipped skipped skipped" "$(jq -r '.[].state' <<<"$output" | xargs)"
    same "1 0 0 0" "$(jq -r '.[].failed' <<<"$output" | xargs)"
    same "0 5 1 5" "$(jq -r '.[].skipped' <<<"$output" | xargs)"
    same "1 5 1 5" "$(jq -r '.[].points' <<<"$output" | xargs)"
}
