/* agent_calls - calls: which engine gets which, when an engine is started again, and what becomes
 * of the calls that are at it when it ends. */
#include <stdlib.h>

#include "worker/agent_state.h"

static ms_t earlier(ms_t x, ms_t y)
{
    return x < y ? x : y;
}

/* --- how long calls take --- */

static struct pace *pace_find(const struct agent *a, array_id array)
{
    struct pace *p;

    HASH_FIND(hh, a->paces, &array, sizeof array, p);
    return p;
}

/* blend - a mean that follows what it is told, faster upwards: a bundle too large costs more than
 * one too small. */
static uint32_t blend(uint32_t mean, uint64_t us)
{
    if (us > UINT32_MAX / 2)
        us = UINT32_MAX / 2;
    if (mean == 0)
        return us ? (uint32_t)us : 1;
    uint64_t next = us > mean ? mean + (us - mean + 3) / 4 : mean - (mean - us) / 16;
    return next ? (uint32_t)next : 1;
}

static void forget_paces(struct agent *a)
{
    struct pace *p, *next;

    HASH_ITER(hh, a->paces, p, next)
    {
        HASH_DEL(a->paces, p);
        free(p);
    }
}

static void pace_learn(struct agent *a, array_id array, uint64_t us)
{
    struct pace *p = pace_find(a, array);

    if (!p) {
        if (HASH_COUNT(a->paces) >= PACES_MAX)
            forget_paces(a);
        p = calloc(1, sizeof *p);
        must(p != NULL);
        p->array = array;
        HASH_ADD(hh, a->paces, array, sizeof p->array, p);
    }
    p->mean_us = blend(p->mean_us, us);
}

/* --- giving calls to engines --- */

/* estimate - what a call counts at its engine; one of which nothing is known is there alone. */
static uint32_t estimate(const struct agent *a, const struct lease *l)
{
    uint32_t us;

    if (l->direct) {
        us = a->engines[l->engine].direct_us;
    } else {
        const struct pace *p = pace_find(a, l->array);
        us = p ? p->mean_us : 0;
    }
    return us == 0 || us > BUNDLE_US ? BUNDLE_US : us;
}

static bool has_room(const struct slot_engine *e, uint32_t est_us)
{
    if (e->state != SLOT_READY)
        return false;
    if (e->at.n == 0)
        return true;
    return e->bundles && !e->let_go && e->at.n < BUNDLE_CALLS && e->est_us + est_us <= BUNDLE_US;
}

/* fits - the cores and memory of a call: those that the engine has already, or free ones. */
static bool fits(const struct agent *a, const struct slot_engine *e, const struct lease *l)
{
    if (e->n_leases)
        return e->cores == l->cores && e->memory_mib == l->memory_mib;
    return l->cores <= a->cfg.slots - a->cores_busy &&
           l->memory_mib <= a->cfg.memory_mib - a->memory_busy;
}

/* head_begins - the first one at an engine. */
static void head_begins(struct agent *a, struct slot_engine *e, ms_t now, struct acts *out)
{
    struct lease *l = e->at.head;

    e->let_go = false;
    if (!l)
        return;
    if (l->state == LEASE_HANDED)
        a->n_handed--;
    l->state = LEASE_RUNNING;
    l->started = e->head_since = now;
    if (e->at.n > 1)
        a->engines_due = earlier(a->engines_due, now + STUCK_MS);
    if (l->why == STOP_NOT)
        agent_arm(a, l);
    else
        agent_terminate(a, l, l->why, now, out);
}

static void hand(struct agent *a, struct lease *l, uint32_t est_us, ms_t now, struct acts *out)
{
    struct slot_engine *e = &a->engines[l->engine];

    list_remove(l);
    list_add(&e->at, l);
    l->est_us = est_us;
    e->est_us += est_us;
    e->direct_next = !l->direct;
    if (!l->direct && e->n_leases++ == 0) {
        e->cores = l->cores;
        e->memory_mib = l->memory_mib;
        a->cores_busy += l->cores;
        a->memory_busy += l->memory_mib;
    }
    agent_act_on(out, ACT_CALL, l);
    if (e->at.n == 1) {
        head_begins(a, e, now, out);
        return;
    }
    l->state = LEASE_HANDED;
    a->n_handed++;
    if (e->at.n == 2)
        a->engines_due = earlier(a->engines_due, e->head_since + STUCK_MS);
}

