#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"

enum {
    WATCH_MS = 20,
    QUIET_MS = LOST_AFTER_MS + 3000, /* all has ended this long: nothing more may come */
    PATIENCE_MS = 3600 * 1000 /* after the world healed everything must have ended within this */
};

/* --- time --- */

void sim_at(struct sim *s, ms_t at, struct thing thing)
{
    uint64_t i = s->free_thing;

    if (i) {
        s->free_thing = s->things[i - 1].next_free;
    } else {
        if (s->n_things == s->cap_things) {
            s->cap_things = s->cap_things ? 2 * s->cap_things : 256;
            s->things = realloc(s->things, s->cap_things * sizeof *s->things);
            must(s->things != NULL);
        }
        i = ++s->n_things;
    }
    s->things[i - 1] = thing;
    heap_push(&s->heap, at < s->now ? s->now : at, i - 1);
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
    return rng_below(&s->rng, n);
}

bool sim_chance(struct sim *s, uint32_t percent)
{
    return rng_below(&s->rng, 100) < percent;
}

/* --- trace --- */

struct buf *sim_line(struct sim *s, const char *who)
{
    struct buf *b = &s->line[s->n_lines % TRACE_LINES];

    buf_clear(b);
    buf_addf(b, "%6lld %-9s ", (long long)s->now, who);
    return b;
}

void sim_line_end(struct sim *s)
{
    const struct buf *b = &s->line[s->n_lines++ % TRACE_LINES];

    s->hash = hash64(b->data, b->n, s->hash);
    if (s->print)
        puts(b->data);
}

void sim_note(struct sim *s, const char *who, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_adds(sim_line(s, who), text);
    sim_line_end(s);
}

void sim_show(const struct sim *s)
{
    uint64_t from = s->n_lines > TRACE_LINES ? s->n_lines - TRACE_LINES : 0;

    if (!s->print)
        for (uint64_t i = from; i < s->n_lines; i++)
            fprintf(stderr, "%s\n", buf_text(&s->line[i % TRACE_LINES]));
    fprintf(stderr, "sim: seed %llu at %lld ms\nTo see all of it again: ./dev sim %llu\n",
            (unsigned long long)s->seed, (long long)s->now, (unsigned long long)s->seed);
}

void sim_fail(struct sim *s, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fflush(stdout);
    sim_show(s);
    fprintf(stderr, "sim: WRONG: %s\n", text);
    exit(1);
}

/* --- faults --- */

static void fault_worker(struct sim *s, uint64_t which)
{
    uint32_t w = (uint32_t)sim_below(s, s->opt.n_workers);

    if (which == 1) /* half of them with their machine: nobody says goodbye */
        worker_crash(s, w, (ms_t)sim_below(s, sim_chance(s, 50) ? 20 : 15000),
                     50 + (ms_t)sim_below(s, 4000));
    else if (which == 2)
        worker_drain(s, w, sim_chance(s, 50) ? 0 : (ms_t)sim_below(s, 5000));
    else
        worker_pause(s, w, 100 + (ms_t)sim_below(s, sim_chance(s, 50) ? 1500 : 12000));
}

static void fault_link(struct sim *s, bool reset)
{
    uint32_t actor = (uint32_t)sim_below(s, s->opt.n_workers + 1);
    uint32_t c = actor == s->opt.n_workers ? s->client.connection : s->workers[actor].connection;

    if (!c)
        return;
    if (reset) {
        sim_note(s, "net", "resets connection %u", c);
        net_reset(s, c - 1);
        return;
    }
    ms_t for_ms = (ms_t)sim_below(s, sim_chance(s, 70) ? 1500 : 12000);
    uint64_t ends = 1 + sim_below(s, 3);
    sim_note(s, "net", "clogs connection %u for %lld ms, ends %llu", c, (long long)for_ms,
             (unsigned long long)ends);
    for (int end = 0; end < 2; end++)
        if (ends & (1u << end))
            net_clog(s, c - 1, end, for_ms);
}

static void fault(struct sim *s)
{
    const bool on[] = { s->opt.crash_scheduler, s->opt.crash_worker, s->opt.drain_worker,
                        s->opt.pause_worker,    s->opt.reset_link,   s->opt.clog_link };
    uint64_t which = sim_below(s, sizeof on / sizeof *on);

    sim_at(s, s->now + 1 + (ms_t)sim_below(s, 2 * (uint64_t)s->opt.fault_every_ms),
           (struct thing){ .kind = T_FAULT });
    if (!on[which])
        return;
    if (which == 0)
        scheduler_crash(s, 10 + (ms_t)sim_below(s, sim_chance(s, 70) ? 500 : 5000));
    else if (which <= 3)
        fault_worker(s, which);
    else
        fault_link(s, which == 4);
}

static void heal(struct sim *s)
{
    sim_note(s, "world", "heals");
    s->healed = true;
    s->heal_ms = s->now;
    net_unclog(s);
    for (uint32_t w = 0; w < s->opt.n_workers; w++)
        if (s->workers[w].paused_until > s->now)
            s->workers[w].paused_until = s->now;
    for (uint32_t i = 0; i < s->n_connections; i++)
        for (int end = 0; end < 2; end++)
            sim_at(s, s->now, (struct thing){ .kind = T_PUMP, .a = i, .b = (uint32_t)end });
    client_resubmit(s);
}

/* --- the loop --- */

