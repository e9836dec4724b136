/* core_script - the scheduler's core in a scenario. Events:
 *
 *   submit C A [n=4 study=1 retries= timeout= timeout%= cores= memory= shuffle= halt=now|soon fail=
 * fail%= exits=3:retry,4:fatal,5:ok states=rrdf adopts=t5:t1 reused=1 took=MS new changed again]
 * hold C [study=1] [now]   cancel C [INDEX...]   retry C [INDEX... | failed]   follow C hello W
 * [slots=1 memory= instance=1 as=NAME] [LEASE...]    a lease: t1/1.1, @500 running, ! finished beat
 * W [LEASE@MS...]   result W LEASE exit=0|signal=|timeout=|not-started=|infra=|stopped=0 [ms=100]
 *   returned W LEASE...    bye W    gone PEER    pass (time goes by)
 *   submit C A calls [after=a1,a2:i,a3::yf]    append C A at= n= [close stored] [edges=1:t3,2:t4]
 *   [rules=1:yf,2:w] [states=]    unload array=1 | study=1    states A: print them
 *   array A ... [inactive | halted] [counted=FAILED/ENDED], trouble T failures= losses= lease=,
 * known W id=1 slots=, was-running LEASE worker=1 since=, restored: what a start reads from the
 * store look [study=1], where T, slowest: print what a loop may ask restart: a new core with the
 * next epoch; nobody is connected
 *
 * A connection is named by who made it. After `gone w1` a `hello w1` is a new connection. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/scenario/core_script.h"
#include "tests/scenario/edges.h"
#include "tests/scenario/print.h"
#include "tests/scenario/script.h"

enum { PEERS_MAX = 256 };

struct state {
    struct core *core;
    struct core_config cfg;
    bool restoring;
    struct outbox out;
    struct edges_seen moved;
    struct rows rows;
    char peer[PEERS_MAX][16]; /* names; the peer's number is its place + 1 */
    bool closed[PEERS_MAX];
    uint64_t asked[PEERS_MAX], n_asked;        /* the last request of each */
    struct core_place ended[POINTS_IN_SCRIPT]; /* by task, as the store knows it */
    uint32_t n_ends;
    size_t n_peers;
};

static void *start(struct words *w)
{
    struct state *s = calloc(1, sizeof *s);

    must(s != NULL);
    core_config_default(&s->cfg);
    s->cfg.seed = (uint64_t)words_number(w, "seed", 1);
    s->cfg.epoch = (uint32_t)words_number(w, "epoch", 1);
    s->cfg.next_worker.n = (uint32_t)words_number(w, "next_worker", 1);
    s->cfg.lost_after_ms =
        words_number(w, "lost_after", 1000000); /* beats are for scenarios about them */
    s->cfg.adopt_ms = words_number(w, "adopt", s->cfg.adopt_ms);
    s->cfg.settle_ms = words_number(w, "settle", s->cfg.settle_ms);
    s->cfg.prefetch_ms = words_number(w, "prefetch", s->cfg.prefetch_ms);
    s->cfg.hold_all = words_flag(w, "hold_all");
    s->restoring = words_flag(w, "restoring");
    s->core = core_new(&s->cfg);
    outbox_init(&s->out);
    return s;
}

/* The connection of that name, a new one when there is none. */
static peer_id peer_named(struct state *s, const char *name)
{
    for (size_t i = s->n_peers; i-- > 0;)
        if (!s->closed[i] && strcmp(s->peer[i], name) == 0)
            return (peer_id){ i + 1 };
    must(s->n_peers < PEERS_MAX && strlen(name) < sizeof s->peer[0]);
    snprintf(s->peer[s->n_peers++], sizeof s->peer[0], "%s", name);
    return (peer_id){ s->n_peers };
}

static void say_peer(void *ctx, struct buf *b, peer_id peer)
{
    struct state *s = ctx;

    if (peer.n < 1 || peer.n > s->n_peers)
        buf_addf(b, "peer-%" PRIu64, peer.n);
    else
        buf_addf(b, "%s%s", s->peer[peer.n - 1], s->closed[peer.n - 1] ? "(gone)" : "");
}

