#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/needs.h"
#include "proto/wire.h"
#include "worker/crew.h"

static void take_message(struct worker *w, const struct message *m);

void inbox_take(struct worker *w, const void *data, size_t n)
{
    struct message m;
    struct fault fault;

    if (wire_decode(data, n, &m, &fault)) {
        log_error("event=malformed error=\"%s\"", fault.text);
        link_close_peer(w->link, w->peer);
        return;
    }
    worker_feed(w, &(struct agent_event){ .kind = AGENT_HEARD });
    take_message(w, &m);
    message_fini(&m);
}

/* say_ready - once, to whoever started us and waits for it. */
static void say_ready(struct worker *w)
{
    if (w->was_ready || w->opt->ready_fd < 0)
        return;
    w->was_ready = true;
    ssize_t n = write(w->opt->ready_fd, "ready\n", 6);
    (void)n; /* who does not read it has gone */
    close(w->opt->ready_fd);
}

static void welcome(struct worker *w, const struct message *m)
{
    if (m->welcome.version != WIRE_VERSION) {
        fprintf(stderr,
                "grange: the scheduler (%s) speaks version %u of the protocol, this worker version "
                "%d: upgrade the older of the two\n",
                m->welcome.program, m->welcome.version, WIRE_VERSION);
        worker_end(w, WORKER_REFUSED);
        return;
    }
    log_info("event=welcome epoch=%u id=%u", m->welcome.epoch, m->welcome.worker.n);
    w->welcomed = w->ever_welcomed = true;
    say_ready(w);
    worker_feed(w, &(struct agent_event){ .kind = AGENT_WELCOME });
}

static void refused(struct worker *w, const struct message *m)
{
    log_error("event=refused code=%u text=\"%s\"", m->refused.code, m->refused.text);
    if (w->welcomed)
        return;
    fprintf(stderr, "grange: the scheduler refused this worker: %s\n", m->refused.text);
    worker_end(w, WORKER_REFUSED);
}

struct use {
    const struct agent_held *held;
    size_t n;
};

static bool array_in_use(const void *context, array_id array)
{
    const struct use *use = context;

    for (size_t i = 0; i < use->n; i++)
        if (use->held[i].array.n == array.n)
            return true;
    return false;
}

static size_t read_held(struct worker *w)
{
    size_t n = agent_held(w->agent, w->now, w->held, w->held_cap);

    return n < w->held_cap ? n : w->held_cap;
}

static void spec(struct worker *w, const struct message *m)
{
    struct fault fault;

    if (payloads_put(w->payloads, m->spec.array, m->spec.first, m->spec.spec, m->spec.spec_bytes,
                     &fault)) {
        log_error("event=spec array=%u error=\"%s\"", m->spec.array.n, fault.text);
        return;
    }
    struct use use = { w->held, read_held(w) };
    payloads_trim(w->payloads, array_in_use, &use);
}

static void assign_calls(struct worker *w, const struct message *m, struct payload *p)
{
    const char *at = m->assign.payloads;
    size_t k = 0; /* blobs are in the order of the grants */

    for (size_t i = 0; i < m->assign.n; i++) {
        const struct grant *g = &m->assign.grants[i];
        const struct blob_ref *blob = NULL;
        while (k < m->assign.n_blobs && m->assign.blobs[k].call < i)
            k++;
        if (k < m->assign.n_blobs && m->assign.blobs[k].call == i)
            blob = &m->assign.blobs[k];
        if (payload_has(p, g->task))
            crew_take(w, g, p, at, m->assign.sizes[i], blob, m->assign.limit_ms);
        else
            leases_add(&w->returned, g->lease);
        at += m->assign.sizes[i];
    }
}

/* assign - without its spec, which we may have forgotten, the connection starts anew: the scheduler
 * then tells it again. A task that is none of the array goes back. */
