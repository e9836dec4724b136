# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# What a farm costs in which nothing happens: the processor time of the scheduler with 1,000 workers and
# 100 clients connected.
cpu_ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

bench_idle() {
    local workers=1000 clients=100 seconds=10 pid before r
    [ -z "$quick" ] || workers=100 clients=10 seconds=2
    say "idle: $workers workers, $clients clients"
    new_dir
    mkdir -m 700 "$dir"
    "$grange" scheduler --dir "$dir" </dev/null >"$work/idle.log" 2>&1 &
    pid=$!
    start_asked crowd "$programs/crowd" "ipc://$dir/scheduler.sock" "$workers" "$clients" || {
        kill "$pid"
        skip "an idle farm" "$(tail -n 1 "$work/crowd.err")"
        return
    }
    for r in $(seq $((runs < 3 ? runs : 3))); do
        before=$(cpu_ticks "$pid")
        sleep "$seconds"
        echo "$r $before $(cpu_ticks "$pid")" |
            awk -v hz="$(getconf CLK_TCK)" -v s="$seconds" '{ print 100 * ($3 - $2) / hz / s }' >>"$work/idle"
    done
    record "scheduler with $workers idle workers, $clients clients" "$(median "$work/idle")" "%" "<=" 5
    end_asked crowd
    kill "$pid"
    wait "$pid" || true
}