/* take_off - from its engine, which is not told. */
static void take_off(struct agent *a, struct lease *l)
{
    struct slot_engine *e = &a->engines[l->engine];

    must(l->in == &e->at);
    list_remove(l);
    e->est_us -= l->est_us;
    if (l->state == LEASE_HANDED)
        a->n_handed--;
    if (!l->direct && --e->n_leases == 0) {
        a->cores_busy -= e->cores;
        a->memory_busy -= e->memory_mib;
    }
}

bool agent_calls_start(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    uint32_t est_us = estimate(a, l);

    for (uint32_t i = 0; i < a->cfg.engines; i++) {
        uint32_t k = (a->next_engine + i) % a->cfg.engines;
        struct slot_engine *e = &a->engines[k];
        if (!has_room(e, est_us) || !fits(a, e, l) || (e->direct_next && e->direct.n))
            continue;
        a->next_engine = (k + 1) % a->cfg.engines;
        l->engine = k;
        hand(a, l, est_us, now, out);
        return true;
    }
    return false;
}

static bool hand_direct(struct agent *a, struct slot_engine *e, ms_t now, struct acts *out)
{
    struct lease *l = e->direct.head;

    if (!l || !has_room(e, estimate(a, l)))
        return false;
    a->n_direct--;
    hand(a, l, estimate(a, l), now, out);
    return true;
}

/* waiting_call - the first of the queue, when it is a call that could go to this engine now. */
static struct lease *waiting_call(struct agent *a, const struct slot_engine *e)
{
    struct lease *l = a->queued.head;

    return l && l->call && has_room(e, estimate(a, l)) && fits(a, e, l) ? l : NULL;
}

/* hand_in_turn - an engine for which direct calls wait: one of them, one of the queue, and so on,
 * until it has enough. */
static void hand_in_turn(struct agent *a, uint32_t engine, ms_t now, struct acts *out)
{
    struct slot_engine *e = &a->engines[engine];

    for (;;) {
        struct lease *l = e->direct_next && e->direct.n ? NULL : waiting_call(a, e);
        if (l) {
            l->engine = engine;
            hand(a, l, estimate(a, l), now, out);
        } else if (!hand_direct(a, e, now, out)) {
            return;
        }
    }
}

/* --- stopping --- */

/* let_go - a call runs for long: what is behind it may run elsewhere. Direct calls stay: they are
 * for this engine. */
static void let_go(struct agent *a, struct slot_engine *e, ms_t now, struct acts *out)
{
    if (e->at.n < 2 || e->let_go)
        return;
    if (now < e->head_since + STUCK_MS) {
        a->engines_due = earlier(a->engines_due, e->head_since + STUCK_MS);
        return;
    }
    e->let_go = true;
    for (struct lease *l = e->at.tail; l != e->at.head; l = l->prev)
        if (!l->direct && l->why == STOP_NOT)
            agent_act_on(out, ACT_WITHDRAW, l);
}

void agent_calls_revoke(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    l->why = STOP_REVOKED;
    if (l->state == LEASE_HANDED)
        agent_act_on(out, ACT_WITHDRAW, l);
    else
        agent_terminate(a, l, STOP_REVOKED, now, out);
}

/* end_direct - without an answer of its engine. */
static void end_direct(struct agent *a, struct lease *l, struct acts *out)
{
    if (l->state == LEASE_QUEUED)
        a->n_direct--;
    agent_act_on(out, ACT_DIRECT_END, l);
    agent_forget(a, l);
}

/* put_back - one that had not begun: to the front of the queue, or where it came from. */
static void put_back(struct agent *a, struct lease *l, struct acts *out)
{
    take_off(a, l);
    l->state = LEASE_QUEUED;
    if (l->direct) {
        a->n_direct++;
        end_direct(a, l, out);
    } else if (l->why != STOP_NOT || a->draining) {
        agent_give_back(a, l, out);
    } else {
        list_add_first(&a->queued, l);
    }
}

void agent_calls_withdrawn(struct agent *a, struct lease *l, struct acts *out)
{
    if (l && l->state == LEASE_HANDED)
        put_back(a, l, out);
}

void agent_calls_stop_due(struct agent *a, ms_t now, struct acts *out)
{
    for (uint32_t i = 0; i < a->cfg.engines; i++)
        if (a->engines[i].at.head)
            agent_stop_one(a, a->engines[i].at.head, now, out);
}

