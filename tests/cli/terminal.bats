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
