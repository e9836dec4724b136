/* gate: an array of many calls waits for one that is cancelled and run again, while it is not yet
 * done with what followed from the first. */
#include <criterion/criterion.h>

#include "scheduler/core.h"

enum { CLIENT = 7, N = 100 };

static struct core *core;
static struct outbox out;

/* step - how many calls it skips. */
static size_t step(struct event ev)
{
    size_t skipped = 0;

    core_step(core, 1000, &ev, &out);
    for (size_t i = 0; i < out.n_changes; i++)
        skipped += out.changes[i].kind == CHG_END && out.changes[i].end.state == TASK_UNMET;
    outbox_clear(&out);
    return skipped;
}

static void add(uint32_t id, uint64_t first, uint64_t n, const struct array_edge *after)
{
    struct array_row row = { .id = { id },
                             .study = { id },
                             .first = { first },
                             .kind = ARRAY_CALLS,
                             .name = "calls",
                             .after = after,
                             .n_after = after ? 1 : 0,
                             .policy = { .needs.cores = 1 } };

    step((struct event){ .kind = EV_SUBMIT, .from = { CLIENT }, .array = &row, .is_new = true });
    step((struct event){
        .kind = EV_APPEND, .from = { CLIENT }, .array_id = { id }, .n = n, .close = true });
}

static uint64_t n_unmet(void)
{
    struct core_study st;

    cr_assert(core_study(core, (study_id){ 2 }, &st));
    return st.counts.unmet;
}

Test(gate, who_is_run_again_while_others_are_skipped_skips_no_more)
{
    static const struct array_edge after = { .on = { 1 } };
    struct core_config cfg;

    core_config_default(&cfg);
    core = core_new(&cfg);
    outbox_init(&out);
    step((struct event){ .kind = EV_RESTORED });
    add(1, 1, 1, NULL);
    add(2, 2, N, &after);
    step((struct event){ .kind = EV_CANCEL,
                         .from = { CLIENT },
                         .study = { 1 },
                         .index = (const uint64_t[]){ 0 },
                         .n_index = 1 });
    step((struct event){ .kind = EV_FOLLOW, .from = { CLIENT }, .study = { 2 } });
    cr_expect(n_unmet() > 0 && n_unmet() < N, "%llu", (unsigned long long)n_unmet());
    cr_expect_eq(step((struct event){
                     .kind = EV_RETRY, .from = { CLIENT }, .study = { 1 }, .failed = true }),
                 0);
    while (core_deadline(core) <= 1000)
        cr_expect_eq(step((struct event){ .kind = EV_TIMEOUT }), 0);
    cr_expect_eq(n_unmet(), 0);
    core_free(core);
    outbox_fini(&out);
}