void agent_calls_drain(struct agent *a, struct acts *out)
{
    for (uint32_t i = 0; i < a->cfg.engines; i++)
        for (struct lease *l = a->engines[i].at.tail; l; l = l->prev)
            if (l->state == LEASE_HANDED && !l->direct)
                agent_act_on(out, ACT_WITHDRAW, l);
}

static void stop_at(struct agent *a, struct slot_engine *e, ms_t now, struct acts *out)
{
    for (struct lease *l = e->at.head; l; l = l->next)
        if (l->why == STOP_NOT)
            agent_calls_revoke(a, l, now, out);
}

void agent_calls_stop_all(struct agent *a, ms_t now, struct acts *out)
{
    for (uint32_t i = 0; i < a->cfg.engines; i++) {
        struct lease *head = a->engines[i].at.head;
        while (a->engines[i].direct.head)
            end_direct(a, a->engines[i].direct.head, out);
        if (head)
            agent_hasten(a, head, now);
        stop_at(a, &a->engines[i], now, out);
    }
}

void agent_calls_disconnected(struct agent *a, ms_t now, struct acts *out)
{
    struct lease *l, *next;

    HASH_ITER(hh, a->by_ticket, l, next)
    agent_calls_direct_cancel(a, l, now, out);
}

void agent_calls_kill_all(struct agent *a, struct acts *out)
{
    for (uint32_t i = 0; i < a->cfg.engines; i++)
        if (a->engines[i].at.head)
            agent_act_on(out, ACT_KILL, a->engines[i].at.head);
}

bool agent_calls_idle(const struct agent *a)
{
    for (uint32_t i = 0; i < a->cfg.engines; i++)
        if (a->engines[i].at.n)
            return false;
    return true;
}

/* --- direct calls --- */

void agent_calls_direct(struct agent *a, const struct agent_event *ev, ms_t now, struct acts *out)
{
    struct lease *l = calloc(1, sizeof *l);

    must(l != NULL && ev->engine < a->cfg.engines);
    l->id = ev->lease;
    l->call = l->direct = true;
    l->engine = ev->engine;
    l->limit_ms = ev->limit_ms;
    l->stop_at = MS_NEVER;
    HASH_ADD(hh, a->by_ticket, id, sizeof l->id, l);
    list_add(&a->engines[ev->engine].direct, l);
    a->n_direct++;
    enum slot_engine_state state = a->engines[ev->engine].state;
    if (a->stopping || state == SLOT_DOWN || state == SLOT_KILLED)
        end_direct(a, l, out);
    else
        hand_in_turn(a, ev->engine, now, out);
}

void agent_calls_direct_cancel(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    if (!l || l->why != STOP_NOT)
        return;
    if (l->state == LEASE_QUEUED) {
        l->why = STOP_REVOKED;
        end_direct(a, l, out);
    } else {
        agent_calls_revoke(a, l, now, out);
    }
}

/* --- what engines say --- */

void agent_calls_exited(struct agent *a, const struct agent_event *ev, struct lease *l, ms_t now,
                        struct acts *out)
{
    struct slot_engine *e = agent_calls_engine(a, l->engine);

    must(l == e->at.head);
    take_off(a, l);
    e->served = true;
    if (l->direct) {
        e->direct_us = blend(e->direct_us, ev->wall_us);
        agent_forget(a, l);
    } else {
        pace_learn(a, l->array, ev->wall_us);
        agent_finish(a, l, now);
    }
    head_begins(a, e, now, out);
}

void agent_calls_engine_ready(struct agent *a, const struct agent_event *ev, ms_t now,
                              struct acts *out)
{
    struct slot_engine *e = agent_calls_engine(a, ev->engine);

    if (e->state != SLOT_STARTING)
        return;
    e->state = SLOT_READY;
    e->bundles = ev->bundles;
    e->due_at = MS_NEVER;
    if (a->functions_known)
        return;
    a->functions_known = true;
    if (a->hello_waits)
        agent_act_plain(out, ACT_HELLO);
    else if (a->up && !a->hung_up && a->hello_by == MS_NEVER) {
        a->hung_up = true; /* the hello went without: once more, with the functions */
        a->alone_since = a->welcome ? now : a->alone_since;
        a->welcome = false;
        agent_act_plain(out, ACT_HANG_UP);
    }
    a->hello_waits = false;
    a->hello_by = MS_NEVER;
}

