#!/usr/bin/env bats
# shellcheck disable=SC2154
# The verbs that look at a study and steer it, for calls that a program made.
load helper

setup_more() {
    build=$(cd "$(dirname "$GRANGE")/.." && pwd)
    [ -e "$build/lib/libgrange.so" ] || skip "libgrange.so is not built under sanitizers"
    export PKG_CONFIG_PATH="$build/lib/pkgconfig" LD_LIBRARY_PATH="$build/lib"
    cat >calls.c <<'END'
#include <grange.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ./calls URL STUDY KEY KIND [N]: graph, tree, again or big; then it is waited for, but for a tree. */
static struct grange *g;
static struct grange_options o;

static void check(int code)
{
    if (code) {
        fprintf(stderr, "%s\n", grange_message(g));
        exit(1);
    }
}

static void command(const char *text, struct grange_future *after, size_t n, unsigned rule,
                    struct grange_future *f)
{
    o.after = after;
    o.n_after = n;
    o.rule = rule;
    check(grange_command(g, text, &o, f));
}

int main(int argc, char **argv)
{
    char why[300];
    int n = argc > 5 ? atoi(argv[5]) : 6;
    struct grange_future *f = calloc((size_t)n, sizeof *f);

    if (grange_connect(argv[1], 10000, &g, why, sizeof why)) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    o.study = argv[2];
    o.key = argv[3];
    o.cwd = getenv("PWD");
    if (strcmp(argv[4], "graph") == 0) {
        command("echo mesh", NULL, 0, 0, &f[0]);
        command("echo one", &f[0], 1, 0, &f[1]);
        command("test -e fixed || { echo 'not \"fixed\"' >&2; exit 3; }", &f[0], 1, 0, &f[2]);
        command("echo both", &f[1], 2, 0, &f[3]);
        command("echo any", &f[1], 2, GRANGE_ANY, &f[4]);
        command("printf '\\001\\002'", &f[2], 1, GRANGE_ON_FAILURE | GRANGE_FOLLOW, &f[5]);
    } else if (strcmp(argv[4], "again") == 0) {
        o.retries = 1;
        o.policy = "{\"restart\": \"echo again $GRANGE_POINT: \\\"$1\\\"\", \"backoff\": \"1ms..2ms\"}";
        for (int i = 0; i < n; i++)
            command("exit 7", NULL, 0, 0, &f[i]);
    } else {
        for (int i = 0; i < n; i++)
            command("true", i > 9 ? &f[i / 10] : NULL, i > 9, 0, &f[i]);
    }
    check(grange_key_close(g, argv[3], 60000));
    for (int i = 0; i < n && strcmp(argv[4], "tree"); i++)
        check(grange_wait(g, f[i], 120000));
    grange_close(g);
    return 0;
}
END
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Wextra -Werror -o calls calls.c $(pkg-config --cflags --libs grange)
    url="ipc://$PWD/.grange/scheduler.sock"
}

farm() { run -0 grange up -n 1 -j 2; }
graph() { ./calls "$url" wing fit graph; }

@test "results has a row a call: how it ended, and what it gave back where that is text" {
    farm
    graph
    results wing >r.csv
    same "$(printf '%s\n' fit fit fit fit fit fit)" "$(column key <r.csv)"
    same "$(seq 0 5)" "$(column point <r.csv)"
    same "$(printf '%s\n' done done failed skipped done done)" "$(column state <r.csv)"
    run -0 grange results wing --json
    same '["mesh","one",null,null,"any",null]' "$(jq -c '[.[].result]' <<<"$output")"
    same "[5,4,null,null,4,2]" "$(jq -c '[.[].bytes]' <<<"$output")"
    same 'not "fixed"' "$(jq -r '.[2].error' <<<"$output")"
    same "exit 3" "$(jq -r '.[2].reason' <<<"$output")"
    run -0 grange results wing --where "state = 'done' and worker is not null" --sort -point --format csv
    same "$(printf '%s\n' 5 4 1 0)" "$(column point <<<"$output")"
    run -2 grange results wing --where "nothing = 1"
    has "$output" "columns: key, point, state"
    run -0 grange down
}

@test "explain and log of a call, by its key and index, or its index where there is one key" {
    farm
    graph
    run -0 grange explain wing 3
    has "$output" "fit:3"
    has "$output" "waits for  1, 2"
    has "$output" "(call fit:2: failed)"
    run -0 grange explain wing fit:5 --json
    same "fit:5" "$(jq -r .call <<<"$output")"
    same "2 (either, same worker)" "$(jq -r .waits_for <<<"$output")"
    run -0 grange log wing fit:1
    same one "$output"
    run -0 grange log wing 2 --stderr
    same 'not "fixed"' "$output"
    ./calls "$url" wing more tree 3
    run -2 grange explain wing 3
    has "$output" "2 keys; which one? like fit:3"
    run -2 grange explain wing fit
    has "$output" "one is KEY:INDEX, like fit:0"
    run -2 grange log wing none:0
    has "$output" "wing has no calls under the key of 'none:0'; it has the key fit"
    run -2 grange log wing fit:6
    has "$output" "fit has 6 calls so far, from 0 on: none is fit:6"
    mkdir away
    cd away
    run -2 grange resume wing --connect "$url"
    has "$output" "study 'wing' is one of calls: the programs that made them open them again by their keys; after a hold, grange release"
    cd ..
    run -0 grange down
    run -3 grange retry wing fit:2
    has "$output" "wing is a study of calls, and no farm is up that could run them; start one, which goes on with it: grange up"
}

