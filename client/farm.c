/* farm - what a program may ask of the farm itself: how it is, who shall leave, what comes first,
 * its end. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "client/session.h"

/* ---- how it is */

static size_t engine_bytes(const struct message *m, const struct engine_info *e)
{
    size_t bytes = strlen(e->reason) + strlen(e->functions) + 4;

    if (e->worker < m->farm.n_workers)
        bytes += strlen(m->farm.workers[e->worker].name) + strlen(m->farm.workers[e->worker].host);
    return bytes;
}

static size_t text_bytes(const struct message *m)
{
    size_t bytes = 1;

    for (size_t i = 0; i < m->farm.n_workers; i++) {
        const struct farm_worker *w = &m->farm.workers[i];
        bytes += strlen(w->name) + strlen(w->host) + strlen(w->labels) + strlen(w->resources) +
                 strlen(w->why) + 5;
    }
    for (size_t i = 0; i < m->farm.n_engines; i++)
        bytes += engine_bytes(m, &m->farm.engines[i]);
    for (size_t i = 0; i < m->farm.n_studies; i++)
        bytes += strlen(m->farm.studies[i].name) + 1;
    return bytes;
}

static const char *copy(char **at, const char *text)
{
    char *to = *at;

    *at = stpcpy(to, text) + 1;
    return to;
}

static void fill_workers(const struct message *m, struct grange_farm_worker *to, char **at)
{
    for (size_t i = 0; i < m->farm.n_workers; i++) {
        const struct farm_worker *w = &m->farm.workers[i];
        to[i] = (struct grange_farm_worker){
            .id = w->id.n,
            .state = (enum grange_worker_state)w->state,
            .name = copy(at, w->name),
            .host = copy(at, w->host),
            .labels = copy(at, w->labels),
            .resources = copy(at, w->resources),
            .why = copy(at, w->why),
            .pid = w->pid,
            .slots = w->slots,
            .slots_busy = w->slots_busy,
            .queued = w->queued,
            .memory_mib = w->memory_mib,
            .n_ended = w->n_done,
            .since_ms = w->since_ms,
            .end_ms = w->end_ms,
        };
    }
}

static void fill_engines(const struct message *m, struct grange_engine *to, char **at)
{
    for (size_t i = 0; i < m->farm.n_engines; i++) {
        const struct engine_info *e = &m->farm.engines[i];
        bool known = e->worker < m->farm.n_workers;
        to[i] = (struct grange_engine){
            .id = e->engine,
            .state = (enum grange_engine_state)e->state,
            .slot = e->slot,
            .pid = e->pid,
            .restarts = e->restarts,
            .worker = copy(at, known ? m->farm.workers[e->worker].name : ""),
            .host = copy(at, known ? m->farm.workers[e->worker].host : ""),
            .reason = copy(at, e->reason),
            .functions = copy(at, e->functions),
        };
    }
}

static void fill_studies(const struct message *m, struct grange_farm_study *to, char **at)
{
    for (size_t i = 0; i < m->farm.n_studies; i++) {
        const struct farm_study *s = &m->farm.studies[i];
        to[i] = (struct grange_farm_study){
            .name = copy(at, s->name),
            .state = (enum grange_study_state)s->state,
            .priority = s->priority,
            .weight = s->weight,
            .running_max = s->running_max,
            .submitted_ms = s->submitted_ms,
            .counts = session_counts(&s->counts),
        };
    }
}

/* One block: the struct, its lists, their texts. */
static struct grange_farm *make_farm(const struct message *m)
{
    struct grange_farm *f = malloc(sizeof *f + m->farm.n_workers * sizeof *f->workers +
                                   m->farm.n_engines * sizeof *f->engines +
                                   m->farm.n_studies * sizeof *f->studies + text_bytes(m));

    must(f != NULL);
    struct grange_farm_worker *workers = (void *)(f + 1);
    struct grange_farm_study *studies = (void *)(workers + m->farm.n_workers);
    struct grange_engine *engines = (void *)(studies + m->farm.n_studies);
    char *at = (char *)(engines + m->farm.n_engines);
    *f = (struct grange_farm){ .since_ms = m->farm.since_ms,
                               .n_clients = m->farm.n_clients,
                               .n_leases = m->farm.n_leases,
                               .n_ended = m->farm.n_ended,
                               .workers = workers,
                               .n_workers = m->farm.n_workers,
                               .engines = engines,
                               .n_engines = m->farm.n_engines,
                               .studies = studies,
                               .n_studies = m->farm.n_studies };
    fill_workers(m, workers, &at);
    fill_engines(m, engines, &at);
    fill_studies(m, studies, &at);
    return f;
}

void farm_on_message(struct grange *g, const struct message *m)
{
    for (struct request *r = g->requests; r; r = r->next) {
        if (r->number != m->farm.request || r->answered)
            continue;
        r->farm = make_farm(m);
        r->answered = true;
    }
}

int grange_farm_look(struct grange *g, int64_t timeout_ms, struct grange_farm **farm)
{
    struct message m = { .kind = MSG_WATCH };

    *farm = NULL;
    session_enter(g);
    struct request r = { .number = session_number(g) };
    m.watch.request = r.number;
    int code = session_ask(g, &m, &r, wait_for(timeout_ms));
    if (code == GRANGE_OK)
        *farm = r.farm;
    else
        free(r.farm);
    return code;
}

/* ---- asking for something */

static int control(struct grange *g, enum control_verb verb, const char *name, int64_t number,
                   int64_t timeout_ms, uint64_t *touched)
{
    struct message m = { .kind = MSG_CONTROL };

    session_enter(g);
    if (name && (!*name || strlen(name) > NAME_BYTES_MAX))
        return session_wrong(g, ERR_USAGE, "a name has 1 to 100 bytes");
    struct request r = { .number = session_number(g) };
    m.control.request = r.number;
    m.control.verb = verb;
    m.control.name = name ? name : "";
    m.control.number = number;
    int code = session_ask(g, &m, &r, wait_for(timeout_ms));
    if (code == GRANGE_OK && touched)
        *touched = r.touched;
    return code;
}

int grange_release(struct grange *g, const char *name, int64_t timeout_ms)
{
    return control(g, CONTROL_RELEASE, name ? name : "", 0, timeout_ms, NULL);
}

int grange_priority(struct grange *g, const char *name, int32_t priority, int64_t timeout_ms)
{
    return control(g, CONTROL_PRIORITY, name ? name : "", priority, timeout_ms, NULL);
}

int grange_weight(struct grange *g, const char *name, uint32_t weight, int64_t timeout_ms)
{
    return control(g, CONTROL_WEIGHT, name ? name : "", weight, timeout_ms, NULL);
}

int grange_running_max(struct grange *g, const char *name, uint32_t most, int64_t timeout_ms)
{
    return control(g, CONTROL_RUNNING_MAX, name ? name : "", most, timeout_ms, NULL);
}

int grange_drain(struct grange *g, const char *worker, int64_t grace_ms, int64_t timeout_ms,
                 uint64_t *running)
{
    return control(g, CONTROL_DRAIN, worker ? worker : "", grace_ms, timeout_ms, running);
}

int grange_down(struct grange *g, int64_t grace_ms, int64_t timeout_ms)
{
    return control(g, CONTROL_DOWN, NULL, grace_ms, timeout_ms, NULL);
}
