/* map - the longest Collatz sequence below LIMIT: a function of a plug-in over many numbers, in
 * order and then unordered. Without --plugin: awk instead of a function, and fewer numbers. */
#include "example.h"

struct search {
    bool has_plugin, ordered;
    char command[200];
    uint64_t number; /* the item that was given last */
    uint64_t n, best, best_steps, last;
};

static struct grange_bytes item(void *context, uint64_t i)
{
    struct search *s = context;

    s->number = i + 1;
    if (s->has_plugin)
        return (struct grange_bytes){ &s->number, sizeof s->number };
    snprintf(s->command, sizeof s->command,
             "awk 'BEGIN { for (n = %" PRIu64 "; n != 1; k++) n = n %% 2 ? 3 * n + 1 : n / 2; "
             "print k + 0 }'",
             s->number);
    return (struct grange_bytes){ s->command, strlen(s->command) };
}

static int take(void *context, uint64_t i, const struct grange_result *r)
{
    struct search *s = context;
    uint64_t steps = 0;

    if (r->outcome != GRANGE_DONE)
        die("%" PRIu64 ": %s %s", i + 1, r->reason, r->error);
    if (s->has_plugin)
        memcpy(&steps, r->data, sizeof steps);
    else
        steps = strtoull(r->out, NULL, 10);
    s->ordered = s->ordered && i == s->n;
    s->n++;
    if (steps > s->best_steps || (steps == s->best_steps && i + 1 < s->best)) {
        s->best_steps = steps;
        s->best = i + 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    bool has_plugin;
    struct grange *g = example_connect(argc, argv, &has_plugin);
    const char *function = has_plugin ? "collatz" : NULL;
    uint64_t limit = has_plugin ? 10000 : 30;

    for (unsigned flags = 0; flags <= GRANGE_UNORDERED; flags++) {
        struct search s = { .has_plugin = has_plugin, .ordered = true };
        check(g, grange_map(g, function, limit, item, take, &s, flags, NULL, 5 * MINUTE));
        printf("%s: of 1..%" PRIu64 ", %" PRIu64 " takes the most steps: %" PRIu64 "\n",
               flags       ? "unordered"
               : s.ordered ? "in order"
                           : "out of order",
               limit, s.best, s.best_steps);
    }
    grange_close(g);
    return 0;
}
