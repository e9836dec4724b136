/* engines - numbers scattered over engines, worked on there, and gathered again.
 *
 *     cc -o engines engines.c $(pkg-config --cflags --libs grange)
 *     ./engines --plugin build/lib/collatz.so      with a farm of its own
 *     ./engines [FARM|URL|FILE]                    with one that is up and has that plug-in
 *
 * An engine is a process that stays and keeps named values between calls. grange_call sends a
 * function to whichever engine is free; here each engine is addressed by its id, because each has a
 * part of the data. */
#include <grange.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1000, ENGINES = 4, PATIENCE_MS = 30000 };

static struct grange *g;

static void check(int code, const char *what)
{
    if (code != GRANGE_OK) {
        fprintf(stderr, "engines: %s: %s\n", what, grange_message(g));
        exit(1);
    }
}

static void connect_to_farm(int argc, char **argv)
{
    const char *plugin = argc > 2 && strcmp(argv[1], "--plugin") == 0 ? argv[2] : NULL;
    struct grange_embed how = { .slots = ENGINES, .plugins = &plugin, .n_plugins = 1 };
    char why[300];
    int code = plugin ? grange_embed(&how, PATIENCE_MS, &g, why, sizeof why)
                      : grange_connect(argv[1], PATIENCE_MS, &g, why, sizeof why);

    if (code != GRANGE_OK) {
        fprintf(stderr, "engines: %s\n", why);
        exit(1);
    }
}

/* find_engines - the ids of all engines, once enough are there. */
static uint64_t *find_engines(size_t *n)
{
    struct grange_engine *list;

    check(grange_engines(g, ENGINES, PATIENCE_MS, &list, n), "list of engines");
    uint64_t *ids = calloc(*n + 1, sizeof *ids);
    for (size_t i = 0; ids && i < *n; i++)
        ids[i] = list[i].id;
    free(list);
    return ids;
}

/* on_all - calls a function on each engine, all at the same time. */
static void on_all(const uint64_t *ids, size_t n, const char *function, const char *text)
{
    struct grange_direct *d;

    check(grange_direct_call(g, ids, n, function, text, strlen(text), &d), function);
    check(grange_direct_wait(d, PATIENCE_MS), function);
    grange_direct_free(d);
}

/* ask_bad - what becomes of a call that fails: the others are not touched. */
static void ask_bad(uint64_t id)
{
    struct grange_direct *d;
    struct grange_answer a;

    check(grange_direct_call(g, &id, 1, "collatz", "too short", 9, &d), "collatz");
    if (grange_direct_wait(d, PATIENCE_MS) == GRANGE_OK)
        exit(1);
    check(grange_direct_answer(d, 0, &a), "answer");
    printf("engine 0 says: %s (%d)\n", a.error, a.exit_code);
    grange_direct_free(d);
}

int main(int argc, char **argv)
{
    double x[N], sum = 0;
    size_t n, bytes;

    connect_to_farm(argc, argv);
    uint64_t *ids = find_engines(&n);
    printf("%zu engines\n", n);
    for (int i = 0; i < N; i++)
        x[i] = i;
    check(grange_scatter(g, ids, n, "x", x, N, sizeof *x, PATIENCE_MS), "scatter");
    on_all(ids, n, "square", "x"); /* makes the value "x^2" from "x" */
    check(grange_gather_into(g, ids, n, "x^2", PATIENCE_MS, x, sizeof x, &bytes), "gather");
    for (size_t i = 0; i < bytes / sizeof(double); i++)
        sum += x[i];
    printf("the sum of %zu squares is %.0f\n", bytes / sizeof(double), sum);
    if (n > 0)
        ask_bad(ids[0]);
    free(ids);
    grange_close(g);
    return 0;
}
