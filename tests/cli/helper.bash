# shellcheck shell=bash
# What the command tests share. Each test has a directory of its own, ends what it started by its
# process id, and waits for a condition with a deadline, never for time to pass. What takes SECONDS at
# the most on a machine of its own may take PATIENCE times as long on one that others use too: a
# deadline that is far away costs nothing where the condition comes true.
PATIENCE=${GRANGE_TEST_PATIENCE:-8}

# What has to do something before its own time is up is given these limits one after the other, until it
# has done it: the first is enough on most machines.
limits=(300ms 3s 30s)

bats_require_minimum_version 1.5.0

: "${GRANGE:?the grange program to test}"
: "${GRANGE_SOURCE:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
export GRANGE GRANGE_SOURCE
export LC_ALL=C.UTF-8
umask 022 # a directory that others may write in is refused
unset GRANGE_DIR GRANGE_FARM GRANGE_CONNECT
export HOME="${HOME:-/}" # ngspice 39 crashes where there is none

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    export XDG_STATE_HOME="$BATS_TEST_TMPDIR/state" # farms of a test are its own
    started=()
    exec {nap_fd}<> <(:) # never readable: read -t on it is a short wait inside this shell
    if declare -F setup_more >/dev/null; then setup_more; fi
}

teardown() {
    local pid
    for pid in "${started[@]}"; do
        # shellcheck disable=SC2046
        kill -9 "$pid" $(descendants "$pid") 2>/dev/null || true
    done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    if declare -F teardown_more >/dev/null; then teardown_more; fi
    end_farms
}

# end_farms - what a test that failed left behind: its keepers, and with them all below.
end_farms() {
    local file
    for file in "$BATS_TEST_TMPDIR"/.grange/keepers/* "$BATS_TEST_TMPDIR"/*/keepers/* \
        "$BATS_TEST_TMPDIR"/*/.grange/keepers/*; do
        [ ! -f "$file" ] || kill -9 "${file##*/}" 2>/dev/null || true
    done
}

grange() { "$GRANGE" "$@" </dev/null; }

# faulty CALL:N COMMAND... - grange, whose Nth CALL fails (tests/fault/nth.c); skips the test under sanitizers.
faulty() {
    local library fault=$1
    library=$(dirname "$GRANGE")/../tests/nth.so
    [ -e "$library" ] || skip "what lets calls fail is not built under sanitizers"
    shift
    LD_PRELOAD=$library GRANGE_FAULT=$fault grange "$@"
}

# start NAME COMMAND... - in the background: output in NAME.out and NAME.err, process id in $pid.
start() {
    local name=$1
    shift
    # Job control off: a background job ignores SIGINT then, which a run must not inherit.
    env --default-signal=INT,QUIT "$@" >"$name.out" 2>"$name.err" </dev/null 3>&- &
    pid=$!
    started+=("$pid")
}

# finish PID - waits for it and puts its exit code into $rc.
finish() {
    export rc=0
    poll_until 60 gone "$1"
    wait "$1" || rc=$?
}

# poll_until SECONDS COMMAND... - until it succeeds; fails, and says what was not so, after PATIENCE
# times that long.
poll_until() {
    local seconds=$(($1 * PATIENCE))
    local deadline=$((SECONDS + seconds + 1))
    shift
    until "$@"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "not within $seconds s: $*"
            tail -n 20 ./*.err .grange/*.log 2>/dev/null || true
            return 1
        fi
        nap
    done
}

# ready FD - whoever has it as its --ready-fd has written to it.
ready() { read -rt $((20 * PATIENCE)) -u "$1"; }

nap() { read -rt 0.02 -u "$nap_fd" || true; }

# gone PID... - none of them runs any more (a zombie does not run).
gone() {
    local pid state
    for pid in "$@"; do
        state=$(sed -nE 's/^State:[[:space:]]+(.).*/\1/p' "/proc/$pid/status" 2>/dev/null) || true
        case $state in '' | Z | X) ;; *) return 1 ;; esac
    done
}

lines_at_least() { [ -f "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]; }

# stat_line FILE - a file of /proc as `line`, without a process for each; not where it has gone.
stat_line() {
    line=
    { IFS= read -r -d '' line <"$1"; } 2>/dev/null || [ -n "$line" ]
}

# descendants PID - all processes below it, by the chain of parents in /proc.
descendants() {
    local stat pid ppid rest line
    local -A parent=()
    for stat in /proc/[0-9]*/stat; do
        stat_line "$stat" || continue
        pid=${line%% *}
        rest=${line##*) }
        rest=${rest#* }
        parent[$pid]=${rest%% *}
    done
    for pid in "${!parent[@]}"; do
        ppid=${parent[$pid]}
        while [ -n "$ppid" ] && [ "$ppid" -gt 1 ]; do
            [ "$ppid" != "$1" ] || { echo "$pid"; break; }
            ppid=${parent[$ppid]:-}
        done
    done
}

children() {
    local stat line rest
    for stat in /proc/[0-9]*/stat; do
        stat_line "$stat" || continue
        rest=${line##*) }
        rest=${rest#* }
        [ "${rest%% *}" != "$1" ] || echo "${line%% *}"
    done
}

# part_of RUN VERB - the child of a `grange run` that is its scheduler or worker; not when it is dead.
part_of() {
    local p
    for p in $(children "$1"); do
        if [ "$(tr '\0' '\n' <"/proc/$p/cmdline" 2>/dev/null | sed -n 2p)" = "$2" ]; then
            echo "$p"
            return 0
        fi
    done
    return 1
}

# other_part RUN VERB OLD - a new one has been started in its place.
other_part() {
    local p
    p=$(part_of "$1" "$2") && [ "$p" != "$3" ]
}

# sql QUERY - asks the store, waiting if somebody writes.
sql() { sqlite3 -cmd '.timeout 5000' -readonly "${DIR:-.grange}/grange.db" "$1"; }

sql_is() { [ "$(sql "$1" 2>/dev/null)" = "$2" ]; }

# done_points - how many points the store has as succeeded.
done_at_least() { [ "$(sql 'select count(*) from ended where state = 3' 2>/dev/null || echo 0)" -ge "$1" ]; }

# column NAME - of the CSV on stdin (values without commas), without the header.
column() {
    awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i
                                    if (!c) { print "no column " name; exit } next } { print $c }'
}

# results ARGS... - the CSV of the results.
results() { grange results "$@" --format csv; }

# same WANTED GOT - they are equal, or the test fails and shows both.
same() {
    if [ "$1" != "$2" ]; then
        diff <(printf '%s\n' "$1") <(printf '%s\n' "$2") | head -40
        return 1
    fi
}

# has TEXT PART - the part is in it, or the test fails and shows it.
has() {
    case $1 in *"$2"*) ;; *)
        printf 'missing: %s\nin:\n%s\n' "$2" "$1" | head -60
        return 1
        ;;
    esac
}

has_not() {
    case $1 in *"$2"*)
        printf 'unwanted: %s\nin:\n%s\n' "$2" "$1" | head -60
        return 1
        ;;
    esac
}

# waiter - a point's program: notes its start, waits for the file "go", prints its value. So a test
# decides when a point ends.
waiter() {
    cat >waiter.sh <<'EOF'
echo "$1" >>started
while [ ! -e go ]; do sleep 0.02; done # a point
echo "value $1"
EOF
}

# counter - a point's program that notes that it ran, in the file "ran", and prints its arguments.
counter() {
    cat >counter.sh <<'EOF'
echo "$*" >>ran
echo "got $*"
EOF
}
ran() { if [ -f ran ]; then sort -n ran; fi; }
