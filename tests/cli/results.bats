#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# What a run leaves: results as table, CSV and JSON, summary, exit code, the SQL view, status, log, explain.
load helper

setup_more() {
    counter
    cat >model.sh <<'EOF'
echo "energy = $(($1 * $2)) J"
[ "$1" != 13 ] || { echo "cannot do 13" >&2; echo "second line" >&2; exit 4; }
EOF
}

model() {
    grange run --quiet --study m --metric 'energy=regex:energy *= *([0-9]+)' "$@"
}

@test "results come in the order of the points, with metrics and states" {
    run -1 model sh model.sh {T} {n} ::: T=12,13 n=2,10
    results m >r.csv
    same "$(printf '%s\n' 12 12 13 13)" "$(column T <r.csv)"
    same "$(printf '%s\n' 2 10 2 10)" "$(column n <r.csv)"
    same "$(printf '%s\n' 24 120 26 130)" "$(column energy <r.csv)"
    same "$(printf '%s\n' done done failed failed)" "$(column state <r.csv)"
}

@test "order does not depend on the order of running" {
    run -0 model --shuffle -j 2 sh model.sh {T} {n} ::: T=100:140 n=1
    same "$(seq 100 140)" "$(results m | column T)"
}

@test "exit code 0 when all succeeded, 1 when some failed, 2 for wrong usage" {
    run -0 model sh model.sh {T} 1 ::: T=1,2
    run -1 model sh model.sh {T} 1 ::: T=1,13
    run -2 grange run
}

@test "the summary says how many, what failed and why, and what to type next" {
    run --separate-stderr -1 grange run --study m sh model.sh {T} 1 ::: T=11,12,13
    all="$output$stderr"
    has "$all" "3 points"
    has "$all" "cannot do 13"
    has "$all" "grange results"
}

@test "a table for people, CSV and JSON for programs" {
    run -1 model sh model.sh {T} 1 ::: T=12,13
    run -0 grange results m
    has "$output" energy
    has "$output" failed
    run -0 grange results m --format json
    same "$(printf '%s\n' 12 13)" "$(jq -r '.[].energy' <<<"$output")"
    same "number" "$(jq -r '.[0].T | type' <<<"$output")"
    grange results m --format csv -o out.csv
    same "$(results m)" "$(cat out.csv)"
}

@test "where and sort that are wrong say what is there" {
    run -1 model sh model.sh {T} 1 ::: T=12,13
    run -2 grange results m --sort temp
    has "$output" "energy"
    run -2 grange results m --where 'T >'
    has "$output" "T >"
    run -2 grange results m --format xml
    has "$output" "csv"
}

@test "results can be chosen and sorted" {
    run -1 model sh model.sh {T} 1 ::: T=12,13,14,15
    same "$(printf '%s\n' 15 14)" "$(results m --where 'T > 12 and energy <> 13' --sort -T | column T)"
    run -2 grange results m --where 'temperature > 3'
    has "$output" temperature
    has "$output" energy
}

@test "the reason of a failure is in words" {
    cat >fail.sh <<'EOF'
case $1 in
exit) exit 3 ;;
signal) kill -SEGV $$ ;;
late) exec sleep 1000 ;; # a point
ok) ;;
esac
EOF
    for limit in "${limits[@]}"; do
        run -1 grange run --quiet --fresh --study f --timeout "$limit" sh fail.sh {how} ::: how=exit,signal,late,ok
        [ "$(results f | grep -c "timed out")" != 1 ] || break
    done
    text=$(grange results f)
    has "$text" "exit 3"
    has "$text" "killed by SIGSEGV"
    case $limit in 300ms) limit=0.3s ;; esac
    same "exit 3|killed by SIGSEGV|timed out after ${limit%s} s|" "$(sql 'select reason from results order by point' | paste -sd '|')"
    run -0 grange explain f how=signal
    has "$output" "SEGV"
}

@test "a command that cannot start fails its points, not the run" {
    mkdir bin
    for n in 1 2 3; do
        printf '#!/bin/sh\necho fine\n' >bin/tool$n
        chmod +x bin/tool$n
    done
    chmod -x bin/tool2
    run -1 grange run --quiet --study s sh -c './bin/tool{n}' ::: n=1,2,3
    run -1 grange run --quiet --study s2 ./bin/tool{n} ::: n=1,2,3
    same "$(printf '%s\n' done failed done)" "$(results s2 | column state)"
    has "$(grange results s2)" "could not start: Permission denied"
}

