# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# A graph of a million calls with two million edges, through libgrange and engines: accepted and run, and run
# by a scheduler that is killed when half of it has ended. And chains, by the step.
graph_scheduler() {
    "$grange" scheduler --dir "$dir" </dev/null >>"$work/graph.log" 2>&1 &
    scheduler=$!
}
graph_up() {
    new_dir
    mkdir -m 700 "$dir"
    graph_scheduler
    "$grange" worker --connect "ipc://$dir/scheduler.sock" --dir "$dir" -j 2 --plugin "$build/lib/collatz.so" \
        </dev/null >>"$work/graph.log" 2>&1 &
    worker=$!
    start_asked "graph$fresh" "$programs/farm_bench" "ipc://$dir/scheduler.sock" 2
}
graph_down() {
    end_asked "graph$fresh"
    kill "$worker" "$scheduler"
    wait "$worker" "$scheduler" || true
    rm -rf "$dir"
}
peak_mib() { awk '/^VmHWM:/ { printf "%.1f", $2 / 1024 }' "/proc/$scheduler/status"; }
ended() { sqlite3 "$dir/grange.db" 'select count(*) from ended'; }

# ended_beyond N - when more have ended; false when that takes a minute.
ended_beyond() {
    local tries=0
    until [ "$(ended)" -gt "$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 6000 ] || return 1
        sleep 0.01
    done
}

bench_graph() {
    say "graph: $million calls, two edges each"
    local scheduler worker asking n begin
    graph_up || return 1
    record "graph of $million calls, 2 edges each, durable" "$(ask "graph$fresh" graph "$million")" "/s" ">=" 50000
    record "scheduler of that, at most" "$(peak_mib)" MiB "<=" 256
    graph_down
    graph_up || return 1
    ask "graph$fresh" graph "$million" >"$work/graph.rate" &
    asking=$!
    ended_beyond $((million / 2))
    kill -KILL "$scheduler"
    wait "$scheduler" || true
    n=$(ended) begin=$(now_us)
    graph_scheduler
    ended_beyond "$n"
    record "killed at half: until the next end" "$((($(now_us) - begin) / 1000))" ms "<=" 5000
    wait "$asking"
    record "killed at half: all of it" "$(cat "$work/graph.rate")" "/s"
    record "the second scheduler, at most" "$(peak_mib)" MiB "<=" 256
    graph_down
    graph_up || return 1
    n=10000
    [ -z "$quick" ] || n=1000
    for _ in $(seq "$runs"); do
        ask "graph$fresh" chain "$n" >>"$work/chain"
        ask "graph$fresh" pair "$n" >>"$work/pair"
    done
    record "a step of a chain of $n" "$(median "$work/chain")" us
    record "a step of a pair" "$(median "$work/pair")" us
    record "a step of the chain / of a pair" "$(ratio "$(median "$work/chain")" "$(median "$work/pair")")" x "<=" 1
    graph_down
}