static void dial(struct sim *s, uint32_t actor)
{
    bool client = actor == ACTOR_CLIENT;

    if (client ? s->client.connection != 0
               : !s->workers[actor].alive || s->workers[actor].connection)
        return;
    if (s->scheduler.alive)
        net_connect(s, actor);
    else
        sim_at(s, s->now + 10 + (ms_t)sim_below(s, (uint64_t)s->opt.dial_max),
               (struct thing){ .kind = T_DIAL, .a = actor });
}

static void watch(struct sim *s)
{
    oracle_watch(s);
    if (s->healed && oracle_all_ended(s)) {
        if (!s->ended_ms)
            s->ended_ms = s->now;
        s->over = s->now >= s->ended_ms + QUIET_MS;
    } else {
        s->ended_ms = 0;
    }
    if (s->healed && s->now > s->heal_ms + PATIENCE_MS)
        sim_fail(s, "the world healed at %lld and not everything has ended", (long long)s->heal_ms);
    sim_at(s, s->now + WATCH_MS, (struct thing){ .kind = T_WATCH });
}

static void request(struct sim *s)
{
    if (s->healed)
        return;
    client_request(s);
    sim_at(s, s->now + 1 + (ms_t)sim_below(s, 2 * (uint64_t)s->opt.request_every_ms),
           (struct thing){ .kind = T_REQUEST });
}

static bool stale(const struct sim *s, const struct thing *t)
{
    switch (t->kind) {
    case T_WAKE:
    case T_PROCESS:
        return !s->workers[t->a].alive || s->workers[t->a].life != t->life;
    case T_TURN:
    case T_COMMIT:
    case T_BEAT:
        return !s->scheduler.alive || s->scheduler.life != t->life;
    default:
        return false;
    }
}

static void happen(struct sim *s, const struct thing *t)
{
    if (stale(s, t))
        return;
    switch (t->kind) {
    case T_PUMP:
        net_pump(s, t->a, (int)t->b);
        break;
    case T_DIAL:
        dial(s, t->a);
        break;
    case T_WAKE:
        worker_wake(s, t->a);
        break;
    case T_PROCESS:
        worker_process(s, t->a, (lease_id){ t->lease });
        break;
    case T_TURN:
        scheduler_turn(s);
        break;
    case T_COMMIT:
        scheduler_committed(s);
        break;
    case T_BEAT:
        scheduler_beat(s);
        break;
    case T_START_SCHEDULER:
        scheduler_start(s);
        break;
    case T_START_WORKER:
        worker_start(s, t->a);
        break;
    case T_FAULT:
        if (!s->healed)
            fault(s);
        break;
    case T_REQUEST:
        request(s);
        break;
    case T_WATCH:
        watch(s);
        break;
    case T_HEAL:
        heal(s);
        break;
    }
}

static void begin(struct sim *s)
{
    s->now = 1000; /* as far from 0 as real clocks are */
    s->disk.next_worker.n = 1;
    sim_at(s, s->now, (struct thing){ .kind = T_START_SCHEDULER });
    for (uint32_t w = 0; w < s->opt.n_workers; w++)
        sim_at(s, s->now + (ms_t)sim_below(s, s->opt.fault_free ? 5 : 1000),
               (struct thing){ .kind = T_START_WORKER, .a = w });
    sim_at(s, s->now, (struct thing){ .kind = T_DIAL, .a = ACTOR_CLIENT });
    sim_at(s, s->now, (struct thing){ .kind = T_WATCH });
    sim_at(s, s->now + (s->opt.fault_free ? 0 : s->opt.safety_ms),
           (struct thing){ .kind = T_HEAL });
    if (s->opt.fault_every_ms)
        sim_at(s, s->now + s->opt.fault_every_ms, (struct thing){ .kind = T_FAULT });
    if (s->opt.request_every_ms)
        sim_at(s, s->now + s->opt.request_every_ms, (struct thing){ .kind = T_REQUEST });
}

void sim_run(struct sim *s, uint64_t seed, bool print)
{
    struct heap_entry e;

    s->seed = seed;
    s->print = print;
    s->rng.state = rng_mix(seed + 0x5eed);
    heap_init(&s->heap);
    s->oracle = oracle_new();
    options_draw(&s->opt, seed);
    begin(s);
    while (!s->over && heap_pop(&s->heap, &e)) {
        must(e.at >= s->now);
        s->now = e.at;
        struct thing t = s->things[e.value];
        s->things[e.value].next_free = s->free_thing;
        s->free_thing = e.value + 1;
        happen(s, &t);
    }
    oracle_end(s);
    sim_note(s, "world", "is over");
}

void sim_free(struct sim *s)
{
    heap_fini(&s->heap);
    free(s->things);
    for (size_t i = 0; i < s->n_connections; i++)
        for (int end = 0; end < 2; end++) {
            struct queue *q = &s->connections[i].to[end];
            for (size_t k = 0; k < q->n; k++)
                packet_fini(&q->items[k]);
            free(q->items);
        }
    free(s->connections);
    core_free(s->scheduler.core);
    outbox_fini(&s->scheduler.out);
    for (size_t i = 0; i < s->scheduler.n_inbox; i++)
        packet_fini(&s->scheduler.inbox[i].packet);
    free(s->scheduler.inbox);
    for (uint32_t w = 0; w < SIM_WORKERS; w++) {
        agent_free(s->workers[w].agent);
        acts_fini(&s->workers[w].acts);
        free(s->workers[w].processes);
        free(s->workers[w].results);
    }
    disk_fini(&s->disk);
    oracle_free(s->oracle);
    for (size_t i = 0; i < TRACE_LINES; i++)
        buf_fini(&s->line[i]);
    memset(s, 0, sizeof *s);
}