@test "the SQL views answer" {
    run -1 model sh model.sh {T} {n} ::: T=12,13 n=2
    same "12|24" "$(sql "select T, energy from results where state = 'done'")"
    same "2" "$(sql 'select count(*) from results_m')"
    same "25" "$(sql 'select sum(T) from results_m')"
}

@test "status has a line a study" {
    run -1 model sh model.sh {T} 1 ::: T=12,13
    run -0 grange run --quiet --study other sh counter.sh {x} ::: x=1,2,3
    run -0 grange status
    has "$output" m
    has "$output" other
    run -0 grange status --json
    same "3" "$(jq '[.. | objects | select(.study? == "other" or .name? == "other")][0].done' <<<"$output")"
    same "1" "$(jq '[.. | objects | select(.study? == "m" or .name? == "m")][0].failed' <<<"$output")"
    run -2 grange status nosuch
    has "$output" other
}

@test "log prints what a point printed, by index or by values" {
    run -1 model sh model.sh {T} {n} ::: T=12,13 n=1
    same "energy = 12 J" "$(grange log m 0)"
    same "energy = 13 J" "$(grange log m T=13,n=1)"
    same "$(printf '%s\n' 'cannot do 13' 'second line')" "$(grange log m T=13 --stderr)"
    run -2 grange log m T=14
    run -2 grange log m n=1
    run -2 grange log m 99
}

@test "explain shows the exact command, every attempt and the state" {
    run -1 model --retries 1 sh model.sh {T} 1 'two words' ::: T=13
    run -0 grange explain m 0
    has "$output" "sh model.sh 13 1 'two words'"
    has "$output" "failed"
    has "$output" "cannot do 13"
    run -0 grange explain m T=13 --json
    jq . <<<"$output" >/dev/null
}

@test "a metric that is not found is empty, counted and said, and is no error" {
    run --separate-stderr -0 grange run --study m --metric 'e=regex:energy = ([0-9]+)' --metric 'q=regex:nothing ([0-9]+)' \
        sh model.sh {T} 1 ::: T=1,2,3
    has "$output$stderr" "q"
    has "$output$stderr" "3"
    same "$(printf '\n\n')" "$(results m | column q)"
    same "0" "$(sql 'select count(q) from results')"
}

@test "metrics from files: json, csv, regex in a file and in stderr" {
    # shellcheck disable=SC2016
    run -0 grange run --quiet --study files \
        --metric 'a=json:out.json:energy.total' --metric 'b=csv:out.csv:col' \
        --metric 'c=regex@log.txt:c=([0-9]+)' --metric 'd=regex@stderr:d=([0-9]+)' \
        'printf "{{\"energy\": {{\"total\": %s.5}}}}" {n} >{out}/out.json
         printf "t,col\n0,9\n1,{n}7\n" >{out}/out.csv
         echo c={n}1 >{out}/log.txt
         echo d={n}2 >&2' ::: n=1,2
    results files >r.csv
    same "1.5 2.5" "$(column a <r.csv | xargs)"
    same "17 27" "$(column b <r.csv | xargs)"
    same "11 21" "$(column c <r.csv | xargs)"
    same "12 22" "$(column d <r.csv | xargs)"
}

