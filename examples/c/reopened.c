/* reopened - futures that outlive the program, and the scheduler: submitted under a key, found
 * again by it. NAME [WHERE]; without WHERE in a farm in ./reopened.d, which ends in between. */
#include "example.h"

enum { N = 5 };

static struct grange *open_farm(const char *where)
{
    struct grange_embed how = { .dir = "reopened.d", .slots = 2 };
    struct grange *g;
    char why[1024];
    int code = where ? grange_connect(where, CONNECT_MS, &g, why, sizeof why)
                     : grange_embed(&how, CONNECT_MS, &g, why, sizeof why);

    if (code != GRANGE_OK)
        die("%s", why);
    return g;
}

/* submit - the same commands under the same key are the same tasks, however often. */
static void submit(struct grange *g, char key[GRANGE_KEY_BYTES])
{
    struct grange_options o = { .key = "squares" };
    struct grange_future f = { 0 };
    char text[100];

    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "echo ran >>ran.txt; echo $((%d * %d))", i, i);
        check(g, grange_command(g, text, &o, &f));
    }
    check(g, grange_future_key(g, f, key, GRANGE_KEY_BYTES));
    check(g, grange_flush(g, MINUTE)); /* from here on they are durable */
}

static void show(struct grange *g, const char *key)
{
    struct grange_future f;
    struct grange_result r;

    check(g, grange_future_open(g, key, MINUTE, &f));
    check(g, grange_wait(g, f, MINUTE));
    check(g, grange_get(g, f, &r));
    printf("%s: %s, %.*s\n", key, grange_outcome_name(r.outcome), (int)strcspn(r.out, "\n"), r.out);
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : NULL;
    char key[GRANGE_KEY_BYTES];
    struct grange *g = open_farm(where);

    submit(g, key);
    grange_close(g); /* whether or not they have ended */

    g = open_farm(where); /* as another program would, tomorrow */
    show(g, "squares:0");
    show(g, key);
    submit(g, key); /* not run a second time */
    show(g, "squares:3");
    grange_close(g);
    return 0;
}
