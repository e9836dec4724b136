# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# What IPython Parallel and Dask reach on this machine: calls that do nothing, 100 bytes there and back,
# one at a time, scatter and gather. From Debian's packages; left out where they are not installed.
bench_peers() {
    say "peers: IPython Parallel, Dask"
    local n=4000 peer module processes title verb bytes
    [ -z "$quick" ] || n=400
    for peer in ipp:ipyparallel:4:IPython\ Parallel dask:distributed:2:Dask; do
        IFS=: read -r peer module processes title <<<"$peer"
        if ! /usr/bin/python3 -c "import numpy, $module" 2>/dev/null; then
            skip "$title" "python3-$module is not installed"
            continue
        fi
        start_asked "$peer" bench/peers.py "$peer" "$processes" || {
            skip "$title" "it did not start: $(tail -n 1 "$work/$peer.err")"
            continue
        }
        for _ in $(seq "$runs"); do
            for verb in noop echo one; do
                ask "$peer" "$verb" "$([ "$verb" = one ] && echo $((n / 10)) || echo "$n")" >>"$work/$peer.$verb"
            done
            [ "$peer" = ipp ] || continue
            for bytes in 1600000 67108864; do
                ask ipp scatter "$bytes" | awk '{ print $1 * 1000 }' >>"$work/ipp.scatter.$bytes"
            done
        done
        end_asked "$peer"
        record "$title: no-op calls" "$(median "$work/$peer.noop")" "/s"
        record "$title: 100-byte echo calls" "$(median "$work/$peer.echo")" "/s"
        record "$title: one at a time" "$(median "$work/$peer.one")" "/s"
        [ "$peer" = ipp ] || continue
        record "$title: scatter, square, gather 1.6 MB, 4 engines" "$(median "$work/ipp.scatter.1600000")" ms
        record "$title: scatter, square, gather 64 MiB, 4 engines" "$(median "$work/ipp.scatter.67108864")" ms
    done
}
