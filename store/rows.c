/* rows - from columns to the structs of base/rows.h and back. */
#include "store/impl.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/needs.h"
#include "base/zip.h"

static const char *text_or_empty(sqlite3_stmt *s, int i)
{
    const char *text = (const char *)sqlite3_column_text(s, i);

    return text ? text : "";
}

static uint64_t number(sqlite3_stmt *s, int i)
{
    return (uint64_t)sqlite3_column_int64(s, i);
}

void end_read(sqlite3_stmt *s, int at, struct end_row *row, struct end_body *body)
{
    const char *metrics = text_or_empty(s, at + 14);

    *row = (struct end_row){
        .task = { number(s, at) },
        .state = (enum task_state)number(s, at + 1),
        .lease = { number(s, at + 2) },
        .worker = { (uint32_t)number(s, at + 3) },
        .reason = (enum end_reason)number(s, at + 4),
        .code = sqlite3_column_int(s, at + 5),
        .attempts = (uint32_t)number(s, at + 6),
        .counted = true,
        .started_ms = sqlite3_column_int64(s, at + 7),
        .ended_ms = sqlite3_column_int64(s, at + 8),
        .wall_us = number(s, at + 9),
        .user_us = number(s, at + 10),
        .sys_us = number(s, at + 11),
        .maxrss_kib = number(s, at + 12),
        .body = body,
    };
    *body = (struct end_body){
        .values = text_or_empty(s, at + 13),
        .metrics = *metrics ? metrics : "{}",
        .error_line = text_or_empty(s, at + 15),
        .dir = text_or_empty(s, at + 16),
        .out_total = number(s, at + 17),
        .err_total = number(s, at + 18),
        .metrics_missing = (uint32_t)number(s, at + 19),
        .out_file = "",
        .err_file = "",
    };
}

/* The numbers of a policy by name, so that writing and reading cannot differ. */
#define POLICY_NUMBERS(X)                                                                          \
    X(retries)                                                                                     \
    X(timeout_percent)                                                                             \
    X(timeout_ms)                                                                                  \
    X(grace_ms)                                                                                    \
    X(needs.cores)                                                                                 \
    X(needs.memory_mib)                                                                            \
    X(needs.least_ms)                                                                              \
    X(halt_when)                                                                                   \
    X(halt_fails)                                                                                  \
    X(halt_percent)                                                                                \
    X(order_seed)                                                                                  \
    X(backoff_min_ms)                                                                              \
    X(backoff_max_ms) X(priority) X(weight) X(running_max) X(speculate)

/* needs.cores is "cores" in the store. */
static const char *last_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

static void needs_write(const struct needs *n, json_t *o)
{
    json_t *resources = json_object(), *labels = json_array();

    must(resources && labels);
    for (uint32_t i = 0; i < n->n_resources; i++)
        json_object_set_new(resources, n->resources[i].name, json_integer(n->resources[i].amount));
    for (uint32_t i = 0; i < n->n_labels; i++)
        json_array_append_new(labels, json_string(n->labels[i]));
    if (n->n_resources)
        json_object_set(o, "resources", resources);
    if (n->n_labels)
        json_object_set(o, "labels", labels);
    json_decref(resources);
    json_decref(labels);
}

/* False: what is there was not written by needs_write. */
static bool needs_read(json_t *o, struct needs *n)
{
    const char *name;
    json_t *value;
    size_t i;

    json_object_foreach(json_object_get(o, "resources"), name, value)
    {
        if (!needs_add_resource(n, name, (uint32_t)json_integer_value(value)))
            return false;
    }
    json_array_foreach(json_object_get(o, "labels"), i, value)
    {
        const char *text = json_string_value(value);
        if (!text || !needs_add_label(n, text))
            return false;
    }
    return true;
}

void resources_write(const struct worker_row *w, struct buf *out)
{
    if (!w->n_resources)
        return;
    json_t *o = json_object();
    must(o);
    for (uint32_t i = 0; i < w->n_resources; i++)
        json_object_set_new(o, w->resources[i].name, json_integer(w->resources[i].amount));
    char *text = json_dumps(o, JSON_COMPACT);
    must(text);
    buf_adds(out, text);
    free(text);
    json_decref(o);
}