static void say_counts(const struct state *s, study_id study, struct buf *said)
{
    static const char *const modes[] = { "active", "held", "halted" };
    struct core_study cs;

    if (!core_study(s->core, study, &cs)) {
        buf_addf(said, "no study s%u", (unsigned)study.n);
        return;
    }
    const struct core_counts *k = &cs.counts;
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {
        { "ready", k->ready },
        { "blocked", k->blocked },
        { "waiting", k->waiting },
        { "running", k->running },
        { "done", k->done },
        { "warned", k->warned },
        { "failed", k->failed },
        { "cancelled", k->cancelled },
        { "skipped", k->skipped },
        { "unmet", k->unmet },
        { "quarantined", k->quarantined },
        { "reused", k->reused },
        { "lost", k->lost },
    };
    buf_addf(said, "a%u %s%s n=%" PRIu64, (unsigned)cs.array.n, modes[cs.mode],
             cs.ended ? " ended" : "", k->n);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].n)
            buf_addf(said, " %s=%" PRIu64, counts[i].name, counts[i].n);
    if (cs.limit_ms)
        buf_addf(said, " limit=%" PRId64, cs.limit_ms);
}

static void say_outbox(struct state *s, struct buf *said)
{
    for (size_t i = 0; i < s->out.n_changes; i++) {
        const struct change *ch = &s->out.changes[i];
        if (ch->kind == CHG_END && ch->end.task.n < POINTS_IN_SCRIPT)
            s->ended[ch->end.task.n] = (struct core_place){ ch->end.worker.n, ++s->n_ends };
        if (ch->kind == CHG_WORKER && ch->worker.id.n >= s->cfg.next_worker.n)
            s->cfg.next_worker.n = ch->worker.id.n + 1;
        buf_adds(said, i ? "; " : "");
        print_change(said, &s->out.changes[i]);
    }
    for (size_t i = 0; i < s->out.n_sends; i++) {
        const struct send *d = &s->out.sends[i];
        buf_adds(said, i ? "; " : s->out.n_changes ? " | " : "| ");
        print_send(said, d, &s->out, say_peer, s);
        if (d->kind == SEND_PROGRESS) {
            buf_addc(said, ' ');
            say_counts(s, d->study, said);
        }
    }
    outbox_clear(&s->out);
}

/* Who asked hears which request it is, and a code when it is refused. */
static void check_answers(const struct state *s)
{
    for (size_t i = 0; i < s->out.n_sends; i++) {
        const struct send *d = &s->out.sends[i];
        bool answers = d->kind == SEND_SUBMITTED || d->kind == SEND_REPLY ||
                       d->kind == SEND_APPENDED || d->kind == SEND_REFUSED;
        must(!answers || d->request == s->asked[d->to.n - 1]);
        must(d->kind != SEND_REFUSED || d->err != 0);
    }
}

static void run(struct state *s, ms_t now, const struct event *ev, struct buf *said)
{
    core_step(s->core, now, ev, &s->out);
    core_check(s->core);
    check_answers(s);
    edges_note(s->core, ev->kind, &s->moved);
    if (ev->kind == EV_GONE || ev->kind == EV_BYE)
        s->closed[ev->from.n - 1] = true;
    say_outbox(s, said);
}

/* As the loop does: before work is given out the store is asked where tasks ended that others
 * follow. */
static void learn_places(struct state *s, ms_t now, struct buf *said)
{
    array_id due;
    struct core_array a;

    while (core_places_due(s->core, &due)) {
        must(core_array(s->core, due, &a) && a.first.n + a.n <= POINTS_IN_SCRIPT);
        buf_addf(said, "asks where a%u ended ", (unsigned)due.n);
        run(s, now,
            &(struct event){ .kind = EV_PLACES,
                             .array_id = due,
                             .at = s->n_ends,
                             .n = a.n,
                             .places = s->ended + a.first.n },
            said);
    }
}

