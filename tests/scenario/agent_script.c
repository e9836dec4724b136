/* agent_script - the worker's agent in a scenario. Events are up, welcome, gone, heard, drain,
 * pass; assign LEASE [array=N limit= grace= cores= memory=]; revoke, ack, started, exited LEASE;
 * recall N; limit A MS; held (prints what the agent holds). Of engines: ready
 * engine=E [bundles=0], engine-gone engine=E [LEASE | ticket=T], withdrawn LEASE | ticket=T, direct
 * and direct-cancel ticket=T [engine=E], answered LEASE | ticket=T [us=] (a call's exited). */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/scenario/print.h"
#include "tests/scenario/script.h"

struct state {
    struct agent *agent;
    struct acts acts;
};

static void *start(struct words *w)
{
    struct state *s = calloc(1, sizeof *s);
    struct agent_config cfg;

    must(s != NULL);
    agent_config_default(&cfg);
    cfg.slots = (uint32_t)words_number(w, "slots", cfg.slots);
    cfg.engines = (uint32_t)words_number(w, "engines", 0);
    cfg.memory_mib = (uint64_t)words_number(w, "memory", (int64_t)cfg.memory_mib);
    cfg.beat_ms = words_number(w, "beat", cfg.beat_ms);
    cfg.lost_after_ms = words_number(w, "lost_after", cfg.lost_after_ms);
    cfg.orphan_after_ms = words_number(w, "orphan_after", cfg.orphan_after_ms);
    cfg.report_delay_ms = words_number(w, "report_delay", cfg.report_delay_ms);
    cfg.kill_grace_ms = words_number(w, "grace", cfg.kill_grace_ms);
    s->agent = agent_new(&cfg);
    acts_init(&s->acts);
    return s;
}

static void run(struct state *s, ms_t now, const struct agent_event *ev, struct buf *said)
{
    s->acts.n = 0;
    agent_step(s->agent, now, ev, &s->acts);
    agent_check(s->agent);
    for (size_t i = 0; i < s->acts.n; i++) {
        buf_adds(said, i ? "; " : "");
        print_act(said, &s->acts.items[i]);
    }
}

static void timeout(void *state, ms_t now, struct buf *said)
{
    run(state, now, &(struct agent_event){ .kind = AGENT_TIMEOUT }, said);
}

static void say_held(const struct state *s, ms_t now, struct buf *said)
{
    static const char *const names[] = { "queued",  "handed",   "starting",
                                         "running", "stopping", "finished" };
    struct agent_held held[64];
    size_t n = agent_held(s->agent, now, held, 64);

    for (size_t i = 0; i < n; i++) {
        buf_adds(said, i ? ", " : "holds ");
        print_lease(said, held[i].task, held[i].lease);
        buf_addf(said, " %s", names[held[i].state]);
        if (held[i].elapsed_ms)
            buf_addf(said, " %lldms", (long long)held[i].elapsed_ms);
    }
    buf_addf(said, "%s; %u busy", n ? "" : "holds nothing", agent_slots_busy(s->agent));
}

static void step(void *state, ms_t now, struct words *w, struct buf *said)
{
    static const struct {
        const char *name;
        enum agent_event_kind kind;
        bool lease;
    } verbs[] = {
        { "up", AGENT_UP, false },
        { "welcome", AGENT_WELCOME, false },
        { "gone", AGENT_GONE, false },
        { "heard", AGENT_HEARD, false },
        { "assign", AGENT_ASSIGN, true },
        { "revoke", AGENT_REVOKE, true },
        { "ack", AGENT_ACK, true },
        { "recall", AGENT_RECALL, false },
        { "limit", AGENT_LIMIT, false },
        { "started", AGENT_STARTED, true },
        { "exited", AGENT_EXITED, true },
        { "drain", AGENT_DRAIN, false },
        { "pass", AGENT_TIMEOUT, false },
        { "ready", AGENT_ENGINE_READY, false },
        { "engine-gone", AGENT_ENGINE_GONE, true },
        { "withdrawn", AGENT_WITHDRAWN, true },
        { "direct", AGENT_DIRECT, true },
        { "direct-cancel", AGENT_DIRECT_CANCEL, true },
        { "answered", AGENT_EXITED, true },
    };
    struct state *s = state;
    const char *verb = words_need(w, "an event");
    struct agent_event ev = { 0 };
    size_t i = 0;

    if (strcmp(verb, "held") == 0) {
        say_held(s, now, said);
        return;
    }
    while (i < sizeof verbs / sizeof *verbs && strcmp(verb, verbs[i].name) != 0)
        i++;
    if (i == sizeof verbs / sizeof *verbs)
        words_wrong(w, "unknown event of an agent", verb);
    ev.kind = verbs[i].kind;
    ev.lease.n = (uint64_t)words_number(w, "ticket", 0);
    ev.direct = ev.lease.n != 0;
    if (verbs[i].lease && !ev.direct) {
        const char *lease = ev.kind == AGENT_ENGINE_GONE ? words_next(w) : words_need(w, "a lease");
        if (lease)
            ev.lease = words_lease(w, lease, &ev.task);
    }
    if (ev.kind == AGENT_RECALL)
        ev.n = (uint32_t)words_number(w, "n", 1);
    ev.engine = (uint32_t)words_number(w, "engine", 0);
    ev.bundles = words_number(w, "bundles", 1);
    ev.wall_us = (uint64_t)words_number(w, "us", 0);
    ev.call = words_number(w, "call", 0);
    ev.array.n = (uint32_t)words_number(w, "array", 1);
    ev.limit_ms = words_number(w, "limit", 0);
    ev.grace_ms = words_number(w, "grace", 0);
    ev.cores = (uint32_t)words_number(w, "cores", 1);
    ev.memory_mib = (uint32_t)words_number(w, "memory", 0);
    run(s, now, &ev, said);
}

static ms_t deadline(void *state)
{
    return agent_deadline(((struct state *)state)->agent);
}

static void end(void *state)
{
    struct state *s = state;

    agent_free(s->agent);
    acts_fini(&s->acts);
    free(s);
}

const struct script agent_script = { start, step, timeout, deadline, end };
