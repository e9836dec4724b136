# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# Bare round trips of nng between two processes, 100 bytes: what a call through a scheduler builds on.
bench_round_trips() {
    say "round trips"
    local r kind n=5000
    [ -z "$quick" ] || n=500
    for r in $(seq "$runs"); do
        for kind in req stream; do
            "$programs/round_trip" "$kind" "ipc://$work/$kind.$r" "$n" 100 >>"$work/round_trip.$kind"
        done
    done
    record "bare round trip, nng req/rep, ipc" "$(median "$work/round_trip.req")" us
    record "bare round trip, nng byte stream, ipc" "$(median "$work/round_trip.stream")" us
}
