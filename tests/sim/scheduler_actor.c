/* scheduler - the loop around the core, as scheduler/loop.c is: take what arrived, step, commit,
 * send. A commit takes time; what arrives meanwhile waits. It may die at any moment, also between
 * the commit and the sends. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/scenario/print.h"
#include "tests/sim/sim.h"

enum { SPINS_MAX = 100 };

static void turn_at(struct sim *s, ms_t at)
{
    struct sim_scheduler *sc = &s->scheduler;

    if (sc->turn_due && sc->turn_at <= at)
        return;
    sc->turn_due = true;
    sc->turn_at = at;
    sim_at(s, at, (struct thing){ .kind = T_TURN, .life = sc->life });
}

/* When the loop would wake up next. */
static void plan_turn(struct sim *s)
{
    ms_t deadline = core_deadline(s->scheduler.core);

    if (s->scheduler.n_inbox)
        turn_at(s, s->now);
    else if (deadline < s->now + 1)
        turn_at(s, s->now + 1);
    else if (deadline != MS_NEVER)
        turn_at(s, deadline);
}

void scheduler_start(struct sim *s)
{
    struct sim_scheduler *sc = &s->scheduler;

    sc->alive = true;
    sc->committing = sc->turn_due = false;
    sc->spins = 0;
    sc->n_fresh = 0;
    sc->next_array = (uint32_t)s->disk.n_arrays + 1;
    sc->next_task = 1;
    for (size_t i = 0; i < s->disk.n_arrays; i++)
        sc->next_task += s->disk.arrays[i].kind == ARRAY_CALLS
                             ? s->opt.study[s->disk.arrays[i].study.n - 1].n
                             : s->disk.arrays[i].n;
    outbox_init(&sc->out);
    s->disk.epoch++;
    sim_note(s, "scheduler", "starts, epoch %u", s->disk.epoch);
    oracle_scheduler_started(s);
    sc->core = disk_restore(s, s->disk.epoch, s->now, NULL, &sc->out);
    turn_at(s, s->now);
    sim_at(s, s->now + BEAT_MS, (struct thing){ .kind = T_BEAT, .life = sc->life });
}

void scheduler_crash(struct sim *s, ms_t back_after)
{
    struct sim_scheduler *sc = &s->scheduler;

    if (!sc->alive)
        return;
    sim_note(s, "scheduler", "dies%s", sc->committing ? " in a commit" : "");
    if (sc->committing && sim_chance(s, 50)) {
        sim_note(s, "disk", "kept the transaction that was in flight");
        disk_commit(s, sc->out.changes, sc->out.n_changes);
    }
    sc->alive = false;
    sc->life++;
    core_free(sc->core);
    sc->core = NULL;
    sc->n_fresh = 0;
    outbox_fini(&sc->out);
    for (size_t i = 0; i < sc->n_inbox; i++)
        packet_fini(&sc->inbox[i].packet);
    sc->n_inbox = 0;
    for (uint32_t i = 0; i < s->n_connections; i++)
        if (s->connections[i].to[1].open)
            net_drop(s, i, 1, (ms_t)sim_below(s, 30));
    oracle_scheduler_died(s);
    sim_at(s, s->now + back_after, (struct thing){ .kind = T_START_SCHEDULER });
}

void scheduler_receive(struct sim *s, peer_id from, struct packet *p)
{
    struct sim_scheduler *sc = &s->scheduler;

    if (sc->n_inbox == sc->cap_inbox) {
        sc->cap_inbox = sc->cap_inbox ? 2 * sc->cap_inbox : 32;
        sc->inbox = realloc(sc->inbox, sc->cap_inbox * sizeof *sc->inbox);
        must(sc->inbox != NULL);
    }
    sc->inbox[sc->n_inbox++] = (struct inbox_item){ from, *p };
    p->held = NULL; /* taken */
    p->n_held = 0;
    if (!sc->committing)
        turn_at(s, s->now);
}

static void trace_outputs(struct sim *s, size_t change, size_t send);

static void step(struct sim *s, const struct event *ev)
{
    struct outbox *out = &s->scheduler.out;
    size_t change = out->n_changes, send = out->n_sends;

    core_step(s->scheduler.core, s->now, ev, out);
    core_check(s->scheduler.core);
    trace_outputs(s, change, send);
    oracle_step(s, ev, out, change, send);
}

