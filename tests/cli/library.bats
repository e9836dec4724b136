#!/usr/bin/env bats
# shellcheck disable=SC2154
# The C programs of examples/c, compiled as anybody would: with a farm of their own, and with one that
# is there.
load helper

setup_more() {
    build=$(cd "$(dirname "$GRANGE")/.." && pwd)
    [ -e "$build/lib/libgrange.so" ] || skip "libgrange.so is not built under sanitizers"
    export PKG_CONFIG_PATH="$build/lib/pkgconfig" LD_LIBRARY_PATH="$build/lib" TMPDIR="$PWD"
    unset XDG_RUNTIME_DIR
}

# compile NAME - from examples/c into ./NAME.
compile() {
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Wextra -Werror -o "$1" "$GRANGE_SOURCE/examples/c/$1.c" $(pkg-config --cflags --libs grange)
}

up() { run -0 grange up -n 1 -j 2 "$@"; }
url() { echo "ipc://$PWD/.grange/scheduler.sock"; }

# both NAME - embedded, and with a farm that is there: the same output; nothing is left behind.
both() {
    compile "$1"
    run -0 --separate-stderr "./$1"
    expected=$output
    same "" "$(ls -d grange-?????? 2>/dev/null || true)"
    up
    run -0 --separate-stderr "./$1" "$(url)"
    same "$expected" "$output"
    run -0 grange down
}

@test "futures: a sum, a failure, a crash, one that is cancelled" {
    both futures
    # Who ran it where, and what that took: all of it was measured.
    has "$stderr" "by $(hostname)-w1 on $(hostname), attempt 1, "
    [[ $stderr =~ \ ([0-9.]+)\ s,\ ([0-9.]+)\ s\ processor\ time,\ [1-9][0-9]{2,}\ KiB ]]
    [ "${BASH_REMATCH[1]}" != 0.000 ]
    same "a sum: done (exit 0), printed 42
a failure: failed (exit 3), said no such file
a crash: failed (killed by SIGSEGV)
a sleeper: cancelled (cancelled)" "$expected"
}

@test "as_completed: all are given out, each once" {
    both as_completed
    same "20 of 20 done, the sum is 190" "$expected"
}

@test "map: in order and unordered" {
    both map
    same "in order: of 1..30, 27 takes the most steps: 111
unordered: of 1..30, 27 takes the most steps: 111" "$expected"
}

@test "map over a function of a plug-in" {
    compile map
    run -0 --separate-stderr ./map --plugin "$build/lib/collatz.so"
    same "in order: of 1..10000, 6171 takes the most steps: 261
unordered: of 1..10000, 6171 takes the most steps: 261" "$output"
}

@test "graph: what waits for others runs after them, or is skipped with the reason" {
    both graph
    has "$expected" "mesh: done"
    has "$expected" "part 1: done"
    has "$expected" "part 2: failed"
    has "$expected" "all parts: skipped because of part 2"
    has "$expected" "after that: skipped because of part 2"
    has "$expected" "any part: done"
    has "$expected" "however they ended: done"
}

@test "every rule over every pair of ends: two calls, a whole array, element by element" {
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Wextra -Werror -o rules "$GRANGE_SOURCE/tests/cli/rules.c" $(pkg-config --cflags --libs grange)
    up
    run -0 ./rules "$(url)"
    same "240 right, 0 wrong" "$output"
    run -0 grange down
}

@test "sweep: a future for each point, also for those that ended before or were left out" {
    both sweep
    same "squares: 4 points, 0 had ended before
  point 0: done, exit 0: 1
  point 1: skipped, left out
  point 2: done, exit 0: 9
  point 3: failed, exit 1: 16
squares: 5 points, 3 had ended before
  point 0: done, exit 0: 1
  point 1: skipped, left out
  point 2: done, exit 0: 9
  point 3: failed, exit 1: 16
  point 4: done, exit 0: 25" "$expected"
}

