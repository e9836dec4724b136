/* submit - a study that came in, or is taken up again, as one array of the core. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "scheduler/calls.h"
#include "study/study.h"

struct loaded *loaded_find(struct scheduler *s, study_id id)
{
    for (size_t i = 0; i < s->n_loaded; i++)
        if (s->loaded[i].id.n == id.n)
            return &s->loaded[i];
    return NULL;
}

struct loaded *loaded_name(struct scheduler *s, const char *name)
{
    for (size_t i = 0; i < s->n_loaded; i++)
        if (strcmp(s->loaded[i].name, name) == 0)
            return &s->loaded[i];
    return NULL;
}

void loaded_forget(struct scheduler *s, study_id id)
{
    struct loaded *l = loaded_find(s, id);

    if (l)
        *l = s->loaded[--s->n_loaded];
}

void loaded_set(struct scheduler *s, study_id id, array_id array, const char *name)
{
    struct loaded *l = loaded_find(s, id);

    if (!l) {
        if (s->n_loaded == s->cap_loaded) {
            s->cap_loaded = s->cap_loaded ? 2 * s->cap_loaded : 8;
            s->loaded = realloc(s->loaded, s->cap_loaded * sizeof *s->loaded);
            must(s->loaded != NULL);
        }
        l = &s->loaded[s->n_loaded++];
        l->id = id;
    }
    l->array = array;
    snprintf(l->name, sizeof l->name, "%s", name);
}

static void view_due(struct scheduler *s, study_id study, struct study *spec)
{
    if (s->n_views == s->cap_views) {
        s->cap_views = s->cap_views ? 2 * s->cap_views : 4;
        s->views = realloc(s->views, s->cap_views * sizeof *s->views);
        must(s->views != NULL);
    }
    s->views[s->n_views++] = (struct view_due){ .study = study, .spec = spec };
}

/* Attempts that were counted before this start. */
struct trouble_ctx {
    struct scheduler *s;
};
static void on_trouble(void *ctx, task_id task, uint32_t failures, uint32_t losses, lease_id last)
{
    struct scheduler *s = ((struct trouble_ctx *)ctx)->s;

    core_step(s->core, s->now,
              &(struct event){ .kind = EV_TROUBLE,
                               .task = task,
                               .lease = last,
                               .failures = failures,
                               .losses = losses },
              &s->out);
}

/* Whether the current array of a study has this design: also when it was made by --fresh, under a
 * key of its own. One of calls has none. */
static enum err find_current(struct scheduler *s, array_id current, const uint64_t key[2],
                             bool *same, struct array_row *row, struct fault *f)
{
    struct study *spec;
    uint64_t its[2];
    enum err err = store_array(s->store, current, same, row, loop_text(s), f);

    if (!err && *same && row->kind == ARRAY_CALLS)
        *same = false;
    if (!err && *same)
        err = study_from_json(row->spec, row->spec_bytes, &spec, f);
    if (err || !*same)
        return err;
    study_key(spec, its);
    study_free(spec);
    *same = its[0] == key[0] && its[1] == key[1];
    return ERR_NONE;
}

/* The row of a submission: the current array when it has this design, else the array with this key,
 * else a new one. */
static enum err find_row(struct scheduler *s, const struct study *spec, bool fresh, bool *is_new,
                         bool *is_current, struct array_row *row, struct fault *f)
{
    struct study_row study;
    uint64_t key[2];
    bool found;
    enum err err = store_find_study(s->store, study_name(spec), &found, &study, f);

    if (err)
        return err;
    study_key(spec, key);
    if (fresh) { /* an array that no other submission is the same as */
        uint64_t now[3] = { key[0], (uint64_t)clock_wall_ms(), s->next.array };
        key[0] = hash64(now, sizeof now, s->epoch);
    }
    *is_new = true;
    *is_current = false;
    if (found && !fresh) {
        bool known;
        err = find_current(s, study.current, key, is_current, row, f);
        known = *is_current;
        if (!err && !known)
            err = store_find_array(s->store, study.id, key, &known, row, loop_text(s), f);
        if (err)
            return err;
        *is_new = !known;
    }
    if (*is_new)
        *row = (struct array_row){ .id = { s->next.array },
                                   .study = found ? study.id : (study_id){ s->next.study },
                                   .first = { s->next.task },
                                   .n = study_n_points(spec),
                                   .key = { key[0], key[1] } };
    row->policy = *study_policy(spec);
    row->submitted_ms = clock_wall_ms();
    return ERR_NONE;
}

/* was: the study as the store has it, when it is only loaded; NULL: a client submits it. */
static enum err enter(struct scheduler *s, peer_id from, uint64_t request,
                      const struct study_row *was, const struct study *spec, struct array_row *row,
                      bool is_new, bool adopt, struct fault *f)
{
    struct known k = { 0 };
    enum err err = stages_edges(s, spec, row, f);

    if (!err)
        err = known_find(s, spec, row, is_new, adopt, &k, f);
    if (!err && k.n_skipped == row->n)
        err = fault_set(f, ERR_USAGE, "0 points: --where '%s' leaves out all %llu",
                        study_where(spec), (unsigned long long)row->n);
    uint64_t new_failed = 0, new_ended = 0;
    if (!err && was)
        err = store_halt_counts(s->store, row, &new_failed, &new_ended, f);
    if (err) {
        known_fini(&k);
        return err;
    }
    uint32_t *order;
    err = order_points(s, spec, row, &k, &order, f);
    if (err) {
        known_fini(&k);
        return err;
    }
    core_step(s->core, s->now,
              &(struct event){ .kind = was ? EV_ARRAY : EV_SUBMIT,
                               .order = order,
                               .from = from,
                               .request = request,
                               .array = row,
                               .states = k.states,
                               .adopts = k.adopts,
                               .n_adopts = k.n_adopts,
                               .is_new = is_new,
                               .active = !was || was->active,
                               .halted = was && was->halted,
                               .new_failed = new_failed,
                               .new_ended = new_ended,
                               .template_changed = k.template_changed,
                               .durations_us = k.durations_us,
                               .n_durations = k.n_durations },
              &s->out);
    free(order);
    known_fini(&k);
    if (!is_new)
        err = store_troubles(s->store, row, on_trouble, &(struct trouble_ctx){ s }, f);
    return err;
}

