/* chunk - payloads of calls, in memory or in the store. */
#include "scheduler/calls.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static void put(char *to, const void *from, size_t n)
{
    if (n)
        memcpy(to, from, n);
}

static void remember(struct scheduler *s, struct chunk *k)
{
    DL_APPEND(s->calls->recent, k);
    s->calls->chunk_bytes += k->bytes;
}

static void forget(struct scheduler *s, struct chunk *k)
{
    DL_DELETE(s->calls->recent, k);
    s->calls->chunk_bytes -= k->bytes;
    free(k->data);
    k->data = NULL;
    k->summed = false;
}

struct chunk *chunk_new(struct scheduler *s, struct calls *c, const struct message *m)
{
    struct chunk_head h = { .n = (uint32_t)m->append.n,
                            .n_edges = (uint32_t)m->append.n_edges,
                            .n_blobs = (uint32_t)m->append.n_blobs,
                            .has_rules = m->append.rules != NULL };
    struct chunk_layout l = chunk_layout_of(&h);
    struct chunk *k = calloc(1, sizeof *k);

    (void)c;
    must(k != NULL);
    *k = (struct chunk){ .n = s->next.chunk,
                         .at = m->append.at,
                         .n_calls = h.n,
                         .n_left = h.n,
                         .appended_ms = s->now,
                         .bytes = l.payloads + m->append.payloads_bytes };
    k->data = malloc(k->bytes + 1);
    must(k->data != NULL);
    memset(k->data, 0, l.edges); /* the padding too: what is stored is the same each time */
    put(k->data, &h, sizeof h);
    put(k->data + l.sizes, m->append.sizes, (size_t)h.n * 4);
    put(k->data + l.edges, m->append.edges, h.n_edges * sizeof(struct edge));
    put(k->data + l.blobs, m->append.blobs, h.n_blobs * sizeof(struct blob_ref));
    put(k->data + l.rules, m->append.rules, h.has_rules ? h.n : 0);
    put(k->data + l.payloads, m->append.payloads, m->append.payloads_bytes);
    remember(s, k);
    return k;
}

struct chunk *chunk_stored(struct calls *c, const struct chunk_row *row)
{
    struct chunk *k = calloc(1, sizeof *k);

    (void)c;
    must(k != NULL);
    *k = (struct chunk){ .n = row->n,
                         .at = row->at,
                         .n_calls = (uint32_t)row->n_calls,
                         .n_left = (uint32_t)row->n_calls,
                         .appended_ms = row->appended_ms };
    return k;
}

void chunk_free(struct scheduler *s, struct chunk *k)
{
    if (k->data)
        forget(s, k);
    free(k);
}

void chunk_add(struct scheduler *s, struct calls *c, struct chunk *k)
{
    (void)s;
    if (c->n_chunks == c->cap_chunks) {
        c->cap_chunks = c->cap_chunks ? 2 * c->cap_chunks : 4;
        c->chunks = realloc(c->chunks, c->cap_chunks * sizeof(struct chunk *));
        must(c->chunks != NULL);
    }
    c->chunks[c->n_chunks++] = k;
}

static bool has(const struct chunk *k, uint64_t index)
{
    return index >= k->at && index - k->at < k->n_calls;
}

struct chunk *chunk_of(struct calls *c, uint64_t index)
{
    size_t low = 0, high = c->n_chunks;

    for (size_t i = c->hint; i < c->n_chunks && i < c->hint + 2; i++)
        if (has(c->chunks[i], index)) {
            c->hint = i;
            return c->chunks[i];
        }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->chunks[middle]->at + c->chunks[middle]->n_calls <= index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == c->n_chunks || !has(c->chunks[low], index))
        return NULL;
    c->hint = low;
    return c->chunks[low];
}

void chunk_ended(struct scheduler *s, struct chunk *k)
{
    if (k->n_left && --k->n_left == 0 && k->data)
        forget(s, k);
}

void chunk_trim(struct scheduler *s)
{
    while (s->calls->chunk_bytes > s->calls->chunk_bytes_max &&
           s->calls->recent->prev != s->calls->recent)
        forget(s, s->calls->recent->prev); /* the last: what was appended last is needed last */
}

/* sum - sizes become ends, in place. */
static bool sum(struct chunk *k)
{
    struct chunk_head h;
    struct chunk_layout l;

    if (!chunk_sound(k->data, k->bytes, &h, &l) || h.n != k->n_calls)
        return false;
    uint32_t *sizes = (uint32_t *)(void *)(k->data + l.sizes);
    uint64_t end = 0;
    for (uint32_t i = 0; i < h.n; i++) {
        end += sizes[i];
        sizes[i] = (uint32_t)end;
    }
    k->summed = true;
    return l.payloads + end == k->bytes;
}

static enum err bring(struct scheduler *s, struct chunk *k, struct fault *f)
{
    struct buf data = { 0 };
    enum err err = ERR_NONE;

    if (!k->data) {
        err = store_chunk_data(s->store, k->n, &data, f);
        if (err) {
            buf_fini(&data);
            return err;
        }
        k->data = data.data;
        k->bytes = data.n;
        remember(s, k);
    }
    if (k != s->calls->recent) {
        DL_DELETE(s->calls->recent, k);
        DL_PREPEND(s->calls->recent, k);
    }
    if (!k->summed && !sum(k))
        err = fault_set(f, ERR_DAMAGED, "chunk %llu of the store makes no sense",
                        (unsigned long long)k->n);
    return err;
}

enum err chunk_payload(struct scheduler *s, struct calls *c, uint64_t index, const void **data,
                       uint32_t *bytes, struct blob_ref *blob, struct fault *f)
{
    struct chunk *k = chunk_of(c, index);

    must(k != NULL); /* a call that is given out was appended, or loaded from its chunk */
    enum err err = k->data && k->summed ? ERR_NONE : bring(s, k, f);
    if (err)
        return err;
    const struct chunk_head *h = (const struct chunk_head *)(const void *)k->data;
    struct chunk_layout l = chunk_layout_of(h);
    const uint32_t *ends = (const uint32_t *)(const void *)(k->data + l.sizes);
    uint32_t i = (uint32_t)(index - k->at), from = i ? ends[i - 1] : 0;
    const struct blob_ref *refs = (const struct blob_ref *)(const void *)(k->data + l.blobs);
    *data = k->data + l.payloads + from;
    *bytes = ends[i] - from;
    *blob = (struct blob_ref){ 0 };
    for (uint32_t b = 0; b < h->n_blobs && !*bytes; b++)
        if (refs[b].call == i)
            *blob = (struct blob_ref){ .blob = refs[b].blob, .bytes = refs[b].bytes };
    return ERR_NONE;
}