@test "reopened: futures outlive the program and its farm, and run once" {
    compile reopened
    run -0 --separate-stderr ./reopened
    same "squares:0: done, 0
squares:4: done, 16
squares:3: done, 9" "$output"
    run -0 --separate-stderr ./reopened
    up
    run -0 --separate-stderr ./reopened "$(url)"
    has "$output" "squares:4: done, 16"
    run -0 --separate-stderr ./reopened "$(url)"
    run -0 grange down
    same 10 "$(find . -name ran.txt -exec cat {} + | wc -l)" # five in each of the two farms
}

@test "a program finds the farm by its name, and says what is wrong when there is none" {
    compile futures
    run -1 ./futures nosuchfarm
    has "$output" "nosuchfarm"
    run -1 ./futures "ipc://$PWD/none.sock"
    has "$output" "no scheduler answered"
    run -1 env GRANGE_PROGRAM=/none ./futures
    has "$output" "cannot run '/none'"
    mkdir alone
    cp -P "$build"/lib/libgrange.so* alone/
    run -1 env -u GRANGE_PROGRAM LD_LIBRARY_PATH="$PWD/alone" PATH=/nowhere ./futures
    has "$output" "the program grange is neither beside the library nor on the PATH; name it in GRANGE_PROGRAM"
    up --name lab
    run -0 --separate-stderr ./futures lab
    has "$output" "a sum: done"
    run -0 grange down
}

# patient - ./patient COMMAND: waits for a command in an embedded farm, whatever happens to that.
patient() {
    cat >patient.c <<'END'
#include <grange.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct grange *g;
    struct grange_future f;
    char why[300];
    int code;
    if (argc < 2 || grange_embed(NULL, 60000, &g, why, sizeof why) != GRANGE_OK)
        return puts(why), 1;
    grange_command(g, argv[1], NULL, &f);
    while ((code = grange_wait(g, f, GRANGE_FOREVER)) == GRANGE_ERR_LOST)
        puts("lost");
    grange_close(g);
    return code;
}
END
    # shellcheck disable=SC2046
    cc -o patient patient.c $(pkg-config --cflags --libs grange)
}

has_child() {
    local p
    for p in $(descendants "$1"); do
        ! tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q "$2" || return 0
    done
    return 1
}

@test "a killed program takes its embedded farm with it" {
    patient
    start program ./patient "sleep 600" # a point
    poll_until 20 has_child "$pid" sleep # a point runs
    mapfile -t all < <(descendants "$pid")
    [ "${#all[@]}" -ge 4 ] # scheduler, supervisor, worker, the command
    kill -9 "$pid"
    poll_until 20 gone "${all[@]}"
}

@test "an embedded scheduler that dies is started again, and the call goes on" {
    patient
    start program ./patient "until [ -e '$PWD/go' ]; do sleep 0.05; done" # a point
    poll_until 20 has_child "$pid" sleep # a point runs
    scheduler=$(pgrep -P "$pid" -f 'grange scheduler')
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    touch go
    finish "$pid"
    same 0 "$rc"
    same "" "$(ls -d grange-?????? 2>/dev/null || true)"
}

# killing WHAT many|web N - N calls of the program many, while the daemon is killed again and again.
killing() {
    # shellcheck disable=SC2046
    cc -std=c17 -O1 -Wall -Wextra -Werror -o many "$GRANGE_SOURCE/tests/cli/many.c" $(pkg-config --cflags --libs grange)
    start "$2" ./many "$build/lib/collatz.so" "$3" "$2"
    for line in "up 0" "submitted $3" "got $(($3 / 4 + 1))" "got $((3 * ($3 / 4 + 1)))"; do
        poll_until 120 grep -q "^$line" "$2.out"
        daemon=$(pgrep -P "$pid" -f "grange $1" || true)
        [ -z "$daemon" ] || kill -9 "$daemon" || true
    done
    finish "$pid"
    same "right $3" "$(tail -n 1 "$2.out")"
    same 0 "$rc"
}

@test "a scheduler that is killed while calls go through loses none, and none comes twice" {
    killing scheduler many 200000
}

@test "a worker that is killed while calls go through loses none" {
    killing worker many 200000
}

