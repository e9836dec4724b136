# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# How long `grange up -n 2` takes until both workers are ready.
bench_up() {
    say "up: $repeats times"
    export XDG_STATE_HOME=$work/state
    for _ in $(seq "$repeats"); do
        new_dir
        wall_us "$grange" up -n 2 -j 1 --dir "$dir" | awk '{ print $1 / 1000 }' >>"$work/up"
        wall_us "$grange" down --now --dir "$dir" | awk '{ print $1 / 1000 }' >>"$work/down"
    done
    record "grange up -n 2, until both are ready" "$(median "$work/up")" ms "<=" 150
    record "grange down --now" "$(median "$work/down")" ms
}
