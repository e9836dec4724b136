/* send - what the core decided to say, as messages: one for each run of sends of a kind to a peer.
 */

#include <stdlib.h>

#include "proto/wire.h"
#include "scheduler/calls.h"

void send_message(struct scheduler *s, peer_id to, const struct message *m)
{
    struct buf *frame = to.n ? link_begin(s->link, to) : NULL;

    if (!frame)
        return;
    wire_encode(m, frame);
    link_end(s->link);
}

static struct peer *peer_of(struct scheduler *s, peer_id id)
{
    struct peer *p;

    HASH_FIND(hh, s->peers, &id.n, sizeof id.n, p);
    return p;
}

void send_forget_spec(struct scheduler *s, array_id array)
{
    struct peer *p, *next;

    HASH_ITER(hh, s->peers, p, next)
    {
        for (size_t i = 0; i < p->n_specs; i++)
            if (p->specs[i].n == array.n)
                p->specs[i] = p->specs[--p->n_specs];
    }
}

/* A worker hears an array's spec once, before its first lease of it. */
static void send_spec(struct scheduler *s, peer_id to, array_id array)
{
    struct peer *p = peer_of(s, to);
    struct array_row row;
    struct buf text = { 0 };
    struct fault f;
    bool found;

    if (!p)
        return;
    for (size_t i = 0; i < p->n_specs; i++)
        if (p->specs[i].n == array.n)
            return;
    if (store_array(s->store, array, &found, &row, &text, &f) || !found) {
        log_error("event=no_spec array=%u", array.n);
        buf_fini(&text);
        return;
    }
    send_message(s, to,
                 &(struct message){ .kind = MSG_SPEC,
                                    .spec = { .array = array,
                                              .first = row.first,
                                              .spec = row.spec,
                                              .spec_bytes = row.spec_bytes } });
    if (p->n_specs == p->cap_specs) {
        p->cap_specs = p->cap_specs ? 2 * p->cap_specs : 4;
        p->specs = realloc(p->specs, p->cap_specs * sizeof *p->specs);
        must(p->specs != NULL);
    }
    p->specs[p->n_specs++] = array;
    buf_fini(&text);
}

struct counts send_counts(const struct core_counts *c)
{
    return (struct counts){ .n = c->n,
                            .ready = c->ready,
                            .waiting = c->waiting,
                            .running = c->running,
                            .done = c->done,
                            .failed = c->failed,
                            .cancelled = c->cancelled,
                            .skipped = c->skipped,
                            .quarantined = c->quarantined,
                            .reused = c->reused,
                            .lost = c->lost,
                            .blocked = c->blocked,
                            .unmet = c->unmet,
                            .warned = c->warned };
}

static void send_submitted(struct scheduler *s, const struct send *d)
{
    struct core_study st;
    struct core_array a;
    const struct loaded *l = loaded_find(s, d->study);

    if (core_array(s->core, d->array, &a) && a.kind == ARRAY_CALLS) {
        calls_send_opened(s, d->to, d->request, d->array);
        return;
    }
    if (!l || !core_study(s->core, d->study, &st))
        return;
    send_message(s, d->to,
                 &(struct message){ .kind = MSG_SUBMITTED,
                                    .submitted = { .request = d->request,
                                                   .study = l->name,
                                                   .id = d->study,
                                                   .array = st.array,
                                                   .first = st.first,
                                                   .counts = send_counts(&st.counts),
                                                   .template_changed = d->flag } });
}

enum study_state send_study_state(const struct core_study *st)
{
    if (st->ended)
        return STUDY_ENDED;
    if (st->mode == MODE_HALTED)
        return STUDY_HALTED;
    return st->mode == MODE_HELD ? STUDY_HELD : STUDY_ACTIVE;
}

