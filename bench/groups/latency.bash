# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# A whole `grange run` of one point, and of none.
bench_latency() {
    say "latency: $repeats times"
    local first again alone
    for _ in $(seq "$repeats"); do
        new_dir
        alone=$(wall_us /bin/true)
        first=$(wall_us "$grange" run --quiet --dir "$dir" /bin/true ::: x=1)
        again=$(wall_us "$grange" run --quiet --dir "$dir" /bin/true ::: x=1)
        echo $((first - alone)) | awk '{ print $1 / 1000 }' >>"$work/first"
        echo "$again" | awk '{ print $1 / 1000 }' >>"$work/again"
    done
    record "one-point run, beyond its command" "$(median "$work/first")" ms "<=" 150
    record "a run with nothing to do" "$(median "$work/again")" ms "<=" 150
}