static void say_peer(void *ctx, struct buf *b, peer_id peer)
{
    struct sim *s = ctx;

    if (!peer.n || peer.n > s->n_connections)
        buf_adds(b, "nobody");
    else if (s->connections[peer.n - 1].actor == ACTOR_CLIENT)
        buf_addf(b, "c/%u", (unsigned)peer.n);
    else
        buf_addf(b, "w%u/%u", s->connections[peer.n - 1].actor, (unsigned)peer.n);
}

static void trace_outputs(struct sim *s, size_t change, size_t send)
{
    const struct outbox *out = &s->scheduler.out;

    for (size_t i = change; i < out->n_changes; i++) {
        print_change(sim_line(s, "core"), &out->changes[i]);
        sim_line_end(s);
    }
    for (size_t i = send; i < out->n_sends; i++) {
        print_send(sim_line(s, "core"), &out->sends[i], out, say_peer, s);
        sim_line_end(s);
    }
}

/* --- submit: scheduler/submit.c and known.c in few words --- */

static const struct array_row *find_array(const struct sim *s, uint32_t study, uint32_t variant)
{
    const struct {
        const struct array_row *rows;
        size_t n;
    } where[] = {
        { s->disk.arrays, s->disk.n_arrays },
        { s->scheduler.fresh, s->scheduler.n_fresh },
    };

    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < where[k].n; i++)
            if (where[k].rows[i].study.n == study + 1 && where[k].rows[i].key[1] == variant + 1)
                return &where[k].rows[i];
    return NULL;
}

/* A point of another array of the study that ended there by itself: a successful one when there is
 * one. */
static task_id ended_elsewhere(const struct sim *s, const struct array_row *row, uint64_t index)
{
    uint64_t point = world_point(s, row, index);
    task_id best = { 0 };

    for (size_t i = 0; i < s->disk.n_arrays; i++) {
        const struct array_row *other = &s->disk.arrays[i];
        if (other->study.n != row->study.n || other->id.n == row->id.n)
            continue;
        uint64_t at = point - world_point(s, other, 0);
        if (at >= other->n)
            continue;
        const struct disk_task *t = &s->disk.task[other->first.n + at];
        if (!t->ended || t->adopted || t->state == TASK_CANCELLED)
            continue;
        if (!best.n || (t->state == TASK_DONE && s->disk.task[best.n].state != TASK_DONE))
            best.n = other->first.n + at;
    }
    return best;
}

static size_t find_adopts(const struct sim *s, const struct array_row *row, uint8_t *states,
                          struct change *adopts)
{
    size_t n = 0;

    for (uint64_t i = 0; i < row->n; i++) {
        task_id task = { row->first.n + i };
        if ((states[i] & ~STATE_WARNED) == TASK_DONE || states[i] == TASK_SKIPPED)
            continue;
        task_id from = ended_elsewhere(s, row, i);
        if (!from.n || (states[i] && s->disk.task[from.n].state != TASK_DONE))
            continue;
        if (states[i]) /* its own end gives way */
            adopts[n++] = (struct change){ .kind = CHG_REOPEN, .task = task };
        adopts[n++] = (struct change){ .kind = CHG_ADOPT, .task = task, .from = from };
        states[i] = s->disk.task[from.n].state;
        if (s->disk.task[from.n].warned)
            states[i] |= STATE_WARNED;
    }
    return n;
}

static void troubles(struct sim *s, const struct array_row *row)
{
    for (uint64_t i = 0; i < row->n; i++) {
        const struct disk_task *t = &s->disk.task[row->first.n + i];
        if (!t->ended && t->ran)
            step(s, &(struct event){ .kind = EV_TROUBLE,
                                     .task = { row->first.n + i },
                                     .lease = t->last_failed,
                                     .failures = t->failures,
                                     .losses = t->losses });
    }
}

static bool load(struct sim *s, uint32_t study);