/* After the array is in the core: what the client asked for beside running what is left. */
static void entered(struct scheduler *s, const struct message *m, const struct array_row *row,
                    bool is_new, struct study *spec)
{
    if (is_new) {
        s->next.array++;
        s->next.task += row->n;
        if (row->study.n == s->next.study)
            s->next.study++;
    }
    loaded_set(s, row->study, row->id, study_name(spec));
    send_forget_spec(s, row->id);
    if (m->submit.retry_failed)
        core_step(s->core, s->now,
                  &(struct event){ .kind = EV_RETRY, .study = row->study, .failed = true },
                  &s->out);
    malloc_trim(0); /* looking up a million points took memory that nothing needs any more */
    log_info("event=submit study=%s array=%u n=%llu new=%d", study_name(spec), row->id.n,
             (unsigned long long)row->n, is_new);
    view_due(s, row->study, spec);
}

enum err submit_spec(struct scheduler *s, peer_id from, const struct message *m, struct fault *f)
{
    struct study *spec;
    struct array_row row;
    bool is_new, is_current;
    enum err err = study_from_json(m->submit.spec, m->submit.spec_bytes, &spec, f);

    if (err)
        return err;
    err = find_row(s, spec, m->submit.fresh, &is_new, &is_current, &row, f);
    if (!err) {
        row.name = study_name(spec);
        row.spec = m->submit.spec;
        row.spec_bytes = m->submit.spec_bytes;
        struct buf *name = loop_text(s); /* spec is freed before the commit */
        buf_adds(name, row.name);
        row.name = name->data;
        /* What is current has adopted already; looking again would undo a retry. */
        err = enter(s, from, m->submit.request, NULL, spec, &row, is_new,
                    !m->submit.fresh && !is_current, f);
    }
    if (err) {
        study_free(spec);
        return err;
    }
    entered(s, m, &row, is_new, spec);
    return ERR_NONE;
}

static enum err read_current(struct scheduler *s, const char *name, struct study_row *study,
                             struct array_row *row, struct study **spec, struct fault *f)
{
    bool found;
    enum err err = store_find_study(s->store, name, &found, study, f);

    if (err)
        return err;
    if (!found)
        return fault_set(f, ERR_NOT_FOUND,
                         "there is no study '%s' in %s; `grange status` lists them", name,
                         s->opt->dir);
    err = store_array(s->store, study->current, &found, row, loop_text(s), f);
    if (err)
        return err;
    if (!found)
        return fault_set(f, ERR_DAMAGED, "study '%s' has no array in the store", name);
    *spec = NULL;
    return row->kind == ARRAY_CALLS ? ERR_NONE
                                    : study_from_json(row->spec, row->spec_bytes, spec, f);
}

/* Who lost the connection: the study goes on as the store has it, on hold or not. */
static enum err renew(struct scheduler *s, peer_id from, const struct message *m,
                      const struct array_row *row, struct fault *f)
{
    study_id id;
    enum err err = submit_load(s, m->submit.study, &id, f);

    if (!err)
        core_step(s->core, s->now,
                  &(struct event){ .kind = EV_SUBMIT,
                                   .from = from,
                                   .request = m->submit.request,
                                   .again = true,
                                   .array = row },
                  &s->out);
    return err;
}

enum err submit_resume(struct scheduler *s, peer_id from, const struct message *m, struct fault *f)
{
    struct study *spec;
    struct study_row study;
    struct array_row row;
    enum err err = read_current(s, m->submit.study, &study, &row, &spec, f);

    if (err)
        return err;
    if (!spec)
        return fault_set(f, ERR_USAGE,
                         "study '%s' is one of calls: the programs that made them open them again "
                         "by their keys; after a hold, grange release goes on with it",
                         m->submit.study);
    row.submitted_ms = clock_wall_ms();
    err = m->submit.again ? renew(s, from, m, &row, f)
                          : enter(s, from, m->submit.request, NULL, spec, &row, false, false, f);
    if (err || m->submit.again) {
        study_free(spec);
        return err;
    }
    entered(s, m, &row, false, spec);
    return ERR_NONE;
}

enum err submit_load(struct scheduler *s, const char *name, study_id *id, struct fault *f)
{
    struct study *spec;
    struct study_row study;
    struct array_row row;
    const struct loaded *l = loaded_name(s, name);

    if (l) {
        *id = l->id;
        return ERR_NONE;
    }
    enum err err = read_current(s, name, &study, &row, &spec, f);
    if (err)
        return err;
    if (spec) /* its current array is one of points */
        err = enter(s, (peer_id){ 0 }, 0, &study, spec, &row, false, false, f);
    if (!err) {
        loaded_set(s, row.study, row.id, name);
        *id = row.study;
        err = calls_load(s, row.study, &study, f);
    }
    study_free(spec);
    return err;
}
