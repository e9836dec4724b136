/* net - connections as they are over a byte stream: in order, late, never duplicated; a reset loses
 * a suffix of what is under way in each direction, and the ends notice at different times, after
 * the last that still arrived. A clogged direction is silent for a while and then delivers all. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/sim/sim.h"

void packet_fini(struct packet *p)
{
    free(p->held);
    p->held = NULL;
    p->n_held = 0;
}

struct event_held *packet_hold(struct packet *p)
{
    p->held = realloc(p->held, (p->n_held + 1) * sizeof *p->held);
    must(p->held != NULL);
    memset(&p->held[p->n_held], 0, sizeof *p->held);
    return &p->held[p->n_held++];
}

static void queue_drop(struct queue *q, size_t from)
{
    for (size_t i = from; i < q->n; i++)
        packet_fini(&q->items[i]);
    if (from < q->n)
        q->n = from;
}

static void queue_add(struct sim *s, uint32_t connection, int end, struct packet p)
{
    struct queue *q = &s->connections[connection].to[end];

    if (!q->open) {
        packet_fini(&p);
        return;
    }
    if (q->n == q->cap) {
        q->cap = q->cap ? 2 * q->cap : 8;
        q->items = realloc(q->items, q->cap * sizeof *q->items);
        must(q->items != NULL);
    }
    if (p.at < q->last_at)
        p.at = q->last_at;
    q->last_at = p.at;
    q->items[q->n++] = p;
    sim_at(s, p.at, (struct thing){ .kind = T_PUMP, .a = connection, .b = (uint32_t)end });
}

static ms_t delay(struct sim *s)
{
    return 1 + (ms_t)sim_below(s, (uint64_t)s->opt.delay_max);
}

void net_connect(struct sim *s, uint32_t actor)
{
    if (s->n_connections == s->cap_connections) {
        s->cap_connections = s->cap_connections ? 2 * s->cap_connections : 16;
        s->connections = realloc(s->connections, s->cap_connections * sizeof *s->connections);
        must(s->connections != NULL);
    }
    uint32_t c = (uint32_t)s->n_connections++;
    s->connections[c] = (struct connection){ .actor = actor, .is_worker = actor < SIM_WORKERS };
    s->connections[c].to[0].open = s->connections[c].to[1].open = true;
    if (actor == ACTOR_CLIENT)
        s->client.connection = c + 1;
    else
        s->workers[actor].connection = c + 1;
    queue_add(s, c, 0, (struct packet){ .kind = P_UP, .at = s->now + delay(s) });
}

void net_send(struct sim *s, uint32_t connection, int to, struct packet packet)
{
    packet.at = s->now + delay(s);
    if (s->connections[connection].cut)
        packet_fini(&packet);
    else
        queue_add(s, connection, to, packet);
}

static void deliver(struct sim *s, uint32_t connection, int end, struct packet *p)
{
    uint32_t actor = s->connections[connection].actor;

    if (p->kind == P_GONE)
        s->connections[connection].to[end].open = false;
    if (end == 1)
        scheduler_receive(s, (peer_id){ connection + 1 }, p);
    else if (actor == ACTOR_CLIENT)
        client_receive(s, p);
    else
        worker_receive(s, actor, p);
}

void net_pump(struct sim *s, uint32_t connection, int end)
{
    for (;;) { /* receiving may add connections: look anew each time */
        struct connection *c = &s->connections[connection];
        struct queue *q = &c->to[end];
        if (!q->open || !q->n || q->items[0].at > s->now)
            return;
        ms_t later = q->clogged_until;
        if (end == 0 && c->is_worker && s->workers[c->actor].paused_until > later)
            later = s->workers[c->actor].paused_until;
        if (later > s->now) {
            sim_at(s, later, (struct thing){ .kind = T_PUMP, .a = connection, .b = (uint32_t)end });
            return;
        }
        struct packet p = q->items[0];
        memmove(q->items, q->items + 1, (--q->n) * sizeof *q->items);
        deliver(s, connection, end, &p);
        packet_fini(&p);
    }
}

static void gone(struct sim *s, uint32_t connection, int end, ms_t after)
{
    queue_add(s, connection, end, (struct packet){ .kind = P_GONE, .at = s->now + after });
}

void net_close(struct sim *s, uint32_t connection, int by)
{
    struct connection *c = &s->connections[connection];

    if (c->cut)
        return;
    c->cut = true;
    queue_drop(&c->to[by], 0);
    gone(s, connection, by, 0);
    gone(s, connection, !by, delay(s));
}

/* Loses a suffix of what is on its way to that end. */
static void lose_suffix(struct sim *s, uint32_t connection, int end)
{
    struct queue *q = &s->connections[connection].to[end];

    queue_drop(q, sim_below(s, q->n + 1));
}

void net_drop(struct sim *s, uint32_t connection, int dead, ms_t notice_ms)
{
    struct connection *c = &s->connections[connection];
    bool was_cut = c->cut;

    queue_drop(&c->to[dead], 0);
    c->to[dead].open = false;
    c->cut = true;
    if (was_cut)
        return;
    lose_suffix(s, connection, !dead);
    gone(s, connection, !dead, notice_ms);
}

void net_reset(struct sim *s, uint32_t connection)
{
    if (s->connections[connection].cut)
        return;
    s->connections[connection].cut = true;
    for (int end = 0; end < 2; end++) {
        lose_suffix(s, connection, end);
        gone(s, connection, end, (ms_t)sim_below(s, sim_chance(s, 50) ? 50 : 3000));
    }
}

void net_clog(struct sim *s, uint32_t connection, int end, ms_t for_ms)
{
    s->connections[connection].to[end].clogged_until = s->now + for_ms;
}

void net_unclog(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_connections; i++)
        for (int end = 0; end < 2; end++) {
            s->connections[i].to[end].clogged_until = 0;
            sim_at(s, s->now, (struct thing){ .kind = T_PUMP, .a = i, .b = (uint32_t)end });
        }
}
