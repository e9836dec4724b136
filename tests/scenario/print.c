#include "tests/scenario/print.h"

#include <inttypes.h>

#include "base/must.h"

void print_lease(struct buf *b, task_id task, lease_id lease)
{
    if (task.n)
        buf_addf(b, "t%" PRIu64, task.n);
    if (task.n && lease.n)
        buf_addc(b, '/');
    if (lease.n)
        buf_addf(b, "%" PRIu64 ".%" PRIu64, lease.n >> 32, lease.n & UINT32_MAX);
}

static void print_end(struct buf *b, const char *what, const struct end_row *e)
{
    buf_addf(b, "%s ", what);
    print_lease(b, e->task, e->lease);
    buf_addf(b, " %s", task_state_name(e->state));
    buf_addf(b, ": %s", end_reason_name(e->reason));
    if (e->code || e->reason == END_EXIT)
        buf_addf(b, " %d", (int)e->code);
    if (e->worker.n)
        buf_addf(b, " #%u", (unsigned)e->worker.n);
    if (e->attempts)
        buf_addf(b, " attempts=%u", (unsigned)e->attempts);
    if (e->counted)
        buf_adds(b, " counted");
    if (e->because.n)
        buf_addf(b, " because t%" PRIu64, e->because.n);
}

static void print_policy(struct buf *b, const struct array_row *a)
{
    const struct policy *p = &a->policy;

    buf_addf(b, "policy a%u", (unsigned)a->id.n);
    if (p->priority)
        buf_addf(b, " priority=%d", (int)p->priority);
    if (p->weight > 1)
        buf_addf(b, " weight=%u", (unsigned)p->weight);
    if (p->running_max)
        buf_addf(b, " running<=%u", (unsigned)p->running_max);
}

static void print_worker(struct buf *b, const struct worker_row *w)
{
    buf_addf(b, "worker #%u %s slots=%u", (unsigned)w->id.n, w->name, (unsigned)w->slots);
    for (uint32_t i = 0; i < w->n_resources; i++)
        buf_addf(b, " %s:%u", w->resources[i].name, (unsigned)w->resources[i].amount);
    if (w->end_ms)
        buf_addf(b, " ends=%" PRId64, w->end_ms);
}

void print_change(struct buf *b, const struct change *c)
{
    switch (c->kind) {
    case CHG_ARRAY:
        buf_addf(b, "array a%u s%u n=%" PRIu64, (unsigned)c->array.id.n, (unsigned)c->array.study.n,
                 c->array.n);
        break;
    case CHG_CURRENT:
        buf_addf(b, "current a%u s%u", (unsigned)c->array.id.n, (unsigned)c->array.study.n);
        break;
    case CHG_APPEND:
        buf_addf(b, "append a%u %" PRIu64 "+%" PRIu64, (unsigned)c->append.array.n, c->append.at,
                 c->append.n);
        break;
    case CHG_CLOSED:
        buf_addf(b, "closed a%u", (unsigned)c->append.array.n);
        break;
    case CHG_STUDY_STATE:
        buf_addf(b, "%s s%u",
                 c->active   ? "active"
                 : c->halted ? "halted"
                             : "inactive",
                 (unsigned)c->study.n);
        break;
    case CHG_ADOPT:
        if (c->adopts.pairs) {
            buf_addf(b, "adopt %zu", c->adopts.n);
            break;
        }
        buf_addf(b, "adopt t%" PRIu64 "<t%" PRIu64, c->task.n, c->from.n);
        break;
    case CHG_END:
        print_end(b, "end", &c->end);
        break;
    case CHG_ATTEMPT:
        print_end(b, "attempt", &c->end);
        break;
    case CHG_REOPEN:
        buf_addf(b, "reopen t%" PRIu64, c->task.n);
        break;
    case CHG_REOPEN_FAILED:
        buf_addf(b, "reopen-failed t%" PRIu64 "..t%" PRIu64, c->task.n, c->from.n);
        break;
    case CHG_RUNNING:
        buf_adds(b, "running ");
        print_lease(b, c->end.task, c->end.lease);
        buf_addf(b, " #%u since %" PRId64, (unsigned)c->end.worker.n, c->end.started_ms);
        break;
    case CHG_STOPPED:
        buf_adds(b, "stopped ");
        print_lease(b, (task_id){ 0 }, c->end.lease);
        break;
    case CHG_WORKER:
        print_worker(b, &c->worker);
        break;
    case CHG_COUNT_ANEW:
        buf_addf(b, "count a%u anew", (unsigned)c->array.id.n);
        break;
    case CHG_POLICY:
        print_policy(b, &c->array);
        break;
    case CHG_WORKER_GONE:
        buf_addf(b, "worker-gone #%u", (unsigned)c->worker.id.n);
        break;
    }
}

