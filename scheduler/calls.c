/* calls - arrays of calls: opened by their keys, appended to, loaded, forgotten. */
#include "scheduler/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "study/calls.h"

enum { ENDED_KEPT = 1000 }; /* arrays that have ended and are not forgotten at once */

/* --- the table --- */

/* limit - tests make it smaller, so that little does what takes much otherwise. */
static size_t limit(const char *name, size_t usual)
{
    const char *text = getenv(name);
    size_t n = text ? strtoull(text, NULL, 10) : 0;

    return n && n < usual ? n : usual;
}

struct calls_table *calls_table_new(void)
{
    struct calls_table *t = calloc(1, sizeof *t);

    must(t != NULL);
    t->chunk_bytes_max = limit("GRANGE_CHUNK_CACHE_BYTES", CHUNK_CACHE_BYTES);
    t->behind_bytes = limit("GRANGE_COLLECT_BEHIND_BYTES", COLLECT_BEHIND_BYTES);
    return t;
}

static void remove_sorted(struct calls_table *t, const struct calls *c)
{
    size_t i = 0;

    while (t->sorted[i] != c)
        i++;
    memmove(t->sorted + i, t->sorted + i + 1, (t->n - i - 1) * sizeof *t->sorted);
    t->n--;
}

static void calls_forget(struct scheduler *s, struct calls *c)
{
    struct calls_table *t = s->calls;

    collect_free(s, c);
    HASH_DELETE(hh, t->by_id, c);
    if (!c->points)
        HASH_DELETE(hh_key, t->by_key, c);
    remove_sorted(t, c);
    if (t->last == c)
        t->last = NULL;
    for (size_t i = 0; i < c->n_chunks; i++)
        chunk_free(s, c->chunks[i]);
    told_fini(c);
    free(c->chunks);
    free(c->key);
    free(c);
}

void calls_table_free(struct scheduler *s)
{
    struct calls_table *t = s->calls;
    struct worker_entry *w, *next;

    if (!t)
        return;
    while (t->n)
        calls_forget(s, t->sorted[t->n - 1]);
    HASH_ITER(hh, t->workers, w, next)
    {
        HASH_DELETE(hh, t->workers, w);
        free(w);
    }
    buf_fini(&t->touched);
    free(t->sorted);
    free(t);
    s->calls = NULL;
}

static void insert_sorted(struct calls_table *t, struct calls *c)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 16;
        t->sorted = realloc(t->sorted, t->cap * sizeof(struct calls *));
        must(t->sorted != NULL);
    }
    size_t i = t->n++;
    for (; i > 0 && t->sorted[i - 1]->first.n > c->first.n; i--)
        t->sorted[i] = t->sorted[i - 1];
    t->sorted[i] = c;
}

static struct calls *add(struct scheduler *s, const struct array_row *row, const char *key)
{
    struct calls *c = calloc(1, sizeof *c);

    must(c != NULL);
    *c = (struct calls){ .id = row->id,
                         .study = row->study,
                         .first = row->first,
                         .span = POINTS_MAX,
                         .key = strdup(key) };
    must(c->key != NULL);
    HASH_ADD(hh, s->calls->by_id, id, sizeof c->id, c);
    insert_sorted(s->calls, c);
    return c;
}

struct calls *calls_add(struct scheduler *s, const struct array_row *row, uint64_t first_end)
{
    struct calls *c = add(s, row, row->key_text);

    c->first_end = first_end;
    HASH_ADD_KEYPTR(hh_key, s->calls->by_key, c->key, strlen(c->key), c);
    return c;
}

enum err calls_points(struct scheduler *s, array_id id, struct calls **c, struct fault *f)
{
    struct array_row row;
    bool there;

    HASH_FIND(hh, s->calls->by_id, &id, sizeof id, *c);
    if (*c)
        return ERR_NONE;
    enum err err = store_array(s->store, id, &there, &row, loop_text(s), f);
    if (err || !there || row.kind != ARRAY_POINTS)
        return err;
    *c = add(s, &row, "");
    (*c)->span = row.n;
    (*c)->points = true;
    (*c)->submitted_ms = row.submitted_ms;
    return ERR_NONE;
}

