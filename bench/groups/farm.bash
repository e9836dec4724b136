# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# A farm with engines, used from C through libgrange, beside IPython Parallel and Dask where they are
# installed: everything is asked in turn, so that a busy machine is busy for all.

# farm_up NAME ENGINES - a scheduler and a worker of its own in $work/NAME; farm_down NAME.
farm_up() {
    local dir=$work/$1
    mkdir -m 700 "$dir"
    "$grange" scheduler --dir "$dir" </dev/null >"$dir/log" 2>&1 &
    farm_pids+=("$!")
    "$grange" worker --connect "ipc://$dir/scheduler.sock" --dir "$dir" -j "$2" --plugin "$build/lib/collatz.so" \
        </dev/null >"$dir/worker.log" 2>&1 &
    farm_pids+=("$!")
    start_asked "$1" "$programs/farm_bench" "ipc://$dir/scheduler.sock" "$2"
}

# peer_up NAME MODULE N TITLE - IPython Parallel or Dask, when it is there.
peer_up() {
    if ! /usr/bin/python3 -c "import numpy, $2" 2>/dev/null; then
        skip "$4" "python3-$2 is not installed"
        return 1
    fi
    start_asked "$1" bench/peers.py "$1" "$3" && return
    skip "$4" "it did not start: $(tail -n 1 "$work/$1.err")"
    return 1
}

ask_ours() {
    local n=200000 r
    [ -z "$quick" ] || n=20000
    for verb in noop echo each; do ask two "$verb" "$n" >>"$work/two.$verb"; done
    ask two one 200 >"$work/one"
    cut -d ' ' -f 1 "$work/one" >>"$work/two.one"
    cut -d ' ' -f 2 "$work/one" >>"$work/bare.sync"
    ask two direct 2000 >>"$work/two.direct"
    "$programs/round_trip" req "ipc://$work/req.$1" 2000 100 >>"$work/bare.req"
    "$programs/round_trip" stream "ipc://$work/stream.$1" 2000 100 >>"$work/bare.stream"
    for bytes in 1600000 67108864; do
        ask four scatter "$bytes" >"$work/scatter"
        awk '{ print $1 * 1000 }' "$work/scatter" >>"$work/four.$bytes"
        awk '{ print $2 * 1000 }' "$work/scatter" >>"$work/four.new.$bytes"
    done
}

ask_peer() {
    local n=2000
    [ -z "$quick" ] || n=200
    ask "$1" noop "$n" >>"$work/$1.noop"
    ask "$1" echo "$n" >>"$work/$1.echo"
    ask "$1" one $((n / 10)) | awk '{ print 1e6 / $1 }' >>"$work/$1.one"
    [ "$1" = ipp ] || return 0
    for bytes in 1600000 67108864; do ask ipp scatter "$bytes" | awk '{ print $1 * 1000 }' >>"$work/ipp.$bytes"; done
}

record_ours() {
    record "no-op calls on 2 engines, batch, durable" "$(median "$work/two.noop")" "/s" ">=" 100000
    record "100-byte echo calls on 2 engines, batch" "$(median "$work/two.echo")" "/s" ">=" 100000
    record "no-op calls submitted one by one" "$(median "$work/two.each")" "/s" ">=" 50000
    record "one durable call at a time" "$(median "$work/two.one")" us
    record "one direct call at a time" "$(median "$work/two.direct")" us
    record "bare round trip, nng req/rep, ipc" "$(median "$work/bare.req")" us
    record "bare round trip, nng byte stream, ipc" "$(median "$work/bare.stream")" us
    record "direct call / two req/rep round trips" \
        "$(median "$work/two.direct" | awk -v b="$(median "$work/bare.req")" '{ printf "%.3f", $1 / b / 2 }')" x "<=" 1.3
    record "direct call / two stream round trips" \
        "$(median "$work/two.direct" | awk -v b="$(median "$work/bare.stream")" '{ printf "%.3f", $1 / b / 2 }')" x
    record "bare fdatasync of 4 KiB appended, in turn with those calls" "$(median "$work/bare.sync")" us
    record "durable call / (1.3 x two req/rep round trips + two fdatasync)" \
        "$(median "$work/two.one" | awk -v b="$(median "$work/bare.req")" -v s="$(median "$work/bare.sync")" \
            '{ printf "%.3f", $1 / (2.6 * b + 2 * s) }')" x "<=" 1
    record "scatter, square, gather 1.6 MB, 4 engines" "$(median "$work/four.1600000")" ms
    record "the same, result in new memory" "$(median "$work/four.new.1600000")" ms
    record "scatter, square, gather 64 MiB, 4 engines" "$(median "$work/four.67108864")" ms
    record "the same of 64 MiB, result in new memory" "$(median "$work/four.new.67108864")" ms
}

# record_peer NAME TITLE TARGET - how often faster we are.
record_peer() {
    record "$2: no-op calls" "$(median "$work/$1.noop")" "/s"
    record "$2: 100-byte echo calls" "$(median "$work/$1.echo")" "/s"
    record "$2: one at a time" "$(median "$work/$1.one")" us
    record "no-op calls / $2" "$(ratio "$(median "$work/two.noop")" "$(median "$work/$1.noop")")" x ">=" "$3"
    [ "$1" = ipp ] || return 0
    for bytes in 1600000 67108864; do
        record "$2: scatter, square, gather $bytes B" "$(median "$work/ipp.$bytes")" ms
        record "scatter, square, gather $bytes B: $2 / grange" \
            "$(ratio "$(median "$work/ipp.$bytes")" "$(median "$work/four.$bytes")")" x ">=" 5
        record "the same, result in new memory: $2 / grange" \
            "$(ratio "$(median "$work/ipp.$bytes")" "$(median "$work/four.new.$bytes")")" x
    done
}

bench_farm() {
    say "farm: calls on engines, beside IPython Parallel and Dask"
    local farm_pids=() peers=() r peer bytes verb
    if ! farm_up two 2 || ! farm_up four 4; then
        say "the farm did not start: $(cat "$work"/*.err | tail -n 3)"
        return 1
    fi
    ! peer_up ipp ipyparallel 4 "IPython Parallel" || peers+=(ipp)
    ! peer_up dask distributed 2 "Dask" || peers+=(dask)
    for r in $(seq "$runs"); do
        ask_ours "$r"
        for peer in "${peers[@]}"; do ask_peer "$peer"; done
    done
    record_ours
    for peer in "${peers[@]}"; do
        end_asked "$peer"
        if [ "$peer" = ipp ]; then record_peer ipp "IPython Parallel" 250; else record_peer dask Dask 150; fi
    done
    end_asked two
    end_asked four
    kill "${farm_pids[@]}"
    wait "${farm_pids[@]}" || true
}
