#include "base/chunk.h"

#include <string.h>

_Static_assert(sizeof(struct chunk_head) == 16 && sizeof(struct edge) == 16 &&
                   sizeof(struct blob_ref) == 24,
               "they lie in data as they are");

struct chunk_layout chunk_layout_of(const struct chunk_head *h)
{
    struct chunk_layout l = { .sizes = sizeof *h };

    l.edges = l.sizes + (((size_t)h->n * 4 + 7) & ~(size_t)7);
    l.blobs = l.edges + (size_t)h->n_edges * sizeof(struct edge);
    l.rules = l.blobs + (size_t)h->n_blobs * sizeof(struct blob_ref);
    l.payloads = l.rules + (h->has_rules ? h->n : 0);
    return l;
}

bool chunk_sound(const void *data, size_t bytes, struct chunk_head *h, struct chunk_layout *l)
{
    if (bytes < sizeof *h)
        return false;
    memcpy(h, data, sizeof *h);
    *l = chunk_layout_of(h);
    return bytes >= l->payloads;
}

bool chunk_graph(const void *data, size_t bytes, struct chunk_graph *g)
{
    struct chunk_head h;
    struct chunk_layout l;
    const char *p = data;

    if (!chunk_sound(data, bytes, &h, &l))
        return false;
    *g = (struct chunk_graph){ .rules = h.has_rules ? (const uint8_t *)(p + l.rules) : NULL,
                               .edges = (const struct edge *)(const void *)(p + l.edges),
                               .n_edges = h.n_edges };
    return true;
}
