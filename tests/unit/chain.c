/* chain: a step of a chain of 10,000 calls costs what the step of a pair costs, counted in turns
 * (each of which is at most one commit), changes and messages. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "scheduler/core.h"

enum { CLIENT = 7, WORKER = 8, LONG = 10000 };

struct cost {
    size_t turns, ends, changes, messages, grants;
};

static struct core *core;
static struct outbox out;
static ms_t now;
static struct core_grant held;

/* turn - one event and what follows at once from it, as often as the core asks for it. */
static struct cost turn(struct event ev)
{
    struct cost k = { 0 };

    core_step(core, ++now, &ev, &out);
    do {
        core_step(core, now, &(struct event){ .kind = EV_TIMEOUT }, &out);
        k.turns++;
        k.changes += out.n_changes;
        k.messages += out.n_sends;
        for (size_t i = 0; i < out.n_changes; i++)
            k.ends += out.changes[i].kind == CHG_END;
        for (size_t i = 0; i < out.n_sends; i++) {
            const struct send *s = &out.sends[i];
            if (s->kind != SEND_ASSIGN)
                continue;
            k.grants += s->n;
            held = out.grants[s->grants];
        }
        outbox_clear(&out);
    } while (core_deadline(core) <= now);
    return k;
}

static void append(uint64_t n)
{
    struct edge *edges = calloc(n, sizeof *edges);

    cr_assert(edges);
    for (uint64_t i = 1; i < n; i++)
        edges[i - 1] = (struct edge){ .call = i, .on = { i } }; /* call i is task i + 1 */
    turn((struct event){ .kind = EV_APPEND,
                         .from = { CLIENT },
                         .array_id = { 1 },
                         .n = n,
                         .edges = edges,
                         .n_edges = n - 1,
                         .close = true });
    free(edges);
}

static void start(uint64_t n)
{
    struct core_config cfg;
    struct worker_row worker = { .instance = 1, .name = "w", .slots = 2, .memory_mib = 1000 };
    struct array_row array = { .id = { 1 },
                               .study = { 1 },
                               .first = { 1 },
                               .kind = ARRAY_CALLS,
                               .name = "chain",
                               .policy = { .needs.cores = 1 } };

    core_config_default(&cfg);
    cfg.lost_after_ms = 1000000000;
    core = core_new(&cfg);
    outbox_init(&out);
    now = 1000;
    turn((struct event){ .kind = EV_RESTORED });
    turn((struct event){ .kind = EV_HELLO, .from = { WORKER }, .worker = &worker });
    turn((struct event){ .kind = EV_SUBMIT, .from = { CLIENT }, .array = &array, .is_new = true });
    append(n);
}

static struct cost next(void)
{
    struct end_row end = { .task = held.task, .lease = held.lease, .wall_us = 100 };

    return turn((struct event){ .kind = EV_RESULT, .from = { WORKER }, .end = &end });
}

static void finish(void)
{
    core_free(core);
    outbox_fini(&out);
}

Test(chain, a_step_costs_what_that_of_a_pair_does)
{
    start(2);
    struct cost pair = next();
    finish();
    cr_assert(pair.ends == 1 && pair.grants == 1);
    cr_expect(pair.turns == 1 && pair.changes == 1 && pair.messages == 2, "%zu %zu %zu", pair.turns,
              pair.changes, pair.messages); /* the ack and the next call */
    start(LONG);
    for (uint64_t i = 1; i < LONG; i++) {
        cr_assert_eq(held.task.n, i);
        struct cost k = next();
        cr_assert(k.turns == pair.turns && k.ends == 1 && k.grants == 1 &&
                      k.changes == pair.changes && k.messages == pair.messages,
                  "step %llu: %zu turns, %zu changes, %zu messages", (unsigned long long)i, k.turns,
                  k.changes, k.messages);
    }
    finish();
}