# followers - ./followers WHERE N: calls 0 and 1 of key "f", of which 1 ends first, then N calls that follow 1, and N that
# follow any of both; prints their workers and that of 1. That of 0 goes to stderr.
followers() {
    cat >followers.c <<'END'
#include <grange.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    struct grange *g;
    struct grange_future both[2], f;
    struct grange_result r;
    char why[300];
    if (argc < 3 || grange_connect(argv[1], 60000, &g, why, sizeof why) != GRANGE_OK)
        return puts(why), 1;
    struct grange_options lead = { .key = "f" };
    char wait[5000];
    snprintf(wait, sizeof wait, "until [ -e '%s/go' ]; do sleep 0.02; done # a point", getenv("PWD"));
    grange_command(g, wait, &lead, &both[0]);
    grange_command(g, "echo first", &lead, &both[1]);
    int n = 2 * atoi(argv[2]);
    struct grange_options o = { .key = "g", .study = "f", .rule = GRANGE_FOLLOW };
    for (int i = 0; i < n; i++) {
        o.rule = i % 2 ? GRANGE_FOLLOW | GRANGE_ANY : GRANGE_FOLLOW;
        o.after = i % 2 ? both : both + 1;
        o.n_after = 1 + i % 2;
        grange_command(g, "echo next", &o, &f);
    }
    for (int i = 0; i < n; i++)
        if (grange_wait(g, (struct grange_future){ f.id - (unsigned)i }, 60000) ||
            grange_get(g, (struct grange_future){ f.id - (unsigned)i }, &r) || !puts(r.worker))
            return puts(grange_message(g)), 1;
    if (grange_wait(g, both[1], 60000) || grange_get(g, both[1], &r) || !puts(r.worker))
        return puts(grange_message(g)), 1;
    fclose(fopen("go", "w"));
    if (grange_wait(g, both[0], 60000) || grange_get(g, both[0], &r) || fputs(r.worker, stderr) < 0)
        return puts(grange_message(g)), 1;
    grange_close(g);
    return 0;
}
END
    # shellcheck disable=SC2046
    cc -o followers followers.c $(pkg-config --cflags --libs grange)
}

@test "a call follows one, or the first of any, to its worker also when that ended before a restart of the scheduler" {
    followers
    run -0 grange up -n 4 -j 1
    run -0 --separate-stderr ./followers "$(url)" 0
    worker=$output
    [ "$worker" != "$stderr" ]
    scheduler=$(sed 's/ .*//' .grange/lock)
    kill -9 "$scheduler"
    poll_until 20 gone "$scheduler"
    run -0 --separate-stderr ./followers "$(url)" 9
    same "$worker" "$(sort -u <<<"$output")"
    run -0 grange down
}

@test "a graph of 1,000,000 calls and 2,000,000 edges outlives its scheduler, in order" {
    killing scheduler web 1000000
}

@test "the library is linked statically, and from C++" {
    cat >x.cc <<'END'
#include <grange.h>
int main()
{
    grange_future f = { 1 };
    grange_options o = {};
    o.after = &f;
    return grange_nth(*o.after, 1).id == 2 && grange_version()[0] ? 0 : 1;
}
END
    # shellcheck disable=SC2046
    c++ -std=c++17 -Wall -Wextra -Werror -o x x.cc $(pkg-config --cflags grange) "$build/lib/libgrange.a" \
        $(pkg-config --static --libs grange | sed 's/-lgrange//')
    run -0 ./x
}

@test "the connection file of a client connects over TLS, that of a worker does not" {
    compile map
    run -0 grange up -n 1 -j 2 --listen tls+tcp://127.0.0.1:0
    run -0 --separate-stderr ./map "$PWD/.grange/client.json"
    has "$output" "27 takes the most steps: 111"
    run -1 ./map "$PWD/.grange/worker.json"
    has "$output" "worker"
    run -0 grange down
}