static void send_progress(struct scheduler *s, const struct send *d)
{
    struct core_study st;
    struct core_farm farm;
    struct core_running slowest[RUNNING_SHOWN_MAX];
    struct running_point running[RUNNING_SHOWN_MAX];
    const struct loaded *l = loaded_find(s, d->study);

    if (!l || !core_study(s->core, d->study, &st))
        return;
    core_farm(s->core, &farm);
    if (!farm.n_away &&
        st.counts.running >
            farm.slots_busy) { /* leases that wait at a worker for a slot do not run */
        st.counts.ready += st.counts.running - farm.slots_busy;
        st.counts.running = farm.slots_busy;
    }
    size_t n = core_slowest(s->core, d->study, s->now, slowest, RUNNING_SHOWN_MAX);
    struct core_array a;
    for (size_t i = 0; i < n && core_array(s->core, slowest[i].array, &a); i++)
        running[i] = (struct running_point){ .index = slowest[i].task.n - a.first.n,
                                             .elapsed_ms = slowest[i].elapsed_ms,
                                             .share = told_share(s, slowest[i].task) };
    send_message(s, d->to,
                 &(struct message){ .kind = MSG_PROGRESS,
                                    .progress = { .study = l->name,
                                                  .state = send_study_state(&st),
                                                  .counts = send_counts(&st.counts),
                                                  .n_workers = farm.n_workers,
                                                  .slots = farm.slots,
                                                  .slots_busy = farm.slots_busy,
                                                  .limit_ms = (uint64_t)st.limit_ms,
                                                  .running = running,
                                                  .n_running = n } });
}

/* What is gathered for one message; kept from message to message. */
static struct gathering {
    struct grant *grants;
    lease_id *leases, *useless;
    uint32_t *sizes;
    size_t cap;
    struct buf payloads, blobs, attempts;
} gathered;

static void room_for(size_t n)
{
    if (n <= gathered.cap)
        return;
    gathered.cap = 2 * n + 1024;
    gathered.grants = realloc(gathered.grants, gathered.cap * sizeof *gathered.grants);
    gathered.leases = realloc(gathered.leases, gathered.cap * sizeof *gathered.leases);
    gathered.useless = realloc(gathered.useless, gathered.cap * sizeof *gathered.useless);
    gathered.sizes = realloc(gathered.sizes, gathered.cap * sizeof *gathered.sizes);
    must(gathered.grants && gathered.leases && gathered.useless && gathered.sizes);
}

static void send_assign(struct scheduler *s, const struct send *d, size_t from, size_t n,
                        bool calls)
{
    struct message m = { .kind = MSG_ASSIGN };

    m.assign.array = d->array;
    m.assign.limit_ms = d->limit_ms;
    m.assign.again = d->flag;
    m.assign.grants = gathered.grants + from;
    m.assign.n = n;
    if (calls) {
        m.assign.sizes = gathered.sizes + from;
        m.assign.payloads = gathered.payloads.data;
        m.assign.payloads_bytes = gathered.payloads.n;
        m.assign.blobs = (const struct blob_ref *)(const void *)gathered.blobs.data;
        m.assign.n_blobs = gathered.blobs.n / sizeof(struct blob_ref);
    }
    send_message(s, d->to, &m);
    buf_clear(&gathered.payloads);
    buf_clear(&gathered.blobs);
}

static bool assign_is_full(void)
{
    return gathered.payloads.n >= APPEND_BYTES_MAX ||
           gathered.blobs.n >= BLOBS_MESSAGE_MAX * sizeof(struct blob_ref);
}

/* The leases that were gathered, with the payloads of those that are calls: in as many messages as
 * the payloads need. */
static void send_assigns(struct scheduler *s, const struct send *d, size_t n)
{
    struct calls *c = calls_by_id(s, d->array);
    size_t from = 0;
    struct fault f;

    send_spec(s, d->to, d->array);
    for (size_t i = 0; c && i < n; i++) {
        const void *data;
        struct blob_ref blob;
        if (chunk_payload(s, c, gathered.grants[i].task.n - c->first.n, &data, &gathered.sizes[i],
                          &blob, &f)) {
            loop_die(s, &f);
            s->failed = loop_exit_code(&f);
            return;
        }
        buf_add(&gathered.payloads, data, gathered.sizes[i]);
        blob.call = i - from;
        if (blob.blob)
            buf_add(&gathered.blobs, &blob, sizeof blob);
        if (assign_is_full() && i + 1 < n) {
            send_assign(s, d, from, i + 1 - from, true);
            from = i + 1;
        }
    }
    send_assign(s, d, from, n - from, c != NULL);
}

static int by_lease(const void *a, const void *b)
{
    uint64_t x = ((const lease_id *)a)->n, y = ((const lease_id *)b)->n;

    return (x > y) - (x < y);
}

/* find_attempts - the leases of this turn whose ends are attempts only, sorted. */
static void find_attempts(const struct scheduler *s)
{
    struct buf *all = &gathered.attempts;

    buf_clear(all);
    for (size_t i = 0; i < s->out.n_changes; i++)
        if (s->out.changes[i].kind == CHG_ATTEMPT)
            buf_add(all, &s->out.changes[i].end.lease, sizeof(lease_id));
    if (all->n)
        qsort(all->data, all->n / sizeof(lease_id), sizeof(lease_id), by_lease);
}