struct calls *calls_by_id(struct scheduler *s, array_id id)
{
    struct calls *c;

    HASH_FIND(hh, s->calls->by_id, &id, sizeof id, c);
    return c && !c->points ? c : NULL;
}

struct calls *calls_by_key(struct scheduler *s, const char *key)
{
    struct calls *c;

    HASH_FIND(hh_key, s->calls->by_key, key, strlen(key), c);
    return c;
}

static bool owns(const struct calls *c, task_id task)
{
    return task.n >= c->first.n && task.n - c->first.n < c->span;
}

struct calls *calls_by_task(struct scheduler *s, task_id task)
{
    struct calls_table *t = s->calls;
    size_t low = 0, high = t->n;

    if (t->last && owns(t->last, task))
        return t->last;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->sorted[middle]->first.n <= task.n)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low || !owns(t->sorted[low - 1], task))
        return NULL;
    return t->last = t->sorted[low - 1];
}

/* --- opening --- */

void calls_send_opened(struct scheduler *s, peer_id to, uint64_t request, array_id id)
{
    const struct calls *c = calls_by_id(s, id);
    struct core_array a;
    const struct loaded *l = c ? loaded_find(s, c->study) : NULL;

    if (!c || !core_array(s->core, id, &a))
        return;
    send_message(s, to,
                 &(struct message){ .kind = MSG_OPENED,
                                    .opened = { .request = request,
                                                .study = l ? l->name : "",
                                                .id = c->study,
                                                .array = id,
                                                .first = c->first,
                                                .n = a.n,
                                                .closed = a.closed } });
}

void calls_send_appended(struct scheduler *s, const struct send *d)
{
    struct core_array a;

    if (core_array(s->core, d->array, &a))
        send_message(s, d->to,
                     &(struct message){ .kind = MSG_APPENDED,
                                        .appended = { .request = d->request,
                                                      .array = d->array,
                                                      .n = d->n,
                                                      .closed = a.closed } });
}

/* The study that a new array belongs to: the one of this name, or a new one. */
static enum err study_for(struct scheduler *s, const char *name, study_id *id, struct fault *f)
{
    struct study_row study;
    bool found;
    enum err err = store_find_study(s->store, name, &found, &study, f);

    if (err)
        return err;
    if (!found) {
        *id = (study_id){ s->next.study++ };
        return ERR_NONE;
    }
    return submit_load(s, name, id, f);
}

static enum err make(struct scheduler *s, peer_id from, const struct message *m, struct fault *f)
{
    struct calls_spec spec;
    struct buf *name = loop_text(s), *key = loop_text(s);
    struct array_row row = { .kind = ARRAY_CALLS, .submitted_ms = clock_wall_ms() };
    enum err err = calls_spec_read(m->open.spec, m->open.spec_bytes, &spec, f);

    if (err)
        return err;
    err = calls_spec_check(m->open.spec, m->open.spec_bytes, f);
    buf_adds(name, *m->open.study ? m->open.study : m->open.key);
    buf_adds(key, m->open.key);
    if (!err && name->n > NAME_BYTES_MAX)
        err = fault_set(f, ERR_LIMIT,
                        "a key of %zu bytes cannot name a study; give the array a study of at most "
                        "%d bytes",
                        name->n, NAME_BYTES_MAX);
    if (!err)
        err = calls_after(s, &spec, &row, f);
    if (!err)
        err = study_for(s, name->data, &row.study, f);
    row.policy = spec.policy;
    calls_spec_fini(&spec);
    if (err)
        return err;
    row.id = (array_id){ s->next.array++ };
    row.first = (task_id){ s->next.task };
    s->next.task += POINTS_MAX;
    row.key[0] = hash64(key->data, key->n, 0);
    row.key[1] = hash64(key->data, key->n, 1);
    row.key_text = key->data;
    row.name = name->data;
    row.spec = m->open.spec;
    row.spec_bytes = m->open.spec_bytes;
    calls_add(s, &row, store_end_n(s->store));
    loaded_set(s, row.study, row.id, row.name);
    core_step(s->core, s->now,
              &(struct event){ .kind = EV_SUBMIT,
                               .from = from,
                               .request = m->open.request,
                               .array = &row,
                               .is_new = true },
              &s->out);
    log_info("event=open study=%s array=%u key=%s", row.name, row.id.n, row.key_text);
    return ERR_NONE;
}