@test "retry runs failed calls again, and what was skipped because of them" {
    farm
    graph
    touch fixed
    run -0 grange retry wing --failed
    has "$output" "1 call of wing will run again"
    run -0 grange wait wing
    same "$(printf '%s\n' done done done done done done)" "$(results wing | column state)"
    ./calls "$url" wing more big 3
    run -0 grange retry wing fit:0 fit:1
    has "$output" "2 calls of wing"
    run -2 grange retry wing fit:0 more:1
    has "$output" "calls of one key at a time"
    run -0 grange retry wing more:2 --json
    same 1 "$(jq .retried <<<"$output")"
    run -0 grange wait wing
    run -2 grange resume wing
    has "$output" "the farm runs by itself"
    run -0 grange down
    run -3 grange retry wing --failed
    has "$output" "no farm is up"
    run -3 grange resume
    has "$output" "grange up"
}

@test "cancel gives up calls that were named, and all of them" {
    farm
    run -0 grange drain "$(grange workers --json | jq -r '.workers[0].worker')"
    ./calls "$url" wing one tree 5
    ./calls "$url" wing two tree 30
    run -0 grange cancel wing two:3 two:29 --json
    same 2 "$(jq .cancelled <<<"$output")"
    same "$(printf '%s\n' two:3 two:29)" "$(results wing | awk -F, 'NR > 1 && $3 == "cancelled" { print $1 ":" $2 }')"
    run -2 grange cancel wing one:1 two:1
    has "$output" "one key at a time"
    run -0 grange cancel wing
    same 35 "$(results wing --where "state = 'cancelled'" | tail -n +2 | wc -l)"
    run -0 grange down
}

@test "graph draws calls and what they wait for, coloured by state" {
    farm
    graph
    run -0 grange graph wing -o wing.dot
    has "$(cat wing.dot)" '"fit:0" [label="0\necho mesh", fillcolor="#8fd6bd"]'
    has "$(cat wing.dot)" '"fit:2" -> "fit:3"'
    has "$(cat wing.dot)" '"fit:1" -> "fit:4" [label="any"]'
    has "$(cat wing.dot)" '"fit:2" -> "fit:5" [label="either, same worker"]'
    grep -q '"fit:2" .*#f0a080' wing.dot # failed
    grep -q '"fit:3" .*#f5e690' wing.dot # skipped
    run -0 grange graph # the last one
    same "$(cat wing.dot)" "$output"
    run -0 grange graph wing --points
    same "$(cat wing.dot)" "$output" # few calls are drawn one by one anyway
    if command -v dot >/dev/null; then
        run -0 grange graph wing -o wing.svg
        has "$(cat wing.svg)" "</svg>"
    fi
    run -0 grange down
}

@test "graph of many calls is a few boxes, whatever they are" {
    farm
    run -0 grange drain "$(grange workers --json | jq -r '.workers[0].worker')"
    ./calls "$url" tree key tree 3000
    run -0 grange graph tree -o tree.dot
    same 4 "$(grep -c 'label="key\\n' tree.dot)" # 10, 90, 900 and 2,000 calls
    has "$(cat tree.dot)" 'label="key\n2,000 calls\n2,000 left"'
    has "$(cat tree.dot)" '"box 2" -> "box 3" [label="2,000"]'
    has "$(cat tree.dot)" "3,000 calls, 2,990 edges"
    run -2 grange graph tree --points
    has "$output" "3000 calls and 2990 edges are too many to draw one by one, the limits are 2000 and 20000; leave out --points"
    ./calls "$url" small some tree 400
    run -0 grange graph small --points
    same 400 "$(grep -c '^ *"some:[0-9]*" \[label' <<<"$output")"
    has "$output" '"some:39" -> "some:399"'
    run -0 grange down
}

@test "later attempts at a command run the restart command of its array, which has it as its first argument" {
    farm
    ./calls "$url" again key again 2
    results again >r.csv
    same "$(printf '%s\n' 'again 0: exit 7' 'again 1: exit 7')" "$(column result <r.csv)"
    same "$(printf '%s\n' 2 2)" "$(column attempts <r.csv)"
    run -0 grange down
}