/* send_acks - of those that were gathered. What is an attempt only never becomes a result. */
static void send_acks(struct scheduler *s, const struct send *d, size_t n)
{
    struct message m = { .kind = MSG_ACK, .ack = { gathered.leases, n, gathered.useless, 0 } };
    const struct buf *attempts = &gathered.attempts;

    for (size_t i = 0; i < n && attempts->n; i++)
        if (bsearch(&gathered.leases[i], attempts->data, attempts->n / sizeof(lease_id),
                    sizeof(lease_id), by_lease))
            gathered.useless[m.ack.n_useless++] = gathered.leases[i];
    send_message(s, d->to, &m);
}

/* Sends that carry leases: runs of the same kind to the same peer become one message. Returns how
 * many sends it took. */
static size_t send_leases(struct scheduler *s, size_t at)
{
    const struct send *d = &s->out.sends[at];
    size_t n = 0, taken = 0;

    for (; at + taken < s->out.n_sends; taken++) {
        const struct send *e = &s->out.sends[at + taken];
        if (e->kind != d->kind || e->to.n != d->to.n || e->array.n != d->array.n ||
            e->limit_ms != d->limit_ms || e->flag != d->flag)
            break;
        if (n && n + e->n > GRANTS_MAX)
            break; /* one message holds no more */
        room_for(n + e->n);
        for (size_t i = 0; i < e->n; i++, n++) {
            const struct core_grant *g = &s->out.grants[e->grants + i];
            gathered.grants[n] = (struct grant){ .lease = g->lease, .task = g->task };
            gathered.leases[n] = g->lease;
        }
    }
    if (d->kind == SEND_ASSIGN) {
        send_assigns(s, d, n);
        return taken;
    }
    if (d->kind == SEND_ACK)
        send_acks(s, d, n);
    else
        send_message(
            s, d->to,
            &(struct message){ .kind = MSG_REVOKE, .revoke = { gathered.leases, n, NULL, 0 } });
    return taken;
}

static void send_welcome(struct scheduler *s, const struct send *d)
{
    send_message(s, d->to,
                 &(struct message){ .kind = MSG_WELCOME,
                                    .welcome = { .version = WIRE_VERSION,
                                                 .program = "grange " GRANGE_PROGRAM_VERSION,
                                                 .epoch = s->epoch,
                                                 .worker = d->worker,
                                                 .owner = s->opt->owner ? s->opt->owner : "" } });
}

static void send_one(struct scheduler *s, const struct send *d)
{
    switch (d->kind) {
    case SEND_WELCOME:
        send_welcome(s, d);
        break;
    case SEND_REFUSED:
        request_refuse(s, d->to, d->request, (enum err)d->err, d->text);
        break;
    case SEND_SUBMITTED:
        send_submitted(s, d);
        break;
    case SEND_APPENDED:
        calls_send_appended(s, d);
        break;
    case SEND_REPLY:
        send_message(
            s, d->to,
            &(struct message){ .kind = MSG_REPLY, .reply = { .request = d->request, .n = d->n } });
        break;
    case SEND_PROGRESS:
        send_progress(s, d);
        break;
    case SEND_RECALL:
        send_message(s, d->to,
                     &(struct message){ .kind = MSG_RECALL, .recall = { .n = (uint32_t)d->n } });
        break;
    case SEND_LIMIT:
        send_message(s, d->to,
                     &(struct message){ .kind = MSG_LIMIT,
                                        .limit = { .array = d->array, .limit_ms = d->limit_ms } });
        break;
    case SEND_DRAIN:
        send_message(s, d->to,
                     &(struct message){ .kind = MSG_DRAIN, .drain = { .grace_ms = d->limit_ms } });
        break;
    case SEND_CLOSE:
        link_close_peer(s->link, d->to);
        break;
    case SEND_ASSIGN:
    case SEND_REVOKE:
    case SEND_ACK:
        break; /* send_leases */
    }
}

void send_all(struct scheduler *s)
{
    find_attempts(s);
    for (size_t i = 0; i < s->out.n_sends;) {
        const struct send *d = &s->out.sends[i];
        if (d->kind == SEND_ASSIGN || d->kind == SEND_REVOKE || d->kind == SEND_ACK) {
            i += send_leases(s, i);
        } else {
            send_one(s, d);
            i++;
        }
    }
}