@test "a metric that is asked for later is read from what was kept of the points" {
    # shellcheck disable=SC2016
    words=('echo e={n}.50; echo ran >>ran; echo "{{\"f\": {n}}" >{out}/o.json; head -c {n}200000 /dev/zero | tr "\0" x; echo last={n}')
    run -0 grange run --quiet --study l --metric 'e=regex:^e=([0-9])' "${words[@]}" ::: n=1,2
    run --separate-stderr -0 grange run --study l --metric 'e=regex:e=([0-9.]+)' --metric 'late=regex:e=([0-9.]+)' \
        --metric 'f=json:o.json:f' --metric 'last=regex:last=([0-9])' --metric 'no=regex:nothing' "${words[@]}" ::: n=1,2,3
    same 3 "$(wc -l <ran)"
    has "$stderr" "metric no was not found in 3 points"
    has_not "$stderr" "metric late"
    has "$stderr" "metric 'e' is written otherwise than before"
    results l >r.csv
    same "1.50 2.50 3.50" "$(column late <r.csv | xargs)"
    same "1 2 3" "$(column f <r.csv | xargs)"
    same "1 2 3" "$(column last <r.csv | xargs)"
    same "" "$(column no <r.csv | xargs)"
    # What was found once stays as it was recorded.
    same "1 2 3.50" "$(column e <r.csv | xargs)"
    same "3 2" "$(results l --where 'late > 2' --sort -late | column n | xargs)"
    run -0 grange explain l n=2
    has "$output" '"late":2.50'
    same "2.5" "$(grange explain l n=2 --json | jq .metrics.late)"
    # The SQL view has what was recorded.
    same "0" "$(sql 'select count(late) from results where n < 3')"
}

@test "--quiet says nothing when all is well" {
    run -0 grange run --quiet sh counter.sh {x} ::: x=1,2
    same "" "$output"
}

@test "elsewhere than on a terminal progress comes as plain lines" {
    run -0 grange run sh counter.sh {x} ::: x=1:50
    [[ $output != *$'\e'* ]]
    has "$output" 50
}

@test "--json of every verb that prints for people is JSON" {
    words=(--study m --json sh model.sh {T} 1 ::: "T=12,13,14")
    valid() { # EXPRESSION COMMAND... - its stdout is JSON for which this holds
        grange "${@:2}" 2>/dev/null >out.json || true
        jq -e "$1" out.json >/dev/null || { echo "$*"; cat out.json; return 1; }
    }
    valid '.points == 3 and .done == 0 and (.commands | length) == 3' run --dry-run "${words[@]}"
    valid '.done == 2 and .failed == 1 and (.failures | length) == 1' run "${words[@]}"
    valid '.ended_here == 0 and .reused == 3' run "${words[@]}"
    valid '.[0].failed == 1 and .[0].state == "failed"' status --json
    valid 'length == 3 and .[1].state == "failed"' results m --json
    valid '.[0].T == 12' results m --format json
    valid '.state == "failed" and .attempts[0].code == 4' explain m T=13 --json
    valid '.left == 0' resume m --json
    valid '.ended_here == 1 and .reused == 2' retry m T=13 --json
    valid '.ended_here == 2 and .done == 2' retry m 0 T=14 --json
    valid '.cancelled == 0' cancel m --json
    # With nothing that ended yet it is JSON, too.
    valid '. == []' results m --json --where 'T > 100'
}

# took FROM - the wall times of the ends recorded after the first FROM ones, in milliseconds as the summary rounds them.
took() { sqlite3 .grange/grange.db "select printf('%.3f', sum(wall_us) / 1e6) from ended where n > $1"; }

@test "the sum of the points' times is that of this run: successes and failures, none that ended before" {
    words=(run --json --study s sh -c 'exit $(({x} % 2))' :::)
    run -1 --separate-stderr grange "${words[@]}" x=1:3
    same "$(took 0)" "$(jq -r .sum_s <<<"$output" | xargs printf '%.3f')"
    run -1 --separate-stderr grange "${words[@]}" x=1:5
    same "2 3" "$(jq -r '"\(.ended_here) \(.reused)"' <<<"$output")"
    same "$(took 3)" "$(jq -r .sum_s <<<"$output" | xargs printf '%.3f')"
}

@test "--json run prints one JSON summary" {
    run --separate-stderr -1 grange run --json --study m sh model.sh {T} 1 ::: T=12,13
    same "1 1" "$(jq -r '"\(.done) \(.failed)"' <<<"$output")"
}

@test "a condition that is two" {
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    run -2 grange results s --where 'x > 1), (x < 3'
    has "$output" "'x > 1), (x < 3': one expression is wanted"
}

@test "a study whose view nobody has made is said" {
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    sqlite3 .grange/grange.db "update study set view = null, rows_sql = null"
    run -3 grange results s
    has "$output" ".grange/grange.db: this study has no results view yet; \`grange run\` makes it"
    run -0 grange run --quiet --study s echo '{x}' ::: x=1
    run -0 grange results s
}