enum err calls_in_core(struct scheduler *s, const struct calls *c, struct fault *f)
{
    struct array_row row;
    bool found;
    study_id id;

    if (core_array_loaded(s->core, c->id))
        return ERR_NONE;
    enum err err = store_array(s->store, c->id, &found, &row, loop_text(s), f);
    if (!err && !found)
        return fault_set(f, ERR_DAMAGED, "array %u has no row in the store", c->id.n);
    if (!err)
        err = submit_load(s, row.name, &id, f);
    if (!err && !core_array_loaded(s->core, c->id))
        err = calls_load(s, c->study, NULL, f);
    return err;
}

static enum err on_open(struct scheduler *s, peer_id from, const struct message *m, struct fault *f)
{
    struct calls *c;
    enum err err = calls_find(s, m->open.key, (array_id){ 0 }, &c, f);

    if (err)
        return err;
    if (!c && !m->open.spec_bytes)
        return fault_set(f, ERR_NOT_FOUND, "there is no array of calls with the key '%s'",
                         m->open.key);
    if (!c)
        return make(s, from, m, f);
    err = calls_in_core(s, c, f);
    if (err)
        return err;
    if (m->open.spec_bytes) { /* who may append to it wants it to run, also after a start on hold */
        struct core_array a;
        must(core_array(s->core, c->id, &a));
        core_step(s->core, s->now,
                  &(struct event){ .kind = EV_SUBMIT,
                                   .from = from,
                                   .request = m->open.request,
                                   .again = m->open.again,
                                   .array = &(struct array_row){ .id = c->id,
                                                                 .study = c->study,
                                                                 .kind = ARRAY_CALLS,
                                                                 .first = c->first } },
                  &s->out);
    } else {
        calls_send_opened(s, from, m->open.request, c->id);
    }
    return ERR_NONE;
}

/* --- appending --- */

/* due - what CHG_APPEND points at until the commit; in a buf of the turn. */
struct due {
    struct chunk_row row;
};

static struct due *due_new(struct scheduler *s, const struct calls *c, const struct chunk *k,
                           const struct message *m)
{
    struct buf *kept = loop_text(s), *blobs = loop_text(s);
    struct due due = { .row = { .n = k->n,
                                .array = c->id,
                                .at = k->at,
                                .n_calls = k->n_calls,
                                .appended_ms = k->appended_ms,
                                .graph = m->append.rules || m->append.n_edges,
                                .data = k->data,
                                .bytes = k->bytes } };

    for (size_t i = 0; i < m->append.n_blobs; i++) {
        const struct blob_ref *r = &m->append.blobs[i];
        struct blob_row row = { .id = r->blob,
                                .task = { c->first.n + k->at + r->call },
                                .bytes = r->bytes };
        buf_add(blobs, &row, sizeof row);
    }
    due.row.blobs = (const struct blob_row *)(const void *)blobs->data;
    due.row.n_blobs = m->append.n_blobs;
    buf_add(kept, &due, sizeof due);
    return (struct due *)(void *)kept->data;
}

/* taken - whether the core made a change of it, among those from `from` on. */
static bool taken(const struct scheduler *s, size_t from, const struct due *due)
{
    for (size_t i = from; i < s->out.n_changes; i++)
        if (s->out.changes[i].kind == CHG_APPEND && s->out.changes[i].append.chunk == due)
            return true;
    return false;
}