/* Puts an array into the core: one that a client submits, or one that is only in the store. */
static void enter(struct sim *s, struct event *ev)
{
    static uint8_t states[SIM_TASKS];
    static struct change adopts[2 * SIM_TASKS];
    struct event append;

    bool loaded = core_array_loaded(s->scheduler.core, ev->array->id);
    if (ev->array->n_after)
        load(s, ev->array->study.n - 2);

    if (!loaded)
        oracle_loaded(s, ev->array->id);
    bool is_current = s->disk.study[ev->array->study.n].current.n == ev->array->id.n;
    if (!loaded && ev->array->kind == ARRAY_POINTS) {
        disk_states(s, ev->array, states);
        ev->states = states;
        /* What is current has adopted already; looking again would undo a retry. */
        ev->n_adopts = is_current ? 0 : find_adopts(s, ev->array, states, adopts);
        ev->adopts = adopts;
    }
    if (!loaded && ev->kind == EV_SUBMIT && !ev->is_new && ev->array->kind == ARRAY_CALLS)
        load(s, ev->array->study.n - 1);
    step(s, ev);
    for (size_t k = 0; !loaded && ev->kind == EV_ARRAY && k < s->disk.n_appends; k++)
        if (ev->array->kind == ARRAY_CALLS && disk_append(s, k, ev->array->study, &append))
            step(s, &append);
    if (!ev->is_new)
        troubles(s, ev->array);
}

static void submit(struct sim *s, peer_id from, const struct packet *p)
{
    struct sim_scheduler *sc = &s->scheduler;
    struct event ev = { .kind = EV_SUBMIT, .from = from, .request = p->request, .active = true };

    ev.array = find_array(s, p->study, p->variant);
    ev.is_new = ev.array == NULL;
    bool after = s->opt.study[p->study].after;
    const struct array_row *on = after ? find_array(s, p->study - 1, 0) : NULL;
    if (after && !on)
        return; /* refused: what it waits for is not known; it is submitted again */
    if (ev.is_new) {
        struct array_row *row = &sc->fresh[sc->n_fresh++];
        must(sc->n_fresh <= SIM_ARRAYS);
        world_design(s, p->study, p->variant, row);
        row->id.n = sc->next_array++;
        row->first.n = sc->next_task;
        if (on)
            stages_edge(s, on, row);
        sc->next_task += s->opt.study[p->study].calls ? s->opt.study[p->study].n : row->n;
        must(sc->next_task < SIM_TASKS);
        ev.array = row;
    }
    enter(s, &ev);
}

/* A study that only the store knows is loaded first. */
static bool load(struct sim *s, uint32_t study)
{
    struct core_study cs;
    array_id current = s->disk.study[study + 1].current;

    if (core_study(s->scheduler.core, (study_id){ study + 1 }, &cs))
        return true;
    if (!current.n)
        return false;
    enter(s, &(struct event){ .kind = EV_ARRAY,
                              .array = world_array(s, current),
                              .active = s->disk.study[study + 1].active,
                              .halted = s->disk.study[study + 1].halted,
                              .new_failed = s->disk.counted[current.n].failed,
                              .new_ended = s->disk.counted[current.n].ended });
    return true;
}

static void append(struct sim *s, peer_id from, const struct packet *p)
{
    const struct array_row *row = find_array(s, p->study, 0);
    struct world_append w;

    if (!row || !core_array_loaded(s->scheduler.core, row->id))
        return; /* its open was lost: the client says it again */
    world_append(s, row, p->there, p->n, &w);
    step(s, &(struct event){ .kind = EV_APPEND,
                             .from = from,
                             .request = p->request,
                             .array_id = row->id,
                             .at = p->there,
                             .n = p->n,
                             .rules = w.rules,
                             .edges = w.edges,
                             .n_edges = w.n_edges,
                             .close = p->close });
}

static void about_study(struct sim *s, peer_id from, const struct packet *p)
{
    struct event ev = { .from = from,
                        .request = p->request,
                        .study = { p->study + 1 },
                        .now = p->now,
                        .failed = p->failed };
    uint64_t index[16];

    if (!load(s, p->study))
        return;
    ev.kind = p->kind == P_HOLD       ? EV_HOLD
              : p->kind == P_CANCEL   ? EV_CANCEL
              : p->kind == P_RETRY    ? EV_RETRY
              : p->kind == P_RELEASE  ? EV_RELEASE
              : p->kind == P_PRIORITY ? EV_PRIORITY
              : p->kind == P_SHARE    ? EV_SHARE
                                      : EV_FOLLOW;
    ev.number = p->number;
    ev.weight = p->n;
    ev.running_max = (uint32_t)p->number;
    for (size_t i = 0; i < p->n_held; i++)
        index[i] = p->held[i].task.n;
    ev.index = index;
    ev.n_index = p->n_held;
    step(s, &ev);
}