static ms_t backoff(const struct slot_engine *e, bool was_ready)
{
    ms_t most = was_ready ? ENGINE_BACKOFF_MAX_MS : ENGINE_BACKOFF_DUMB_MS;
    ms_t ms = ENGINE_BACKOFF_MIN_MS;

    if (e->failures == 0)
        return 0;
    for (uint32_t i = 1; i < e->failures && ms < most; i++)
        ms *= 2;
    return ms < most ? ms : most;
}

static void end_blamed(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    take_off(a, l);
    if (l->direct)
        end_direct(a, l, out);
    else
        agent_finish(a, l, now);
}

void agent_calls_engine_gone(struct agent *a, const struct agent_event *ev, ms_t now,
                             struct acts *out)
{
    struct slot_engine *e = agent_calls_engine(a, ev->engine);
    bool was_ready = e->state == SLOT_READY || e->served;
    struct lease *l = e->at.head;

    if (l && ev->lease.n && l->id.n == ev->lease.n && l->direct == ev->direct)
        end_blamed(a, l, now, out);
    while (e->at.tail)
        put_back(a, e->at.tail, out);
    while (e->direct.head)
        end_direct(a, e->direct.head, out);
    e->failures = e->served ? 0 : e->failures + 1;
    e->state = SLOT_DOWN;
    e->let_go = e->served = false;
    e->due_at = a->draining ? MS_NEVER : now + backoff(e, was_ready);
    a->engines_due = earlier(a->engines_due, e->due_at);
}

/* --- a step --- */

static void engine_due(struct agent *a, uint32_t engine, ms_t now, struct acts *out)
{
    struct slot_engine *e = &a->engines[engine];

    if (e->state == SLOT_DOWN && a->draining)
        e->due_at = MS_NEVER;
    if (e->state == SLOT_DOWN && now >= e->due_at) {
        e->state = SLOT_STARTING;
        e->due_at = now + a->cfg.engine_hello_ms;
        agent_act(out, &(struct act){ .kind = ACT_ENGINE_START, .engine = engine });
    } else if (e->state == SLOT_STARTING && now >= e->due_at) {
        e->state = SLOT_KILLED;
        e->due_at = MS_NEVER;
        agent_act(out, &(struct act){ .kind = ACT_ENGINE_KILL, .engine = engine });
    }
    a->engines_due = earlier(a->engines_due, e->due_at);
    let_go(a, e, now, out);
}

void agent_calls_step(struct agent *a, ms_t now, struct acts *out)
{
    if (a->hello_by <= now) {
        a->hello_by = MS_NEVER;
        if (a->hello_waits)
            agent_act_plain(out, ACT_HELLO);
        a->hello_waits = false;
    }
    if (a->engines_due <= now) {
        a->engines_due = MS_NEVER;
        for (uint32_t i = 0; i < a->cfg.engines; i++)
            engine_due(a, i, now, out);
    }
    for (uint32_t i = 0; a->n_direct && i < a->cfg.engines; i++)
        if (a->engines[i].direct.n)
            hand_in_turn(a, i, now, out);
}

/* --- checks --- */

static void check_engine(const struct agent *a, const struct slot_engine *e, size_t *direct,
                         size_t *handed)
{
    uint64_t est_us = 0;
    uint32_t n_leases = 0;

    for (const struct lease *l = e->at.head; l; l = l->next) {
        must(l->in == &e->at && l->call && l->engine == (uint32_t)(e - a->engines));
        must((l == e->at.head) == (l->state != LEASE_HANDED));
        est_us += l->est_us;
        n_leases += !l->direct;
        *handed += l->state == LEASE_HANDED;
    }
    must(est_us == e->est_us && n_leases == e->n_leases);
    must(e->at.n == 0 || e->state == SLOT_READY);
    must(e->at.n <= (e->bundles ? BUNDLE_CALLS : 1));
    must(e->state != SLOT_READY || e->direct.n == 0 || e->at.n > 0);
    *direct += e->direct.n;
}

void agent_calls_check(const struct agent *a)
{
    size_t direct = 0, handed = 0;

    for (uint32_t i = 0; i < a->cfg.engines; i++)
        check_engine(a, &a->engines[i], &direct, &handed);
    must(direct == a->n_direct && handed == a->n_handed);
}

void agent_calls_free(struct agent *a)
{
    struct lease *l, *next;

    HASH_ITER(hh, a->by_ticket, l, next)
    {
        HASH_DEL(a->by_ticket, l);
        free(l);
    }
    forget_paces(a);
    free(a->engines);
}
