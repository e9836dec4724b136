/* exhaust: every sequence of a few events in a small world of two tasks and two workers. The small
 * world finds the small bugs: core_check after each step, and at the end each world is led to its
 * end. */
#include <criterion/criterion.h>
#include <string.h>

#include "scheduler/core.h"

enum { KINDS = 10, LENGTH = 5, TASKS = 2 };

/* What the world outside knows: connections and the leases that a worker was given. */
struct outside {
    struct core *core;
    struct outbox out;
    ms_t now;
    struct {
        uint64_t peer; /* 0: not connected */
        struct event_held held[16];
        size_t n_held;
    } worker[2];
    uint64_t next_peer;
    uint32_t ends[TASKS + 1]; /* recorded and not reopened */
};

static const struct array_row row = { .id = { 1 },
                                      .study = { 1 },
                                      .first = { 1 },
                                      .n = TASKS,
                                      .policy = { .retries = 1, .needs.cores = 1 } };

static void forget(struct outside *o, int w, lease_id lease)
{
    size_t kept = 0;

    for (size_t i = 0; i < o->worker[w].n_held; i++)
        if (o->worker[w].held[i].lease.n != lease.n)
            o->worker[w].held[kept++] = o->worker[w].held[i];
    o->worker[w].n_held = kept;
}

static void note_change(struct outside *o, const struct change *c)
{
    if (c->kind == CHG_END)
        cr_assert_eq(++o->ends[c->end.task.n], 1, "task %d ended twice", (int)c->end.task.n);
    if (c->kind == CHG_REOPEN)
        o->ends[c->task.n] = 0;
    if (c->kind == CHG_REOPEN_FAILED)
        memset(o->ends, 0, sizeof o->ends); /* an upper bound is enough here */
}

static void note_send(struct outside *o, const struct send *d)
{
    for (int w = 0; w < 2; w++)
        for (size_t i = 0; o->worker[w].peer == d->to.n && i < d->n; i++) {
            const struct core_grant *g = &o->out.grants[d->grants + i];
            if (d->kind == SEND_ASSIGN)
                o->worker[w].held[o->worker[w].n_held++] =
                    (struct event_held){ .lease = g->lease, .task = g->task, .running = true };
            if (d->kind == SEND_ACK)
                forget(o, w, g->lease);
        }
}

static void step(struct outside *o, const struct event *ev)
{
    core_step(o->core, o->now, ev, &o->out);
    core_check(o->core);
    for (size_t i = 0; i < o->out.n_changes; i++)
        note_change(o, &o->out.changes[i]);
    for (size_t i = 0; i < o->out.n_sends; i++)
        if (o->out.sends[i].kind == SEND_ASSIGN || o->out.sends[i].kind == SEND_ACK)
            note_send(o, &o->out.sends[i]);
    outbox_clear(&o->out);
}

static void pass(struct outside *o, ms_t ms)
{
    ms_t until = o->now + ms;

    for (int i = 0; core_deadline(o->core) <= until; i++) {
        cr_assert_lt(i, 100, "the deadline does not move");
        if (core_deadline(o->core) > o->now)
            o->now = core_deadline(o->core);
        step(o, &(struct event){ .kind = EV_TIMEOUT });
    }
    o->now = until;
}

static void hello(struct outside *o, int w)
{
    struct worker_row worker = { .instance = (uint64_t)w + 1, .slots = 1 };

    if (o->worker[w].peer)
        return;
    worker.name[0] = (char)('a' + w);
    o->worker[w].peer = ++o->next_peer;
    step(o, &(struct event){ .kind = EV_HELLO,
                             .from = { o->worker[w].peer },
                             .worker = &worker,
                             .held = o->worker[w].held,
                             .n_held = o->worker[w].n_held });
}

static void gone(struct outside *o, int w)
{
    if (o->worker[w].peer)
        step(o, &(struct event){ .kind = EV_GONE, .from = { o->worker[w].peer } });
    o->worker[w].peer = 0;
}

/* The oldest lease of a worker ends. */
static void result(struct outside *o, int w, int code)
{
    if (!o->worker[w].peer || !o->worker[w].n_held)
        return;
    const struct event_held *h = &o->worker[w].held[0];
    struct end_row end = { .task = h->task, .lease = h->lease, .code = code, .wall_us = 900000 };
    step(o, &(struct event){ .kind = EV_RESULT,
                             .from = { o->worker[w].peer },
                             .lease = h->lease,
                             .task = h->task,
                             .end = &end });
}

static void about_study(struct outside *o, enum event_kind kind)
{
    static const uint64_t first = 0;

    step(o, &(struct event){ .kind = kind,
                             .from = { 1000 },
                             .study = { 1 },
                             .array = &row,
                             .active = true,
                             .is_new = false,
                             .failed = kind == EV_RETRY,
                             .index = &first,
                             .n_index = kind == EV_CANCEL });
}

static void happen(struct outside *o, int kind)
{
    switch (kind) {
    case 0:
        hello(o, 0);
        break;
    case 1:
        hello(o, 1);
        break;
    case 2:
        gone(o, 0);
        break;
    case 3:
        result(o, 0, 0);
        break;
    case 4:
        result(o, 0, 1);
        break;
    case 5:
        result(o, 1, 0);
        break;
    case 6:
        pass(o, ADOPT_MS + 1);
        break;
    case 7:
        about_study(o, EV_CANCEL);
        break;
    case 8:
        about_study(o, EV_RETRY);
        break;
    case 9:
        about_study(o, EV_HOLD);
        break;
    }
    pass(o, 0);
}

/* Whatever happened, two workers and a resumed study bring all of it to an end. */
static void lead_to_the_end(struct outside *o)
{
    about_study(o, EV_SUBMIT);
    for (int i = 0; i < 12; i++) {
        hello(o, 0);
        hello(o, 1);
        pass(o, 500);
        result(o, 0, 0);
        result(o, 1, 0);
    }
    struct core_study s;
    cr_assert(core_study(o->core, (study_id){ 1 }, &s));
    cr_assert(s.ended, "ready %d, waiting %d, running %d", (int)s.counts.ready,
              (int)s.counts.waiting, (int)s.counts.running);
}

static void play(const int *kinds)
{
    struct outside o = { .now = 1000 };
    struct core_config cfg;

    core_config_default(&cfg);
    cfg.lost_after_ms = 1000000;
    o.core = core_new(&cfg);
    outbox_init(&o.out);
    step(&o, &(struct event){ .kind = EV_RESTORED });
    about_study(&o, EV_SUBMIT);
    hello(&o, 0);
    pass(&o, 0);
    for (int i = 0; i < LENGTH; i++)
        happen(&o, kinds[i]);
    lead_to_the_end(&o);
    core_free(o.core);
    outbox_fini(&o.out);
}

Test(core, every_short_story_is_sound_and_ends, .timeout = 300)
{
    int kinds[LENGTH] = { 0 };

    for (;;) {
        play(kinds);
        int i = 0;
        while (i < LENGTH && ++kinds[i] == KINDS)
            kinds[i++] = 0;
        if (i == LENGTH)
            break;
    }
}
