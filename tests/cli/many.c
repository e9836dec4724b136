/* many PLUGIN N - N calls of echo in an embedded farm, submitted one by one under a key and taken
 * as they complete; says when it is up, has submitted all, and got each quarter. Ends with 0 when
 * every call came back once with its own bytes, whatever happened to the farm meanwhile. */
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

static void submit(struct grange_set *set, unsigned long long n)
{
    struct grange_options o = { .key = "many" };
    struct grange_future f;
    int code;

    for (unsigned long long i = 0; i < n; i++) {
        while ((code = grange_call(g, "echo", &i, sizeof i, &o, &f)) == GRANGE_ERR_LOST)
            ;
        check(code);
        check(grange_set_add(set, f, 1));
    }
}

/* right - whether the future came back with what was sent: its index. */
static int right(struct grange_future f, unsigned long long first)
{
    struct grange_result r;
    unsigned long long i;

    check(grange_get(g, f, &r));
    if (r.outcome != GRANGE_DONE || r.bytes != sizeof i) {
        printf("%s %s %s\n", grange_outcome_name(r.outcome), r.reason, r.error);
        return 0;
    }
    memcpy(&i, r.data, sizeof i);
    return i == f.id - first;
}

int main(int argc, char **argv)
{
    const char *plugin = argc == 3 ? argv[1] : "";
    unsigned long long n = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, got = 0, good = 0;
    struct grange_embed how = { .slots = 2, .plugins = &plugin, .n_plugins = 1 };
    struct grange_set *set;
    struct grange_future f;
    char why[1024];
    int code;

    if (grange_embed(&how, 60000, &g, why, sizeof why) != GRANGE_OK)
        return puts(why), 1;
    say("up", 0);
    check(grange_set_new(g, &set));
    submit(set, n);
    say("submitted", n);
    while ((code = grange_set_next(set, 60000, &f)) != GRANGE_ERR_NOT_FOUND) {
        if (code == GRANGE_ERR_LOST)
            continue;
        check(code);
        good += (unsigned)right(f, f.id >> 32 << 32);
        if (++got % (n / 4 + 1) == 0)
            say("got", got);
    }
    grange_close(g);
    say("right", good);
    return good != n;
}