void resources_read(const char *json, struct worker_row *w)
{
    json_t *o = json ? json_loads(json, 0, NULL) : NULL, *value;
    const char *name;

    json_object_foreach(o, name, value)
        worker_add_resource(w, name, (uint32_t)json_integer_value(value));
    json_decref(o);
}

void policy_write(const struct policy *p, struct buf *out)
{
    json_t *o = json_object(), *exits = json_object();

    must(o && exits);
#define X(name)                                                                                    \
    if (p->name)                                                                                   \
        json_object_set_new(o, last_name(#name), json_integer((json_int_t)p->name));
    POLICY_NUMBERS(X)
#undef X
    for (int i = 0; i < 256; i++) {
        char status[8];
        snprintf(status, sizeof status, "%d", i);
        if (p->exit_action[i])
            json_object_set_new(exits, status, json_integer(p->exit_action[i]));
    }
    needs_write(&p->needs, o);
    json_object_set_new(o, "exit_action", exits);
    char *text = json_dumps(o, JSON_COMPACT);
    must(text);
    buf_adds(out, text);
    free(text);
    json_decref(o);
}

bool policy_read(const char *json, struct policy *p)
{
    json_t *o = json_loads(json ? json : "", 0, NULL);
    const char *status;
    json_t *action;

    *p = (struct policy){ 0 };
    if (!json_is_object(o)) {
        json_decref(o);
        return false;
    }
#define X(name)                                                                                    \
    p->name = (__typeof__(p->name))json_integer_value(json_object_get(o, last_name(#name)));
    POLICY_NUMBERS(X)
#undef X
    json_object_foreach(json_object_get(o, "exit_action"), status, action)
    {
        long i = strtol(status, NULL, 10);
        json_int_t a = json_integer_value(action);
        if (i >= 0 && i < 256 && a >= 0 && a < N_EXIT_ACTIONS)
            p->exit_action[i] = (uint8_t)a;
    }
    bool good = needs_read(o, &p->needs);
    json_decref(o);
    return good && p->halt_when <= HALT_NOW;
}

enum err array_read(struct query *q, struct array_row *row, struct buf *text, struct fault *f)
{
    sqlite3_stmt *s = q->stmt;
    bool whole = sqlite3_column_bytes(s, 4) == (int)sizeof row->key;

    *row = (struct array_row){
        .id = { (uint32_t)number(s, 0) },
        .study = { (uint32_t)number(s, 1) },
        .first = { number(s, 2) },
        .n = number(s, 3),
        .submitted_ms = sqlite3_column_int64(s, 5),
        .kind = sqlite3_column_int(s, 10) ? ARRAY_CALLS : ARRAY_POINTS,
        .closed = sqlite3_column_int(s, 11) != 0,
    };
    if (whole)
        memcpy(row->key, sqlite3_column_blob(s, 4), sizeof row->key);
    if (!whole || !policy_read(text_or_empty(s, 6), &row->policy) ||
        (!row->n && row->kind == ARRAY_POINTS) || row->n > POINTS_MAX)
        return db_damaged(q->db, "a row of array makes no sense", f);
    buf_clear(text);
    buf_adds(text, text_or_empty(s, 7));
    buf_addc(text, '\0');
    size_t spec = text->n;
    const void *data = sqlite3_column_blob(s, 9);
    size_t n = (size_t)sqlite3_column_bytes(s, 9);
    if (!sqlite3_column_int(s, 8))
        buf_add(text, data, n);
    else if (!zip_unpack(data, n, SPEC_BYTES_MAX, text))
        return db_damaged(q->db, "the spec of an array cannot be unpacked", f);
    row->name = text->data;
    row->key_text = ""; /* who wants it asks for it: store_calls */
    row->spec = text->data + spec;
    row->spec_bytes = text->n - spec;
    return ERR_NONE;
}
