# shellcheck shell=bash disable=SC2154 # variables of bench/run and bench/lib.bash
# Resident memory with 1,000,000 points queued.
# family PID - the grange processes below it.
family() {
    local stat line rest pid
    for stat in /proc/[0-9]*/stat; do
        line=$(cat "$stat" 2>/dev/null) || continue
        pid=${line%% *}
        rest=${line##*) }
        rest=${rest#* }
        [ "${rest%% *}" = "$1" ] || continue
        [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$grange" ] || continue
        echo "$pid"
        family "$pid"
    done
}

bench_memory() {
    say "memory: 1,000,000 points queued"
    new_dir
    local pid sum=0 p kib tries=0
    : >"$work/began"
    "$grange" run --quiet --dir "$dir" -j "$jobs" sh -c "echo >>$work/began; exec sleep 1000" ::: x=1:1000000 </dev/null >"$work/out" 2>&1 &
    pid=$!
    until [ "$(wc -l <"$work/began")" -ge "$jobs" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { say "the points did not start"; kill "$pid"; return 1; }
        sleep 0.1
    done
    for p in $(family "$pid"); do
        kib=$(sed -nE 's/^VmRSS:[[:space:]]+([0-9]+).*/\1/p' "/proc/$p/status")
        sum=$((sum + kib))
    done
    record "scheduler and worker, 1,000,000 queued" "$(awk -v k="$sum" 'BEGIN { printf "%.1f", k / 1024 }')" MiB "<=" 40
    kill -TERM "$pid"
    sleep 0.2
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" || true
    record "--dry-run of 1,000,000: time" \
        "$(wall_us command time -f %M -o "$work/t" "$grange" run --dry-run true "{x}" ::: x=1:1000000 | awk '{ print $1 / 1000 }')" ms
    record "--dry-run of 1,000,000: memory" "$(awk '{ printf "%.1f", $1 / 1024 }' "$work/t")" MiB "<=" 50
}
