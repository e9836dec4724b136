/* edges URL - on a farm with several workers: calls that wait for whole arrays and element by
 * element, calls that follow others to their worker, a sweep whose points had ended before. Prints
 * what of it is not so; 0: all is. */
#include <grange.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 20, POINTS = 10000, WITHIN_MS = 600000 };

static struct grange *g;
static int wrong;

static void check(int code)
{
    if (code == GRANGE_OK)
        return;
    printf("%s\n", grange_message(g));
    exit(1);
}

static void expect(int so, const char *what, unsigned i)
{
    if (!so)
        printf("not so: %s (%u)\n", what, i);
    wrong |= !so;
}

static struct grange_result result(struct grange_future f)
{
    struct grange_result r;

    check(grange_wait(g, f, WITHIN_MS));
    check(grange_get(g, f, &r));
    return r;
}

/* some - N commands under a key; those with an odd number fail. */
static void some(const char *key, const struct grange_options *with, struct grange_future *f)
{
    struct grange_options o = *with;

    o.key = key;
    o.study = "edges";
    for (unsigned i = 0; i < N; i++)
        check(grange_command(g, i % 2 ? "exit 1" : "true", &o, &f[i]));
    check(grange_key_close(g, key, WITHIN_MS));
}

static void arrays(void)
{
    static const struct grange_array each = { .key = "a", .each = true };
    static const struct grange_array either = { .key = "a", .rule = GRANGE_ON_FAILURE };
    static const struct grange_array all = { .key = "a" };
    struct grange_future a[N], b[N], c[N], d[N];

    some("a", &(struct grange_options){ 0 }, a);
    some("b", &(struct grange_options){ .arrays = &each, .n_arrays = 1 }, b);
    some("c", &(struct grange_options){ .arrays = &either, .n_arrays = 1 }, c);
    some("d", &(struct grange_options){ .arrays = &all, .n_arrays = 1 }, d);
    int64_t last_ms = 0;
    for (unsigned i = 0; i < N; i++) {
        struct grange_result r = result(a[i]);
        last_ms = r.ended_ms > last_ms ? r.ended_ms : last_ms;
    }
    for (unsigned i = 0; i < N; i++) {
        struct grange_result ra = result(a[i]), rb = result(b[i]), rc = result(c[i]);
        expect(rb.outcome == (i % 2 ? GRANGE_SKIPPED : GRANGE_DONE), "b follows a, each", i);
        expect(i % 2 || rb.started_ms >= ra.ended_ms, "b i starts after a i", i);
        expect(rc.outcome == (i % 2 ? GRANGE_FAILED : GRANGE_DONE), "c runs", i);
        expect(rc.started_ms >= last_ms, "c starts when all of a has ended", i);
        expect(result(d[i]).outcome == GRANGE_SKIPPED, "d needs all of a", i);
    }
}

static void follow(void)
{
    struct grange_future a[N], b[N];
    struct grange_options o = { .study = "follow" };

    for (unsigned i = 0; i < N; i++)
        check(grange_command(g, "sleep 0.05", &o, &a[i])); /* a point */
    for (unsigned i = 0; i < N; i++) {
        o.after = &a[i];
        o.n_after = 1;
        o.rule = GRANGE_FOLLOW;
        check(grange_command(g, "true", &o, &b[i]));
    }
    for (unsigned i = 0; i < N; i++) {
        char worker[101];
        snprintf(worker, sizeof worker, "%s", result(a[i]).worker);
        expect(strcmp(result(b[i]).worker, worker) == 0, "b runs where a ran", i);
    }
}

/* sweep - of the points 0, 2500, 5000 and 7500, and of `one` more; all others are left out. */
static void sweep(unsigned one, uint64_t reused)
{
    char json[300];
    struct grange_submitted r;
    struct grange_future first;
    struct grange_set *set;
    struct grange_tally t;

    snprintf(json, sizeof json,
             "{\"version\":1,\"name\":\"sweep\",\"cwd\":\"/\",\"command\":[\"true\",\"{x}\"],"
             "\"factors\":[\"x=0:%d\"],\"where\":\"x %% 2500 = 0 or x = %u\"}",
             POINTS - 1, one);
    check(grange_sweep(g, json, strlen(json), 0, WITHIN_MS, &r, &first));
    expect(r.counts.n == POINTS && r.counts.reused == reused, "points that had ended", one);
    check(grange_set_new(g, &set));
    check(grange_set_add(set, first, POINTS));
    check(grange_set_wait(set, WITHIN_MS));
    grange_set_tally(set, &t);
    expect(t.by_outcome[GRANGE_DONE] == 5 && t.by_outcome[GRANGE_SKIPPED] == POINTS - 5,
           "five are done", one);
    for (unsigned i = 0; i < POINTS; i += 2500)
        expect(result(grange_nth(first, i)).outcome == GRANGE_DONE, "the point is done", i);
    grange_set_free(set);
}

int main(int argc, char **argv)
{
    char why[300] = "edges URL";

    if (argc < 2 || grange_connect(argv[1], 60000, &g, why, sizeof why))
        return puts(why), 1;
    arrays();
    follow();
    sweep(1, 0);
    sweep(2, 4);
    grange_close(g);
    return wrong;
}
