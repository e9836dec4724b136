#!/usr/bin/env bats
# shellcheck disable=SC1083,SC2016,SC2154
# Options that no other file of these tests needs: that they are taken, and what they do.
load helper

# each_verb AT... - every verb that means a farm finds the one that AT names.
each_verb() {
    local verb
    for verb in "status s" "results s" "log s 0" "explain s 0" "graph s" workers top "hold s" "release s" \
        "priority s 3" "retry s 0" "wait s" "cancel s" "retry s --failed" "resume s" "wait s"; do
        # shellcheck disable=SC2086
        run -0 grange $verb "$@"
    done
    run -0 grange submit "$@" --study s 'echo {n}' ::: n=1,2
    run -0 grange run "$@" --study s 'echo {n}' ::: n=1,2
    run -2 grange status nosuch "$@"
    has "$output" "there is no study 'nosuch'"
}

@test "every verb that means a farm takes --dir, --farm and --connect" {
    run -0 grange up --dir there --name lab -n 1 -j 1
    run -0 grange run --dir there --study s 'echo {n}' ::: n=1,2
    mkdir here
    cd here
    each_verb --dir ../there
    each_verb --farm lab
    each_verb --connect "ipc://${PWD%/here}/there/scheduler.sock"
    GRANGE_FARM=lab each_verb
    run -2 grange status --farm lab --dir ../there
    has "$output" "only one of --connect, --farm and --dir"
    run -2 grange status --farm lap
    has "$output" "lap"
    run -0 grange drain "$(grange workers --farm lab --json | jq -r '.workers[0].worker')" --farm lab --grace 1s
    has "$output" "ends when its running points have ended, or at the end of the grace"
    poll_until 20 bash -c '[ "$("$GRANGE" workers --farm lab --json | jq "[.workers[] | select(.state == \"up\")] | length")" = 0 ]'
    run -0 grange down --farm lab
}

@test "run: --seed and --design draw the same points again, other seeds others" {
    for seed in 1 1 2; do
        run -0 grange run --quiet --fresh --seed "$seed" --design lhs -n 5 --study s 'echo {T}' ::: T=0:1:0.001
        results s | column T | tr '\n' ' ' >>drawn
        echo >>drawn
    done
    same 2 "$(sort -u drawn | wc -l)"
    same "$(sed -n 1p drawn)" "$(sed -n 2p drawn)"
    run -2 grange run --design latin -n 5 'echo {T}' ::: T=0:1
    has "$output" "lhs"
    run -2 grange run --seed x 'echo {T}' ::: T=0:1
    has "$output" "seed"
}

@test "run --speculate: what hangs is run a second time elsewhere, and that one counts" {
    cat >point.sh <<'END'
[ "$1" != 9 ] || ! mkdir first 2>/dev/null || exec sleep 1000 # a point
echo "value $1"
END
    run -0 grange up -n 2 -j 1
    run -0 grange run --speculate --study s 'sh point.sh {x}' ::: x=1:9
    has "$output" "9 points: 9 done"
    run -0 grange log s x=9
    same "value 9" "$output"
    run -0 grange down --now
}

@test "scheduler and worker: how they are logged, owned, waited for and tied to who started them" {
    local line ready write read
    exec {line}<> <(:) # a lifeline without an end
    exec {ready}<> <(:)
    start scheduler "$GRANGE" scheduler --dir .grange --farm lab --owner "the night shift" --log-level debug \
        --log s.log --ready-fd "$ready" --lifeline-fd "$line"
    ready "$ready"
    has "$(cat .grange/lock)" "the night shift"
    has "$(cat s.log)" 'owner="the night shift"'
    mkfifo lifeline
    exec {write}<>lifeline {read}<lifeline
    start worker bash -c "exec $write>&-; exec \"\$@\"" _ "$GRANGE" worker --connect "ipc://$PWD/.grange/scheduler.sock" \
        -j 1 --log-level quiet --log w.log --ready-fd "$ready" --lifeline-fd "$read"
    worker=$pid
    ready "$ready"
    run -0 grange run --study s 'echo {n}' ::: n=1,2
    exec {read}<&- {write}>&- # the end of its lifeline
    finish "$worker"
    [ ! -s w.log ]
    run -2 grange scheduler --log-level loud
    has "$output" "quiet, error, info, debug"
    run -2 grange worker --connect x --lifeline-fd many
}

@test "up --engine: every worker runs the engine" {
    command -v python3 >/dev/null || skip "python3 is not here"
    run -0 grange up -n 1 -j 1 --engine "python3 $GRANGE_SOURCE/examples/engine/engine.py"
    poll_until 20 grange call upper abc
    run -0 grange call upper abc
    same ABC "$output"
    run -0 grange down --now
}
