/* farmstate - what the farm looks like now, for a client that asked with Watch: workers, engines,
 * studies that are loaded. */
#include <stdlib.h>

#include "scheduler/direct.h"
#include "scheduler/loop.h"

/* What a message points into. */
struct farmstate {
    struct core_worker *from_core;
    struct farm_worker *workers;
    struct engine_info *engines;
    struct farm_study *studies;
    struct buf *resources; /* [n_workers] */
    size_t n_workers, n_engines, n_studies;
};

static void *zeroed(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);

    must(p != NULL);
    return p;
}

static enum worker_state state_of(const struct core_worker *w)
{
    if (!w->peer.n)
        return WORKER_AWAY;
    if (w->leaving)
        return WORKER_DRAINING;
    return w->quarantined ? WORKER_QUARANTINED : WORKER_UP;
}

static void add_worker(struct farmstate *f, const struct core_worker *w)
{
    const struct worker_row *row = w->row;
    struct buf *resources = &f->resources[f->n_workers];

    for (uint32_t i = 0; i < row->n_resources; i++)
        buf_addf(resources, "%s%s=%u", i ? "\n" : "", row->resources[i].name,
                 row->resources[i].amount);
    f->from_core[f->n_workers] = *w;
    f->workers[f->n_workers++] = (struct farm_worker){
        .id = row->id,
        .name = row->name,
        .host = row->host,
        .state = state_of(w),
        .pid = row->pid,
        .slots = row->slots,
        .slots_busy = w->slots_busy,
        .queued = w->queued,
        .memory_mib = row->memory_mib,
        .n_done = w->n_ended,
        .since_ms = row->since_ms,
        .end_ms = row->end_ms,
        .labels = row->labels ? row->labels : "",
        .resources = buf_text(resources),
        .why = w->quarantined ? "its last points failed at once, which do well elsewhere: start it "
                                "again when its trouble is over"
                              : "",
    };
}

static void take_workers(struct farmstate *f, const struct core *core)
{
    size_t n = core_workers(core, NULL, 0);
    struct core_worker *list = zeroed(n, sizeof *list);

    core_workers(core, list, n);
    f->from_core = zeroed(n, sizeof *f->from_core);
    f->workers = zeroed(n, sizeof *f->workers);
    f->resources = zeroed(n, sizeof *f->resources);
    for (size_t i = 0; i < n && f->n_workers < WORKERS_MAX; i++)
        add_worker(f, &list[i]);
    free(list);
}

/* Engines are listed by id, so those of a worker mostly follow each other. */
static bool worker_of(const struct farmstate *f, peer_id peer, uint32_t *at)
{
    for (size_t i = 0; i < f->n_workers; i++) {
        size_t k = (*at + i) % f->n_workers;
        if (f->from_core[k].peer.n != peer.n)
            continue;
        *at = (uint32_t)k;
        return true;
    }
    return false;
}

static void take_engines(struct farmstate *f, const struct direct *direct)
{
    size_t n = direct_list(direct, NULL, 0);
    struct direct_engine *list = zeroed(n, sizeof *list);
    uint32_t at = 0;

    n = direct_list(direct, list, n);
    f->engines = zeroed(n, sizeof *f->engines);
    for (size_t i = 0; i < n && f->n_engines < ENGINES_MAX; i++) {
        if (!worker_of(f, list[i].worker, &at))
            continue;
        list[i].info.worker = at;
        f->engines[f->n_engines++] = list[i].info;
    }
    free(list);
}

static void take_studies(struct farmstate *f, struct scheduler *s)
{
    f->studies = zeroed(s->n_loaded, sizeof *f->studies);
    for (size_t i = 0; i < s->n_loaded && f->n_studies < STUDIES_MESSAGE_MAX; i++) {
        struct core_study st;
        if (!core_study(s->core, s->loaded[i].id, &st))
            continue;
        f->studies[f->n_studies++] = (struct farm_study){
            .id = st.study,
            .name = s->loaded[i].name,
            .state = send_study_state(&st),
            .priority = st.priority,
            .weight = st.weight,
            .running_max = st.running_max,
            .submitted_ms = st.submitted_ms,
            .counts = send_counts(&st.counts),
        };
    }
}

static void farmstate_fini(struct farmstate *f)
{
    for (size_t i = 0; i < f->n_workers; i++)
        buf_fini(&f->resources[i]);
    free(f->resources);
    free(f->from_core);
    free(f->workers);
    free(f->engines);
    free(f->studies);
}

static uint32_t count_clients(const struct scheduler *s)
{
    uint32_t n = 0;

    for (const struct peer *p = s->peers; p; p = p->hh.next)
        n += p->role == ROLE_CLIENT;
    return n;
}

void farmstate_send(struct scheduler *s, peer_id to, uint64_t request)
{
    struct farmstate f = { 0 };
    struct message m = { .kind = MSG_FARM };
    struct core_farm farm;

    take_workers(&f, s->core);
    take_engines(&f, s->direct);
    take_studies(&f, s);
    core_farm(s->core, &farm);
    m.farm.request = request;
    m.farm.workers = f.workers;
    m.farm.n_workers = f.n_workers;
    m.farm.engines = f.engines;
    m.farm.n_engines = f.n_engines;
    m.farm.studies = f.studies;
    m.farm.n_studies = f.n_studies;
    m.farm.since_ms = s->since_ms;
    m.farm.n_clients = count_clients(s);
    m.farm.n_leases = farm.leases;
    for (size_t i = 0; i < f.n_workers; i++)
        m.farm.n_ended += f.workers[i].n_done;
    send_message(s, to, &m);
    farmstate_fini(&f);
}
