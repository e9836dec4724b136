/* rules WHERE - every rule, over every pair of ends: for calls that wait for two calls of another
 * array, for a whole array, and for its calls element by element; submitted before those have
 * ended and after. Prints what came out wrong, and a line at the end. */
#include <grange.h>
#include <stdio.h>
#include <stdlib.h>

static struct grange *g;
static unsigned n_right, n_wrong;

static void check(int code)
{
    if (code == GRANGE_OK)
        return;
    printf("%s\n", grange_message(g));
    exit(1);
}

static struct grange_future command(int succeeds, struct grange_options o)
{
    struct grange_future f;

    check(grange_command(g, succeeds ? "exit 0" : "exit 1", &o, &f));
    return f;
}

/* counts - whether an end is one that the rule waits for. */
static int counts(unsigned rule, int success)
{
    return success ? !(rule & GRANGE_NOT_SUCCESS) : (rule & GRANGE_ON_FAILURE) != 0;
}

static void expect(const char *what, unsigned rule, unsigned ends, struct grange_future f, int runs)
{
    struct grange_result r;

    check(grange_wait(g, f, 60000));
    check(grange_get(g, f, &r));
    if (r.outcome == (runs ? GRANGE_DONE : GRANGE_SKIPPED) && (runs || r.because.id)) {
        n_right++;
        return;
    }
    n_wrong++;
    printf("%s, rule %u, ends %u: %s: %s %s\n", what, rule, ends, grange_outcome_name(r.outcome),
           r.reason, r.error);
}

/* try_rule - bit i of ends: whether the i-th of the two succeeds. */
static void try_rule(unsigned rule, unsigned ends, int late)
{
    int first = counts(rule, ends & 1), second = counts(rule, ends >> 1 & 1),
        runs = rule & GRANGE_ANY ? first || second : first && second;
    char key[40], whole[50], each[50];
    snprintf(key, sizeof key, "two.%u.%u.%d", rule, ends, late);
    snprintf(whole, sizeof whole, "whole.%s", key);
    snprintf(each, sizeof each, "each.%s", key);
    struct grange_options two = { .key = key, .study = "rules" };
    struct grange_array on = { .key = key, .rule = rule };

    struct grange_future on_two[2] = { command(ends & 1, two), command(ends >> 1 & 1, two) };
    check(grange_key_close(g, key, 60000));
    if (late)
        check(grange_wait_all(g, on_two, 2, 60000));
    struct grange_future f = command(1, (struct grange_options){
                                            .study = "rules",
                                            .after = on_two,
                                            .n_after = 2,
                                            .rule = rule,
                                        });
    struct grange_future then =
        command(1, (struct grange_options){ .study = "rules", .after = &f, .n_after = 1 });
    expect("two calls", rule, ends, f, runs);
    expect("what waits for that", rule, ends, then, runs);
    struct grange_options o = { .key = whole, .study = "rules", .arrays = &on, .n_arrays = 1 };
    expect("an array", rule, ends, command(1, o), runs);
    expect("an array", rule, ends, command(1, o), runs);
    if (rule & GRANGE_ANY)
        return; /* element by element there is one only */
    on.each = true;
    o.key = each;
    struct grange_future e0 = command(1, o), e1 = command(1, o);
    expect("element 0", rule, ends, e0, first);
    expect("element 1", rule, ends, e1, second);
}

int main(int argc, char **argv)
{
    static const unsigned kinds[] = { GRANGE_ALL, GRANGE_ON_FAILURE | GRANGE_NOT_SUCCESS,
                                      GRANGE_ON_FAILURE };
    char why[300];

    if (argc != 2 || grange_connect(argv[1], 60000, &g, why, sizeof why) != GRANGE_OK)
        return puts(why), 1;
    for (int late = 0; late < 2; late++)
        for (unsigned k = 0; k < 3; k++)
            for (unsigned ends = 0; ends < 4; ends++) {
                try_rule(kinds[k], ends, late);
                try_rule(kinds[k] | GRANGE_ANY, ends, late);
            }
    grange_close(g);
    printf("%u right, %u wrong\n", n_right, n_wrong);
    return n_wrong != 0;
}