@test "a payload of 20 MB goes to an engine and comes back, durable on both ways" {
    cat >big.c <<'END'
#include <grange.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { BYTES = 20000000 };
int main(int argc, char **argv)
{
    const char *plugin = argv[argc - 1];
    struct grange_embed how = { .slots = 1, .plugins = &plugin, .n_plugins = 1 };
    struct grange *g;
    struct grange_future f;
    struct grange_result r;
    char why[300], *data = malloc(BYTES);
    for (unsigned i = 0; i < BYTES; i++)
        data[i] = (char)(i * 2654435761u >> 24);
    if (grange_embed(&how, 60000, &g, why, sizeof why) != GRANGE_OK)
        return puts(why), 1;
    if (grange_call(g, "echo", data, BYTES, NULL, &f) || grange_wait(g, f, 60000) || grange_get(g, f, &r))
        return puts(grange_message(g)), 1;
    int same = r.outcome == GRANGE_DONE && r.bytes == BYTES && memcmp(r.data, data, BYTES) == 0;
    grange_close(g);
    free(data);
    return !same;
}
END
    # shellcheck disable=SC2046
    cc -std=c17 -o big big.c $(pkg-config --cflags --libs grange)
    run -0 ./big "$build/lib/collatz.so"
}

@test "an embedded farm has the slots and the plug-ins that were asked for" {
    cat >half.c <<'END'
#include "grange_engine.h"
static int half(struct grange_call *call, const void *data, size_t n)
{
    return grange_return(call, data, n / 2);
}
GRANGE_FUNCTION("half", half)
END
    cc -Wall -Wextra -Werror -shared -fPIC -I "$GRANGE_SOURCE/engine" -o half.so half.c
    cat >asked.c <<'END'
#include <grange.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    struct grange_embed how = { .slots = 5, .plugins = (const char *const *)argv + 1, .n_plugins = (size_t)argc - 1 };
    struct grange *g;
    struct grange_future f[2];
    struct grange_result r;
    struct grange_engine *list;
    struct grange_farm *farm;
    size_t n;
    char why[300];
    if (grange_embed(&how, 60000, &g, why, sizeof why) != GRANGE_OK)
        return puts(why), 1;
    if (grange_engines(g, 1, 60000, &list, &n) || grange_farm_look(g, 60000, &farm) || farm->n_workers != 1)
        return puts(grange_message(g)), 1;
    printf("%u slots\n", farm->workers[0].slots);
    free(farm);
    free(list);
    const char *const name[] = { "echo", "half" };
    for (int i = 0; i < 2; i++)
        if (grange_call(g, name[i], "abcd", 4, NULL, &f[i]) || grange_wait(g, f[i], 60000) || grange_get(g, f[i], &r) ||
            printf("%s: %.*s\n", name[i], (int)r.bytes, (const char *)r.data) < 0)
            return puts(grange_message(g)), 1;
    grange_close(g);
    return 0;
}
END
    # shellcheck disable=SC2046
    cc -std=c17 -Wall -Wextra -Werror -o asked asked.c $(pkg-config --cflags --libs grange)
    run -0 ./asked "$build/lib/collatz.so" ./half.so
    same "5 slots
echo: abcd
half: ab" "$output"
    same "" "$(ls -d grange-?????? 2>/dev/null || true)"
}

@test "the library exports grange_ names only" {
    names=$(nm -D --defined-only "$build/lib/libgrange.so" | awk '{ print $3 }')
    has "$names" "grange_future_open"
    same "" "$(grep -v '^grange_' <<<"$names" || true)"
}

@test "edges to whole arrays and to their elements, calls that follow, points that had ended before" {
    run -0 grange up -n 3 -j 1
    run -0 "$build/examples/example_edges" "$(url)"
    same "" "$output"
    run -0 grange down
}

@test "what the library asks of a farm and of its studies is seen in the next look at it" {
    run -0 grange up -n 2 -j 1
    scheduler=$(sed 's/ .*//' .grange/lock)
    run -0 "$build/examples/example_steer" "$(url)" "$PWD/go"
    same "" "$output"
    poll_until 20 gone "$scheduler"
}
