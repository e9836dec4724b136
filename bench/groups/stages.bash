# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# One part alone, on one core.
bench_stages() {
    local rate bytes
    say "stages alone: $million"
    record "stage: core decides" "$("$programs/core_bench" "$million")" "/s"
    read -r rate bytes < <("$programs/core_bench" "$million" graph)
    record "stage: core decides a graph, 2 edges a call" "$rate" "/s"
    record "stage: core, memory of such a call" "$bytes" "B" "<=" 60
    read -r rate bytes < <("$programs/core_bench" "$million" chain)
    record "stage: core decides one chain" "$rate" "/s"
    read -r rate bytes < <("$programs/core_bench" "$million" arrays)
    record "stage: core decides arrays of ten calls, all ready" "$rate" "/s" ">=" 200000
    read -r rate bytes < <("$programs/core_bench" "$million" studies)
    record "stage: the same of 1,000 studies" "$rate" "/s" ">=" 200000
    read -r rate bytes < <("$programs/core_bench" "$((million / 10))" shapes)
    record "stage: the same of 500 shapes for 50 workers" "$rate" "/s"
    record "stage: codec, both ways" "$("$programs/wire_bench" "$million" 256)" "/s"
    mkdir "$work/s1" "$work/s2"
    record "stage: store, 1,000 ends a transaction" "$("$programs/store_bench" "$work/s1" "$million" 1000)" "/s" ">=" 200000
    record "stage: store, 1 end a transaction" "$("$programs/store_bench" "$work/s2" 2000 1)" "/s"
    rm -rf "$work/s1" "$work/s2"
    new_dir
    mkdir -m 700 "$dir"
    record "stage: calls through a scheduler, batches of 1,000" \
        "$("$programs/call_bench" "$grange" "$dir" "$million" 1000 2>/dev/null)" "/s" ">=" 200000
    rm -rf "$dir"
    mkdir -m 700 "$dir"
    record "stage: the same with 100 bytes there and back" \
        "$("$programs/call_bench" "$grange" "$dir" "$million" 1000 100 2>/dev/null)" "/s" ">=" 200000
    rm -rf "$dir"
}