static void assign(struct worker *w, const struct message *m)
{
    struct payload *p = payloads_find(w->payloads, m->assign.array);

    if (!p) {
        log_error("event=assign array=%u error=\"its spec is not known\"", m->assign.array.n);
        link_close_peer(w->link, w->peer);
        return;
    }
    if (m->assign.sizes && payload_function(p) && crew_has(w, payload_function(p))) {
        assign_calls(w, m, p);
        return;
    }
    const struct policy *policy = payload_policy(p);
    uint32_t take[RESOURCES_MAX];
    needs_places(&policy->needs, w->offer.resources, w->offer.n_resources, take);
    const char *order = m->assign.payloads;
    for (size_t i = 0; i < m->assign.n; i++) {
        const struct grant *g = &m->assign.grants[i];
        if (!payload_has(p, g->task)) {
            leases_add(&w->returned, g->lease);
            continue;
        }
        if (m->assign.sizes && m->assign.sizes[i])
            order_put(w, g->lease, order, m->assign.sizes[i]);
        order += m->assign.sizes ? m->assign.sizes[i] : 0;
        worker_feed(w, &(struct agent_event){ .kind = AGENT_ASSIGN,
                                              .lease = g->lease,
                                              .task = g->task,
                                              .array = m->assign.array,
                                              .again = m->assign.again,
                                              .limit_ms = m->assign.limit_ms,
                                              .grace_ms = policy->grace_ms,
                                              .cores = policy->needs.cores,
                                              .memory_mib = policy->needs.memory_mib,
                                              .take = take });
    }
}

static void each(struct worker *w, enum agent_event_kind kind, const lease_id *leases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        worker_feed(w, &(struct agent_event){ .kind = kind, .lease = leases[i] });
}

/* ack - of what is no result nothing is kept where nobody would find it. */
static void ack(struct worker *w, const struct message *m)
{
    for (size_t i = 0; i < m->ack.n_useless; i++) {
        struct attempt *a = worker_attempt(w, m->ack.useless[i]);
        if (a)
            a->useless = true;
    }
    each(w, AGENT_ACK, m->ack.leases, m->ack.n);
}

static void take_message(struct worker *w, const struct message *m)
{
    switch (m->kind) {
    case MSG_WELCOME:
        welcome(w, m);
        break;
    case MSG_REFUSED:
        refused(w, m);
        break;
    case MSG_SPEC:
        spec(w, m);
        break;
    case MSG_ASSIGN:
        assign(w, m);
        break;
    case MSG_REVOKE:
        each(w, AGENT_REVOKE, m->revoke.leases, m->revoke.n);
        break;
    case MSG_ACK:
        ack(w, m);
        break;
    case MSG_RECALL:
        worker_feed(w, &(struct agent_event){ .kind = AGENT_RECALL, .n = m->recall.n });
        break;
    case MSG_LIMIT:
        worker_feed(w, &(struct agent_event){ .kind = AGENT_LIMIT,
                                              .array = m->limit.array,
                                              .limit_ms = m->limit.limit_ms });
        break;
    case MSG_DRAIN:
        log_info("event=drain grace_ms=%lld", (long long)m->drain.grace_ms);
        w->draining = true;
        w->grace_over = m->drain.grace_ms == 0;
        worker_feed(w, &(struct agent_event){ .kind = AGENT_DRAIN, .grace_ms = m->drain.grace_ms });
        break;
    case MSG_BYE: /* the farm is shut down; a scheduler that starts again just goes away */
        log_info("event=bye");
        w->draining = w->grace_over = true;
        worker_feed(w, &(struct agent_event){ .kind = AGENT_DRAIN });
        break;
    case MSG_DIRECT:
        ticket_take(w, m);
        break;
    case MSG_BLOB:
        parcel_part(w, m);
        break;
    case MSG_BLOB_ACK:
        parcel_acked(w, m);
        ahead_acked(w, m);
        break;
    case MSG_DIRECT_ACK:
        ticket_taken(w, m);
        break;
    case MSG_BEAT:
        break;
    default:
        log_error("event=unexpected message=%s", message_kind_name(m->kind));
        break;
    }
}