static void print_grants(struct buf *b, const struct send *s, const struct outbox *out)
{
    must(s->grants + s->n <= out->n_grants);
    const struct core_grant *g = &out->grants[s->grants];
    for (size_t i = 0; i < s->n; i++) {
        size_t run = i; /* four and more that follow each other: the first and the last */
        while (run + 1 < s->n && g[run + 1].lease.n == g[run].lease.n + 1 &&
               g[run + 1].task.n == g[run].task.n + 1)
            run++;
        buf_addc(b, i ? ',' : ' ');
        print_lease(b, g[i].task, g[i].lease);
        if (run < i + 3)
            continue;
        buf_adds(b, "..");
        print_lease(b, g[run].task, g[run].lease);
        i = run;
    }
}

static const char *const send_names[] = {
    [SEND_WELCOME] = "welcome", [SEND_REFUSED] = "refused",   [SEND_SUBMITTED] = "submitted",
    [SEND_REPLY] = "reply",     [SEND_PROGRESS] = "progress", [SEND_ASSIGN] = "assign",
    [SEND_REVOKE] = "revoke",   [SEND_RECALL] = "recall",     [SEND_ACK] = "ack",
    [SEND_LIMIT] = "limit",     [SEND_CLOSE] = "close",       [SEND_APPENDED] = "appended",
    [SEND_DRAIN] = "drain",
};

void print_send(struct buf *b, const struct send *s, const struct outbox *out, print_peer_fn peer,
                void *ctx)
{
    buf_addf(b, "%s ", send_names[s->kind]);
    peer(ctx, b, s->to);
    switch (s->kind) {
    case SEND_WELCOME:
        buf_addf(b, " #%u", (unsigned)s->worker.n);
        break;
    case SEND_REFUSED:
        buf_addf(b, " '%s'", s->text ? s->text : "");
        break;
    case SEND_SUBMITTED:
        buf_addf(b, " a%u%s", (unsigned)s->array.n, s->flag ? " changed" : "");
        break;
    case SEND_REPLY:
    case SEND_RECALL:
        buf_addf(b, " n=%zu", s->n);
        break;
    case SEND_PROGRESS:
        buf_addf(b, " s%u", (unsigned)s->study.n);
        break;
    case SEND_ASSIGN:
        print_grants(b, s, out);
        if (s->flag)
            buf_adds(b, " again");
        if (s->limit_ms)
            buf_addf(b, " limit=%" PRId64, s->limit_ms);
        break;
    case SEND_REVOKE:
    case SEND_ACK:
        print_grants(b, s, out);
        break;
    case SEND_APPENDED:
        buf_addf(b, " a%u n=%zu", (unsigned)s->array.n, s->n);
        break;
    case SEND_DRAIN:
        if (s->limit_ms != MS_NEVER)
            buf_addf(b, " grace=%" PRId64, s->limit_ms);
        break;
    case SEND_CLOSE:
        break;
    case SEND_LIMIT:
        buf_addf(b, " a%u %" PRId64, (unsigned)s->array.n, s->limit_ms);
        break;
    }
}

static const char *const act_names[] = {
    [ACT_HELLO] = "hello",
    [ACT_BEAT] = "beat",
    [ACT_SPAWN] = "spawn",
    [ACT_TERM] = "term",
    [ACT_KILL] = "kill",
    [ACT_RESULT] = "result",
    [ACT_RETURN] = "return",
    [ACT_FORGET] = "forget",
    [ACT_DROP] = "drop",
    [ACT_DRAINING] = "draining",
    [ACT_HANG_UP] = "hang-up",
    [ACT_BYE] = "bye",
    [ACT_EXIT] = "exit",
    [ACT_CALL] = "call",
    [ACT_WITHDRAW] = "withdraw",
    [ACT_DIRECT_END] = "direct-end",
    [ACT_ENGINE_START] = "engine-start",
    [ACT_ENGINE_KILL] = "engine-kill",
};

void print_act(struct buf *b, const struct act *a)
{
    static const char *const why[] = { "", " timeout", " revoked" };

    buf_adds(b, act_names[a->kind]);
    if (a->direct)
        buf_addf(b, " d%llu", (unsigned long long)a->lease.n);
    else if (a->task.n || a->lease.n) {
        buf_addc(b, ' ');
        print_lease(b, a->task, a->lease);
    }
    if (a->kind == ACT_CALL || a->kind == ACT_ENGINE_START || a->kind == ACT_ENGINE_KILL)
        buf_addf(b, " e%u", a->engine);
    if (a->kind == ACT_TERM)
        buf_adds(b, why[a->why]);
    if (a->kind == ACT_DRAINING)
        buf_addf(b, " %lldms", (long long)a->limit_ms);
}