static void drain(struct sim *s, peer_id from, const struct packet *p)
{
    struct core_worker list[2 * SIM_WORKERS];
    size_t n = core_workers(s->scheduler.core, list, 2 * SIM_WORKERS);

    if (p->n < n && p->n < 2 * SIM_WORKERS)
        step(s, &(struct event){ .kind = EV_DRAIN,
                                 .from = from,
                                 .request = p->request,
                                 .worker_id = list[p->n].row->id,
                                 .grace_ms = p->limit_ms });
}

static void take(struct sim *s, peer_id from, const struct packet *p)
{
    struct event ev = { .from = from, .held = p->held, .n_held = p->n_held };

    switch (p->kind) {
    case P_SUBMIT:
        submit(s, from, p);
        return;
    case P_APPEND:
        append(s, from, p);
        return;
    case P_HOLD:
    case P_CANCEL:
    case P_RETRY:
    case P_FOLLOW:
    case P_RELEASE:
    case P_PRIORITY:
    case P_SHARE:
        about_study(s, from, p);
        return;
    case P_DRAIN:
        drain(s, from, p);
        return;
    case P_LEAVING:
        ev.kind = EV_LEAVING;
        break;
    case P_HELLO:
        ev.kind = EV_HELLO;
        ev.worker = &p->worker;
        break;
    case P_BEAT:
        ev.kind = EV_BEAT;
        break;
    case P_RESULT:
        ev.kind = EV_RESULT;
        ev.end = &p->end;
        break;
    case P_RETURNED:
        ev.kind = EV_RETURNED;
        break;
    case P_BYE:
        ev.kind = EV_BYE;
        break;
    case P_GONE:
        ev.kind = EV_GONE;
        break;
    default:
        must(!"a scheduler hears no such packet");
    }
    step(s, &ev);
}

/* What reads the store must not be in a turn whose changes the store has not seen. */
static bool reads_store(const struct packet *p)
{
    return p->kind == P_SUBMIT || p->kind == P_APPEND || p->kind == P_HOLD || p->kind == P_CANCEL ||
           p->kind == P_RETRY || p->kind == P_FOLLOW || p->kind == P_RELEASE ||
           p->kind == P_PRIORITY || p->kind == P_SHARE;
}

static void take_inbox(struct sim *s)
{
    struct sim_scheduler *sc = &s->scheduler;
    size_t taken = 0;

    for (; taken < sc->n_inbox; taken++) {
        struct packet p = sc->inbox[taken].packet;
        if (reads_store(&p) && sc->out.n_changes)
            break;
        take(s, sc->inbox[taken].from, &p);
        packet_fini(&p);
    }
    if (taken)
        memmove(sc->inbox, sc->inbox + taken, (sc->n_inbox - taken) * sizeof *sc->inbox);
    sc->n_inbox -= taken;
}

static void send_grants(struct sim *s, const struct send *d, struct packet *p)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct core_grant *g = &s->scheduler.out.grants[d->grants + i];
        struct event_held *h = packet_hold(p);
        h->lease = g->lease;
        h->task = g->task;
    }
}

