#include "cli/keys.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/utf8.h"

/* ---- keys ---- */

static enum err add_key(void *ctx, const struct array_row *row, struct fault *f)
{
    struct keys *k = ctx;

    (void)f;
    if ((k->n & (k->n - 1)) == 0) {
        k->items = realloc(k->items, (k->n ? 2 * k->n : 1) * sizeof *k->items);
        must(k->items != NULL);
    }
    struct key *key = &k->items[k->n++];
    *key = (struct key){ .id = row->id,
                         .first = row->first,
                         .n = row->n,
                         .at = k->n_calls,
                         .key = strdup(row->key_text),
                         .spec = malloc(row->spec_bytes + 1),
                         .spec_bytes = row->spec_bytes };
    must(key->key && key->spec);
    memcpy(key->spec, row->spec, row->spec_bytes);
    k->n_calls += row->n;
    return ERR_NONE;
}

enum err keys_read(struct look *l, struct keys *k, struct fault *f)
{
    *k = (struct keys){ 0 };
    return reader_calls(l->reader, &l->row, NULL, add_key, k, f);
}

void keys_fini(struct keys *k)
{
    for (size_t i = 0; i < k->n; i++) {
        free(k->items[i].key);
        free(k->items[i].spec);
    }
    free(k->items);
    *k = (struct keys){ 0 };
}

/* Ids of arrays and of their tasks grow together. */
const struct key *keys_of(const struct keys *k, task_id task)
{
    size_t low = 0, high = k->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (k->items[middle].first.n <= task.n)
            low = middle + 1;
        else
            high = middle;
    }
    const struct key *key = low ? &k->items[low - 1] : NULL;
    return key && task.n - key->first.n < key->n ? key : NULL;
}

/* ---- names ---- */

void keys_name(const struct keys *k, const struct key *key, uint64_t index, struct buf *out)
{
    if (k->n > 1)
        buf_addf(out, "%s:", key->key);
    buf_addf(out, "%" PRIu64, index);
}

static const struct key *key_named(const struct keys *k, const char *name, size_t n)
{
    for (size_t i = 0; i < k->n; i++)
        if (strlen(k->items[i].key) == n && memcmp(k->items[i].key, name, n) == 0)
            return &k->items[i];
    return NULL;
}

enum err keys_find(const struct keys *k, const char *study, const char *text,
                   const struct key **key, uint64_t *index, struct fault *f)
{
    const char *colon = strrchr(text, ':'), *number = colon ? colon + 1 : text;
    char *end = NULL;

    *index = strtoull(number, &end, 10);
    if (number[0] < '0' || number[0] > '9' || *end)
        return fault_set(f, ERR_USAGE, "'%.100s' is no call of %s; one is KEY:INDEX, like %.100s:0",
                         text, study, k->n ? k->items[0].key : "fit");
    if (!colon && k->n > 1)
        return fault_set(f, ERR_USAGE, "%s has calls under %zu keys; which one? like %.100s:%s",
                         study, k->n, k->items[0].key, number);
    *key = colon ? key_named(k, text, (size_t)(colon - text)) : k->n ? &k->items[0] : NULL;
    if (!*key)
        return fault_set(f, ERR_NOT_FOUND, "%s has no calls under the key of '%.100s'%s%.100s",
                         study, text, k->n ? "; it has the key " : "", k->n ? k->items[0].key : "");
    if (*index >= (*key)->n)
        return fault_set(f, ERR_NOT_FOUND, "%s has %" PRIu64 " calls so far, from 0 on: none is %s",
                         (*key)->key, (*key)->n, text);
    return ERR_NONE;
}

/* ---- what they do ---- */

enum err keys_what(struct look *l, const struct key *key, const struct calls_spec *spec,
                   uint64_t index, size_t max, struct buf *out, struct fault *f)
{
    struct buf payload = { 0 };
    uint64_t bytes = 0;

    if (spec->function) {
        buf_adds(out, spec->function);
        return ERR_NONE;
    }
    enum err err = reader_payload(l->reader, key->id, index, &payload, &bytes, f);
    size_t start = out->n;
    if (!err)
        utf8_first_line(buf_text(&payload), payload.n, max, out);
    if (!err && out->n - start < payload.n && out->n - start + 4 >= max)
        buf_adds(out, "...");
    buf_fini(&payload);
    return err;
}

void rule_words(uint8_t rule, bool element, struct buf *out)
{
    size_t start = out->n;

    buf_adds(out, element ? "each" : rule & RULE_ANY ? "any" : "");
    if (rule & RULE_ON_FAILURE)
        buf_addf(out, "%s%s", out->n > start ? " " : "",
                 rule & RULE_NOT_SUCCESS ? "failure" : "either");
    if (rule & RULE_FOLLOW)
        buf_addf(out, "%ssame worker", out->n > start ? ", " : "");
}
