# shellcheck shell=bash disable=SC2154,SC2034
# What bench/run and the groups share: measuring a command, medians, the rows of the table. A group is
# a file of bench/groups with a function bench_NAME that measures and records rows.
build=$PWD/build
export grange=$build/bin/grange
export programs=$build/bench
jobs=$(nproc)
work=$(mktemp -d "$build/bench.XXXXXX")
measured=$work/measured.jsonl
skipped=$work/skipped

now_us() { printf '%s\n' "${EPOCHREALTIME/./}"; }

# wall_us COMMAND... - how long it takes; it must succeed.
wall_us() {
    local begin end
    begin=$(now_us)
    "$@" </dev/null >"$work/out" 2>"$work/err" || {
        echo "failed: $*" >&2
        tail -n 5 "$work/out" "$work/err" >&2
        return 1
    }
    end=$(now_us)
    echo $((end - begin))
}

# rate N COMMAND... - N a second.
rate() {
    local n=$1 us
    shift
    us=$(wall_us "$@")
    awk -v n="$n" -v us="$us" 'BEGIN { printf "%.1f\n", n * 1e6 / us }'
}

median() { sort -g "$1" | awk '{ v[NR] = $1 } END { printf "%.6g\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f\n", a / b }'; }
say() { printf '%s\n' "$*" >&2; }

# record NAME VALUE UNIT [>= or <= TARGET] - a row of the table.
record() {
    local met=null
    [ $# -lt 5 ] || met=$(awk -v v="$2" -v o="$4" -v t="$5" 'BEGIN { print (o == ">=" ? v >= t : v <= t) ? "true" : "false" }')
    jq -nc --arg name "$1" --argjson value "$2" --arg unit "$3" --arg target "${4:-}${5:+ $5}" --argjson met "$met" \
        '{$name, $value, $unit, $target, $met}' >>"$measured"
}

fresh=0
new_dir() {
    fresh=$((fresh + 1))
    dir=$work/d$fresh
}

# start_asked NAME COMMAND... - a program that prints "ready" and then answers each line of its stdin with
# a line, until "end 0". False when it does not get ready. ask NAME WORDS... - one answer.
declare -A asked_in=() asked_out=() asked_pid=()
start_asked() {
    local name=$1 in out word=
    shift
    mkfifo "$work/$name.in" "$work/$name.out"
    "$@" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.err" &
    asked_pid[$name]=$!
    exec {in}>"$work/$name.in" {out}<"$work/$name.out"
    asked_in[$name]=$in asked_out[$name]=$out
    read -r -t 60 word <&"$out" || true
    [ "$word" = ready ]
}
ask() {
    local name=$1 line
    shift
    echo "$*" >&"${asked_in[$name]}"
    read -r -t 600 line <&"${asked_out[$name]}" || {
        say "$name: no answer to: $*"
        tail -n 5 "$work/$name.err" >&2
        return 1
    }
    echo "$line"
}
end_asked() {
    local in=${asked_in[$1]} out=${asked_out[$1]}
    echo "end 0" >&"$in" # other programs may hold the pipe open
    exec {in}>&- {out}<&-
    wait "${asked_pid[$1]}" || true
}

# skip WHAT WHY - a row that cannot be measured here.
skip() {
    say "not measured: $1: $2"
    printf '%s: %s\n' "$1" "$2" >>"$skipped"
}

# report - the table and build/bench.json.
report() {
    jq -s --arg date "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
        --argjson cores "$jobs" --argjson points "$points" --argjson runs "$runs" \
        '{$date, $cpu, $cores, $points, $runs, measured: .}' "$measured" >"$build/bench.json"
    jq -r '.measured[] | [.name, (.value | tostring), .unit, .target, (if .met == null then "" elif .met then "met" else "MISSED" end)] | @tsv' "$build/bench.json" |
        awk -F'\t' '{ printf "%-42s %12s %-4s %-9s %s\n", $1, $2, $3, $4, $5 }'
    say "written: build/bench.json"
}
