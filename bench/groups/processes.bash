# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# Points that run a program, against the least that this can cost and against xargs and GNU parallel.
bench_processes() {
    say "processes: $points points, $runs times"
    local r
    for r in $(seq "$runs"); do
        "$programs/spawn_loop" "$points" "$jobs" /bin/true >>"$work/bare"
        new_dir
        rate "$points" "$grange" run --quiet --dir "$dir" -j "$jobs" /bin/true ::: "x=1:$points" >>"$work/grange"
        rate "$points" bash -c "seq $points | xargs -P$jobs -n1 /bin/true" >>"$work/xargs"
        rate $((points / 10)) bash -c "seq $((points / 10)) | parallel --will-cite -j$jobs --joblog $work/joblog$r /bin/true" >>"$work/parallel"
    done
    local bare ours xargs parallel
    bare=$(median "$work/bare") ours=$(median "$work/grange") xargs=$(median "$work/xargs") parallel=$(median "$work/parallel")
    record "bare spawn loop" "$bare" "/s"
    record "grange run /bin/true" "$ours" "/s"
    record "xargs -P" "$xargs" "/s"
    record "GNU parallel --joblog" "$parallel" "/s"
    record "grange / bare loop" "$(ratio "$ours" "$bare")" "x" ">=" 0.90
    record "grange / xargs" "$(ratio "$ours" "$xargs")" "x" ">=" 1.2
    record "grange / GNU parallel" "$(ratio "$ours" "$parallel")" "x" ">=" 8
}
