#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# On a terminal: the live display, Ctrl-C typed for real. tmux is the terminal.
load helper

setup_more() {
    waiter
    tmux=(tmux -S "$PWD/tmux" -f /dev/null)
    "${tmux[@]}" new-session -d -x 100 -y 24 "env PS1='ready> ' GRANGE='$GRANGE' bash --norc --noprofile"
    poll_until 10 screen_has "ready>"
}

teardown_more() { "${tmux[@]}" kill-server 2>/dev/null || true; }

screen() { "${tmux[@]}" capture-pane -pJ; }
screen_has() { screen | grep -qF -- "$1"; }
type_line() { "${tmux[@]}" send-keys -l "$1" && "${tmux[@]}" send-keys Enter; }

@test "the live display shows counts, the slowest points, and ends with the summary" {
    type_line '"$GRANGE" run --study live -j 2 sh waiter.sh {n} ::: n=1:6'
    poll_until 20 lines_at_least started 2
    poll_until 10 screen_has "n=1"
    poll_until 10 screen_has "2 running"
    touch go
    poll_until 20 screen_has "grange results"
    poll_until 10 screen_has "6 points"
    screen
}

@test "Ctrl-C typed once: the points finish; then the resume command does the rest" {
    type_line '"$GRANGE" run --study live -j 2 sh waiter.sh {n} ::: n=1:6; echo code=$?'
    poll_until 20 lines_at_least started 2
    "${tmux[@]}" send-keys C-c
    poll_until 10 eval 'screen | grep -qiE "stopping|finish"'
    touch go
    poll_until 20 screen_has "code=130"
    screen_has "grange resume live"
    same "$(wc -l <started)" "$(sql 'select count(*) from ended where state = 3')"
    type_line 'clear; "$GRANGE" resume live; echo code=$?'
    poll_until 20 screen_has "code=0"
    same 6 "$(sql 'select count(*) from ended')"
}

@test "Ctrl-C typed twice: at once" {
    type_line '"$GRANGE" run --study live -j 2 sh waiter.sh {n} ::: n=1:6; echo code=$?'
    poll_until 20 lines_at_least started 2
    "${tmux[@]}" send-keys C-c
    poll_until 10 eval 'screen | grep -qiE "stopping|finish"'
    "${tmux[@]}" send-keys C-c
    poll_until 5 screen_has "code=130"
}

@test "wait draws the same lines as run, on a terminal only; several studies are one" {
    grange up -j 2
    grange submit --study one sh waiter.sh {n} ::: n=1:3
    type_line '"$GRANGE" wait one; echo code=$?'
    poll_until 20 screen_has "0 done, 0 failed, 2 running, 1 left"
    screen_has "one "
    screen_has "2 of 2 cores busy"
    poll_until 20 screen_has "point 0"
    "${tmux[@]}" send-keys C-c
    poll_until 20 screen_has "code=130"
    screen | grep -F -A1 " wait one; echo" | tail -1 | grep -F "grange: interrupted" # nothing is left of them
    grange submit --study two sh waiter.sh {n} ::: n=4,5
    type_line 'clear; "$GRANGE" wait one two; echo code=$?'
    poll_until 20 screen_has "2 studies "
    poll_until 20 screen_has "one point 0"
    run -4 grange wait one --timeout 1ms
    has_not "$output" cores # no terminal
    touch go
    poll_until 20 screen_has "code=0"
    screen_has "two: 2 points: 2 done"
    run -1 screen_has "2 studies"
    grange down
}

# widest - the columns of the longest line, where the terminal wrapped it both parts together.
widest() { screen | awk '{ if (length($0) > n) n = length($0) } END { print n }'; }

@test "long names are cut to the terminal by status, workers, farms and top; a pipe gets all of them" {
    long=$(printf 'x%.0s' {1..60})
    "${tmux[@]}" resize-window -x 80 -y 24
    grange up -n 0 --name "$long"
    start worker "$GRANGE" worker -j 1 --name "$long"
    grange submit --study "$long" sh waiter.sh {n} ::: n=1:3
    poll_until 20 lines_at_least started 1
    type_line 'clear; "$GRANGE" status; echo END'
    poll_until 20 screen_has "END"
    screen | grep -E "^x+\.\.\. +3 .*running$"
    [ "$(widest)" -le 80 ]
    type_line 'clear; "$GRANGE" workers; echo END'
    poll_until 20 eval 'screen | grep -E "^ *1  x+\.\.\. .* up "'
    [ "$(widest)" -le 80 ]
    type_line 'clear; "$GRANGE" farms; echo END'
    poll_until 20 eval 'screen | grep -E "^x+\.\.\.  up"'
    [ "$(widest)" -le 80 ]
    type_line 'clear; "$GRANGE" top'
    poll_until 20 eval 'screen | grep -E "^x+\.\.\.  running +0 +3 "'
    screen | grep -E "^study .*time left$"
    screen | grep -E "up for .*client"
    poll_until 20 eval 'screen | grep -E "^  x+ point 0 for "'
    "${tmux[@]}" send-keys q
    has "$(grange status | cat)" "$long"
    has "$(grange workers | cat)" "$long"
    has "$(grange farms | cat)" "$long"
    has "$(grange top | cat)" "$long"
    touch go
    grange wait "$long"
    grange down
}