static enum err blobs_are_there(const struct scheduler *s, const struct message *m, struct fault *f)
{
    for (size_t i = 0; i < m->append.n_blobs; i++) {
        const struct blob_ref *r = &m->append.blobs[i];
        if (!blob_is_there(s, r->blob, r->bytes))
            return fault_set(f, ERR_STATE,
                             "the payload of call %llu is not here: send blob %016llx, %llu bytes, "
                             "before its append",
                             (unsigned long long)(m->append.at + r->call),
                             (unsigned long long)r->blob, (unsigned long long)r->bytes);
    }
    return ERR_NONE;
}

/* Edges to earlier tasks cannot make a circle, so as a rule nothing is searched. */
static enum err no_cycle(const struct calls *c, const struct message *m, struct fault *f)
{
    uint64_t at = c->first.n + m->append.at;
    bool forward = false;
    char text[FAULT_TEXT_MAX - 64];

    for (size_t i = 0; i < m->append.n_edges && !forward; i++)
        forward = m->append.edges[i].on.n >= at + m->append.edges[i].call;
    if (forward && graph_check_cycle(m->append.at, m->append.n, c->first, m->append.edges,
                                     m->append.n_edges, text, sizeof text))
        return fault_set(f, ERR_USAGE, "these calls wait for each other: %s", text);
    return ERR_NONE;
}

static enum err on_append(struct scheduler *s, peer_id from, const struct message *m,
                          struct fault *f)
{
    struct calls *c;
    enum err err = calls_find(s, "", m->append.array, &c, f);

    if (!err && !c)
        err = fault_set(f, ERR_NOT_FOUND, "there is no array of calls %u; open it by its key",
                        m->append.array.n);
    if (!err)
        err = calls_in_core(s, c, f);
    if (!err)
        err = blobs_are_there(s, m, f);
    if (!err)
        err = no_cycle(c, m, f);
    if (err)
        return err;
    struct chunk *k = m->append.n ? chunk_new(s, c, m) : NULL;
    struct due *due = k ? due_new(s, c, k, m) : NULL;
    size_t n_changes = s->out.n_changes;
    core_step(s->core, s->now,
              &(struct event){ .kind = EV_APPEND,
                               .from = from,
                               .request = m->append.request,
                               .study = c->study,
                               .array_id = c->id,
                               .at = m->append.at,
                               .n = m->append.n,
                               .rules = m->append.rules,
                               .edges = m->append.edges,
                               .n_edges = m->append.n_edges,
                               .chunk = due,
                               .close = m->append.close },
              &s->out);
    if (k && taken(s, n_changes, due)) {
        s->next.chunk++;
        chunk_add(s, c, k);
    } else if (k) {
        chunk_free(s, k);
    }
    return ERR_NONE;
}

bool calls_request(struct scheduler *s, peer_id from, const struct message *m)
{
    struct fault f;

    if (m->kind == MSG_APPEND) {
        if (on_append(s, from, m, &f))
            request_refuse(s, from, m->append.request, f.code, f.text);
        return true;
    }
    if (m->kind == MSG_OPEN) {
        if (loop_flush(s) && on_open(s, from, m, &f))
            request_refuse(s, from, m->open.request, f.code, f.text);
        return true;
    }
    return false;
}

/* --- forgetting --- */

void calls_tidy(struct scheduler *s)
{
    struct calls_table *t = s->calls;
    size_t n_ended = 0;

    if (t->n <= ENDED_KEPT)
        return;
    for (size_t i = t->n; i-- > 0;) { /* the youngest are kept */
        struct calls *c = t->sorted[i];
        struct core_array a;
        if (c->points) {
            if (!c->collectors)
                calls_forget(s, c);
            continue;
        }
        if (core_array(s->core, c->id, &a)) {
            if (!a.ended || ++n_ended <= ENDED_KEPT)
                continue;
            core_step(s->core, s->now, &(struct event){ .kind = EV_UNLOAD, .array_id = c->id },
                      &s->out);
            struct core_study st;
            if (!core_study(s->core, c->study, &st))
                loaded_forget(s, c->study);
        } else if (++n_ended <= ENDED_KEPT) {
            continue;
        }
        if (!c->collectors && !core_array_loaded(s->core, c->id))
            calls_forget(s, c);
    }
}
