# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# Points that start no process: what a point costs us, and a resume.
bench_calls() {
    say "calls of a function that does nothing: $million"
    new_dir
    local big=$dir most=$((million - million / 1000))
    record "calls of a no-op function" "$(rate "$most" "$grange" run --quiet --dir "$big" -j "$jobs" --study big --where "x <= $most" --function noop ::: "x=1:$million")" "/s"
    record "resume with $((million / 1000)) of $million left" \
        "$(wall_us "$grange" run --quiet --dir "$big" -j "$jobs" --study big --function noop ::: "x=1:$million" | awk '{ print $1 / 1000 }')" ms "<=" 2000
    record "$million done, nothing to do" \
        "$(wall_us "$grange" run --quiet --dir "$big" -j "$jobs" --study big --function noop ::: "x=1:$million" | awk '{ print $1 / 1000 }')" ms
    record "bytes a done point in the store" "$(($(stat -c %s "$big/grange.db") / million))" B
    rm -rf "$big"
}
