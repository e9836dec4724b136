/* client - somebody who submits studies, follows them and, in some runs, changes his mind: holds,
 * resumes, cancels, retries, edits. Requests are sent once; a submit is repeated on every
 * connection. */

#include "tests/sim/sim.h"

static void request(struct sim *s, struct packet p)
{
    p.request = ++s->client.request;
    if (s->client.connection)
        net_send(s, s->client.connection - 1, 1, p);
    else
        packet_fini(&p);
}

static void submit(struct sim *s, uint32_t study)
{
    request(s, (struct packet){
                   .kind = P_SUBMIT, .study = study, .variant = s->client.variant[study] });
}

void client_resubmit(struct sim *s)
{
    for (uint32_t i = 0; i < s->opt.n_studies; i++) {
        submit(s, i);
        request(s, (struct packet){ .kind = P_FOLLOW, .study = i });
    }
}

void client_receive(struct sim *s, struct packet *p)
{
    if (p->kind == P_UP)
        client_resubmit(s);
    if (p->kind == P_GONE) {
        s->client.connection = 0;
        sim_at(s, s->now + 10, (struct thing){ .kind = T_DIAL, .a = ACTOR_CLIENT });
    }
}

static void pick_some(struct sim *s, struct packet *p)
{
    uint64_t n = s->opt.study[p->study].n;

    for (uint64_t i = 1 + sim_below(s, 4); i > 0; i--)
        packet_hold(p)->task.n = sim_below(s, n + 2); /* some are not there */
}

void client_request(struct sim *s)
{
    struct packet p = { .study = (uint32_t)sim_below(s, s->opt.n_studies) };

    switch (sim_below(s, 9)) {
    case 0:
        p.kind = P_HOLD;
        break;
    case 1:
        p.kind = P_HOLD;
        p.now = true;
        break;
    case 2:
        p.kind = P_CANCEL;
        if (sim_chance(s, 80))
            pick_some(s, &p);
        break;
    case 3:
        p.kind = P_RETRY;
        p.failed = true;
        break;
    case 4:
        p.kind = P_RETRY;
        pick_some(s, &p);
        break;
    case 5:
        if (s->opt.edits)
            s->client.variant[p.study] = (uint32_t)sim_below(s, SIM_VARIANTS);
        submit(s, p.study);
        return;
    default:
        submit(s, p.study);
        return;
    }
    request(s, p);
}
