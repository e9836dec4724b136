/* many PLUGIN N [web] - N calls of echo in an embedded farm, submitted one by one under a key and
 * taken as they complete; `web`: each waits for two drawn from those before it. Says when it is up,
 * has submitted all, and got each quarter. Ends with 0 when every call came back once with its own
 * bytes, and after both for which it waited, whatever happened to the farm meanwhile. */
#include <grange.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct grange *g;

static void say(const char *what, unsigned long long n)
{
    printf("%s %llu\n", what, n);
    fflush(stdout);
}

static void check(int code)
{
    if (code == GRANGE_OK)
        return;
    printf("%s\n", grange_message(g));
    exit(1);
}

/* on - the k-th call (0 or 1) that call i of a web waits for. */
static unsigned long long on(unsigned long long i, unsigned k)
{
    unsigned long long x = (2 * i + k + 1) * 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    return (x ^ x >> 32) % i;
}

/* submit - all of them; the first one. */
static struct grange_future submit(struct grange_set *set, unsigned long long n, int web)
{
    struct grange_future first = { 0 }, f, two[2];
    int code;

    for (unsigned long long i = 0; i < n; i++) {
        struct grange_options o = { .key = "many", .after = two, .n_after = web && i ? 2 : 0 };
        for (unsigned k = 0; k < o.n_after; k++)
            two[k] = grange_nth(first, on(i, k));
        while ((code = grange_call(g, "echo", &i, sizeof i, &o, &f)) == GRANGE_ERR_LOST)
            ;
        check(code);
        first = i ? first : f;
        check(grange_set_add(set, f, 1));
    }
    return first;
}

/* right - whether call i came back once, with what was sent, after those for which it waited. */
static int right(struct grange_future f, unsigned long long i, int web, unsigned char *seen)
{
    struct grange_result r;

    check(grange_get(g, f, &r));
    if (r.outcome != GRANGE_DONE || r.bytes != sizeof i || seen[i]++) {
        printf("%s %s %s\n", grange_outcome_name(r.outcome), r.reason, r.error);
        return 0;
    }
    return !memcmp(r.data, &i, sizeof i) && (!web || !i || (seen[on(i, 0)] && seen[on(i, 1)]));
}

int main(int argc, char **argv)
{
    const char *plugin = argc > 2 ? argv[1] : "";
    unsigned long long n = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, got = 0, good = 0;
    int web = argc > 3 && strcmp(argv[3], "web") == 0;
    struct grange_embed how = { .slots = 2, .plugins = &plugin, .n_plugins = 1 };
    unsigned char *seen = calloc(n + 1, 1);
    struct grange_set *set;
    struct grange_future f;
    char why[1024];
    int code;

    if (!seen || grange_embed(&how, 60000, &g, why, sizeof why) != GRANGE_OK)
        return puts(why), 1;
    say("up", 0);
    check(grange_set_new(g, &set));
    struct grange_future first = submit(set, n, web);
    say("submitted", n);
    while ((code = grange_set_next(set, 60000, &f)) != GRANGE_ERR_NOT_FOUND) {
        if (code == GRANGE_ERR_LOST)
            continue;
        check(code);
        good += (unsigned)right(f, f.id - first.id, web, seen);
        if (++got % (n / 4 + 1) == 0)
            say("got", got);
    }
    grange_close(g);
    free(seen);
    say("right", good);
    return good != n;
}