static void send_one(struct sim *s, const struct send *d)
{
    static const enum packet_kind kinds[] = {
        [SEND_WELCOME] = P_WELCOME, [SEND_REFUSED] = P_REFUSED,   [SEND_SUBMITTED] = P_SUBMITTED,
        [SEND_REPLY] = P_REPLY,     [SEND_PROGRESS] = P_PROGRESS, [SEND_ASSIGN] = P_ASSIGN,
        [SEND_REVOKE] = P_REVOKE,   [SEND_RECALL] = P_RECALL,     [SEND_ACK] = P_ACK,
        [SEND_LIMIT] = P_LIMIT,     [SEND_APPENDED] = P_APPENDED, [SEND_DRAIN] = P_DRAIN,
    };
    struct packet p = {
        .array = d->array, .limit_ms = d->limit_ms, .n = (uint32_t)d->n, .there = d->n
    };

    if (!d->to.n)
        return;
    must(d->to.n <= s->n_connections);
    oracle_send(s, d, &s->scheduler.out);
    if (d->kind == SEND_CLOSE) {
        net_close(s, (uint32_t)d->to.n - 1, 1);
        return;
    }
    p.kind = kinds[d->kind];
    if (d->kind == SEND_ASSIGN || d->kind == SEND_REVOKE || d->kind == SEND_ACK)
        send_grants(s, d, &p);
    net_send(s, (uint32_t)d->to.n - 1, 0, p);
}

static void send_all(struct sim *s)
{
    struct outbox *out = &s->scheduler.out;

    for (size_t i = 0; i < out->n_sends; i++)
        send_one(s, &out->sends[i]);
    outbox_clear(out);
    plan_turn(s);
}

/* Where tasks ended that others follow: the disk says, once it has seen all of this turn. */
static bool learn_places(struct sim *s)
{
    array_id array;

    while (core_places_due(s->scheduler.core, &array)) {
        if (s->scheduler.out.n_changes)
            return true;
        struct event ev = disk_places(s, array);
        step(s, &ev);
    }
    return false;
}

/* n_waiting - tasks whose backoff has not passed: that it does is something, if nobody is told. */
static uint64_t n_waiting(const struct sim *s)
{
    struct core_study cs;
    uint64_t n = 0;

    for (uint32_t study = 1; study <= SIM_STUDIES; study++)
        if (core_study(s->scheduler.core, (study_id){ study }, &cs))
            n += cs.counts.waiting;
    return n;
}

void scheduler_turn(struct sim *s)
{
    struct sim_scheduler *sc = &s->scheduler;
    bool had_news = sc->n_inbox > 0;

    if (sc->committing || s->now < sc->turn_at)
        return;
    sc->turn_due = false;
    take_inbox(s);
    bool places_due = learn_places(s);
    bool due = core_deadline(sc->core) <= s->now;
    uint64_t waited = n_waiting(s);
    if (due && !places_due)
        step(s, &(struct event){ .kind = EV_TIMEOUT });
    if (had_news || sc->out.n_changes || sc->out.n_sends || n_waiting(s) != waited)
        sc->spins = 0;
    else if (due) /* a turn that was planned for an older deadline is none */
        sc->spins++;
    if (sc->spins > SPINS_MAX)
        sim_fail(s, "the core's deadline is always due and nothing follows");
    if (!sc->out.n_changes) {
        send_all(s);
        return;
    }
    sc->committing = true;
    ms_t takes = (ms_t)sim_below(s, (uint64_t)s->opt.commit_max + 1);
    sim_at(s, s->now + takes, (struct thing){ .kind = T_COMMIT, .life = sc->life });
}

void scheduler_committed(struct sim *s)
{
    struct sim_scheduler *sc = &s->scheduler;

    sc->committing = false;
    disk_commit(s, sc->out.changes, sc->out.n_changes);
    for (size_t i = 0; i < sc->n_fresh;) { /* found on the disk from now on */
        bool on_disk = false;
        for (size_t k = 0; k < s->disk.n_arrays; k++)
            on_disk |= s->disk.arrays[k].id.n == sc->fresh[i].id.n;
        if (on_disk)
            sc->fresh[i] = sc->fresh[--sc->n_fresh];
        else
            i++;
    }
    if (s->opt.crash_after_commit && !s->healed && sim_chance(s, 1) && sim_chance(s, 50)) {
        sim_note(s, "scheduler", "has committed and sends nothing");
        scheduler_crash(s, 10 + (ms_t)sim_below(s, 1500));
        return;
    }
    send_all(s);
}

void scheduler_beat(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_connections; i++)
        if (s->connections[i].is_worker && !s->connections[i].cut)
            net_send(s, i, 0, (struct packet){ .kind = P_BEAT });
    sim_at(s, s->now + BEAT_MS, (struct thing){ .kind = T_BEAT, .life = s->scheduler.life });
}
