/* client - somebody who submits studies, follows them and, in some runs, changes his mind: holds,
 * resumes, cancels, retries, edits. Requests are sent once; a submit is repeated on every
 * connection. */

#include "base/must.h"
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

/* The next calls of a study; the last time with the word that there are no more. What is on its way
 * may be sent again: the scheduler takes it once. */
static void append_more(struct sim *s, uint32_t study)
{
    uint64_t left = s->opt.study[study].n - s->client.appended[study];
    uint64_t n = 1 + sim_below(s, APPEND_MAX);

    request(s, (struct packet){ .kind = P_APPEND,
                                .study = study,
                                .there = s->client.appended[study],
                                .n = (uint32_t)(n < left ? n : left),
                                .close = n >= left });
}

static void on_appended(struct sim *s, const struct packet *p)
{
    const struct array_row *row = world_array(s, p->array);

    must(row != NULL);
    uint32_t study = row->study.n - 1;
    bool news = p->kind == P_SUBMITTED || p->there > s->client.appended[study];
    if (!s->opt.study[study].calls)
        return;
    if (p->there > s->client.appended[study])
        s->client.appended[study] = p->there;
    if (news && (p->kind == P_SUBMITTED || p->there < s->opt.study[study].n))
        append_more(s, study);
}

void client_receive(struct sim *s, struct packet *p)
{
    if (p->kind == P_SUBMITTED || p->kind == P_APPENDED)
        on_appended(s, p);
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

    switch (sim_below(s, s->opt.steers ? 13 : 9)) {
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
        if (s->opt.edits && !s->opt.study[p.study].calls && !s->opt.study[p.study].fixed)
            s->client.variant[p.study] = (uint32_t)sim_below(s, SIM_VARIANTS);
        submit(s, p.study);
        return;
    case 9:
        p.kind = P_RELEASE;
        break;
    case 10:
        p.kind = P_PRIORITY;
        p.number = (int32_t)sim_below(s, 5) - 2;
        break;
    case 11:
        p.kind = P_SHARE;
        p.n = (uint32_t)sim_below(s, 4);
        p.number = sim_chance(s, 50) ? 0 : 1 + (int32_t)sim_below(s, 6);
        break;
    case 12:
        p.kind = P_DRAIN;
        p.n = (uint32_t)sim_below(s, SIM_WORKERS);
        p.limit_ms = sim_chance(s, 30) ? MS_NEVER : (ms_t)sim_below(s, 5000);
        break;
    default:
        submit(s, p.study);
        return;
    }
    request(s, p);
}
