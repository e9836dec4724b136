/* graph - mesh, simulate each part, collect: commands that wait for commands. One part fails, so
 * that what needs all parts is skipped, while what only needs their ends runs. */
#include "example.h"

enum { PARTS = 4 };

static struct grange_future command(struct grange *g, const char *text,
                                    const struct grange_future *after, size_t n, unsigned rule)
{
    struct grange_options o = { .after = after, .n_after = n, .rule = rule };
    struct grange_future f;

    check(g, grange_command(g, text, &o, &f));
    return f;
}

static void show(struct grange *g, const char *name, struct grange_future f,
                 const struct grange_future part[PARTS])
{
    struct grange_result r;

    check(g, grange_wait(g, f, MINUTE));
    check(g, grange_get(g, f, &r));
    printf("%s: %s", name, grange_outcome_name(r.outcome));
    for (int i = 0; i < PARTS; i++) {
        if (r.because.id == part[i].id)
            printf(" because of part %d", i);
    }
    printf("\n");
    if (*r.error)
        fprintf(stderr, "  %s\n", r.error);
}

int main(int argc, char **argv)
{
    struct grange *g = example_connect(argc, argv, NULL);
    struct grange_future part[PARTS], mesh = command(g, "echo mesh", NULL, 0, GRANGE_ALL);
    char text[100];

    for (int i = 0; i < PARTS; i++) {
        snprintf(text, sizeof text, "echo part %d; test %d != 2", i, i);
        part[i] = command(g, text, &mesh, 1, GRANGE_ALL);
    }
    struct grange_future collect = command(g, "echo all", part, PARTS, GRANGE_ALL);
    struct grange_future any = command(g, "echo one", part, PARTS, GRANGE_ANY);
    struct grange_future ends = command(g, "echo report", part, PARTS, GRANGE_ON_FAILURE);
    struct grange_future next = command(g, "echo after all", &collect, 1, GRANGE_ALL);

    show(g, "mesh", mesh, part);
    for (int i = 0; i < PARTS; i++) {
        snprintf(text, sizeof text, "part %d", i);
        show(g, text, part[i], part);
    }
    show(g, "all parts", collect, part);
    show(g, "after that", next, part);
    show(g, "any part", any, part);
    show(g, "however they ended", ends, part);
    grange_close(g);
    return 0;
}
