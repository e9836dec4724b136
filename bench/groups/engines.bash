# shellcheck shell=bash disable=SC2154,SC2034 # variables of bench/run and bench/lib.bash
# Calls through one worker and its engines alone: a scheduler that only hands out and acknowledges.
bench_engines() {
    say "engines"
    local f r n=1000000
    [ -z "$quick" ] || n=100000
    for f in "noop 0" "echo 100"; do
        for r in $(seq "$runs"); do
            # shellcheck disable=SC2086 # a function and its bytes
            set -- $f
            "$programs/engine_bench" "$grange" "$build/lib/collatz.so" "$1" "$n" "$2" 2 |
                sed 's/.*calls_per_second=//' >>"$work/engines.$1"
        done
        record "$1 calls, one worker, 2 engines, no store" "$(median "$work/engines.$1")" "/s" ">=" 150000
    done
}