static void timeout(void *state, ms_t now, struct buf *said)
{
    learn_places(state, now, said);
    run(state, now, &(struct event){ .kind = EV_TIMEOUT }, said);
}

/* A scenario that begins without `restoring` begins with an empty store. */
static void begin(struct state *s, ms_t now, struct buf *said)
{
    if (!s->restoring)
        run(s, now, &(struct event){ .kind = EV_RESTORED }, said);
    s->restoring = true;
}

static void restart(struct state *s)
{
    core_free(s->core);
    s->cfg.epoch++;
    s->core = core_new(&s->cfg);
    s->moved = (struct edges_seen){ 0 };
    for (size_t i = 0; i < s->n_peers; i++)
        s->closed[i] = true;
}

static bool asked(struct state *s, ms_t now, const char *verb, struct words *w, struct buf *said)
{
    if (strcmp(verb, "look") == 0) {
        say_counts(s, (study_id){ (uint32_t)words_number(w, "study", 1) }, said);
    } else if (strcmp(verb, "where") == 0) {
        task_id t = { words_id(w, words_need(w, "a task"), 't') };
        buf_adds(said, task_state_name(core_task_state(s->core, t)));
    } else if (strcmp(verb, "states") == 0) {
        struct core_array a = { 0 };
        if (!core_array(s->core,
                        (array_id){ (uint32_t)words_id(w, words_need(w, "an array"), 'a') }, &a))
            buf_adds(said, "not loaded");
        for (uint64_t i = 0; i < a.n; i++)
            buf_addf(said, "%s%s", i ? " " : "",
                     task_state_name(core_task_state(s->core, (task_id){ a.first.n + i })));
        if (a.counts.warned)
            buf_addf(said, " warned=%" PRIu64, a.counts.warned);
    } else if (strcmp(verb, "slowest") == 0) {
        struct core_running running[8];
        size_t n = core_slowest(s->core, (study_id){ (uint32_t)words_number(w, "study", 1) }, now,
                                running, 8);
        for (size_t i = 0; i < n; i++)
            buf_addf(said, "%st%" PRIu64 " %lldms", i ? ", " : "", running[i].task.n,
                     (long long)running[i].elapsed_ms);
    } else if (strcmp(verb, "farm") == 0) {
        struct core_farm f;
        core_farm(s->core, &f);
        buf_addf(said, "workers=%u slots=%u busy=%u leases=%" PRIu64, f.n_workers, f.slots,
                 f.slots_busy, f.leases);
    } else if (strcmp(verb, "restart") == 0) {
        restart(s);
    } else {
        return false;
    }
    return true;
}

static void step(void *state, ms_t now, struct words *w, struct buf *said)
{
    static const char *const nobody[] = { "array",    "trouble", "known", "was-running",
                                          "restored", "pass",    "unload" };
    struct state *s = state;
    const char *verb = words_need(w, "an event");
    bool has_peer = true;

    begin(s, now, said);
    if (asked(s, now, verb, w, said))
        return;
    struct scripted *e = calloc(1, sizeof *e);
    must(e != NULL);
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        has_peer &= strcmp(verb, nobody[i]) != 0;
    const char *name = has_peer ? words_need(w, "who") : NULL;
    if (has_peer)
        e->ev.from = peer_named(s, name);
    if (strcmp(verb, "hello") == 0)
        core_worker_words(w, e, name);
    e->ev.request = ++s->n_asked;
    if (has_peer)
        s->asked[e->ev.from.n - 1] = e->ev.request;
    core_words(w, verb, &s->rows, e);
    run(s, now, &e->ev, said);
    buf_fini(&e->labels);
    free(e);
}

static ms_t deadline(void *state)
{
    const struct state *s = state;

    return s->restoring ? core_deadline(s->core) : MS_NEVER;
}

static void end(void *state)
{
    struct state *s = state;

    core_free(s->core);
    outbox_fini(&s->out);
    free(s);
}

const struct script core_script = { start, step, timeout, deadline, end };
