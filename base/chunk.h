#ifndef GRANGE_BASE_CHUNK_H
#define GRANGE_BASE_CHUNK_H
/* chunk - how the calls of one append lie in one piece of memory, which is also a row of the store:
 * the head, then sizes of payloads (uint32 a call, padded to 8 bytes), edges, blobs, rules (a byte
 * a call, when there are any), payloads one after the other. Little-endian, as the machine has it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rows.h"

/* blob_ref - a payload that went ahead as a blob: of which call (index in the append or assign). */
struct blob_ref {
    uint64_t call, blob, bytes;
};

struct chunk_head {
    uint32_t n, n_edges, n_blobs, has_rules;
};

struct chunk_layout { /* where things are */
    size_t sizes, edges, blobs, rules, payloads;
};
struct chunk_layout chunk_layout_of(const struct chunk_head *h);
/* chunk_sound - the data is as long as its head says; the sizes themselves are not looked at. */
bool chunk_sound(const void *data, size_t bytes, struct chunk_head *h, struct chunk_layout *l);

/* chunk_graph - rules and edges; false: damaged. What *g points to is in data. */
struct chunk_graph {
    const uint8_t *rules; /* NULL: none */
    const struct edge *edges;
    size_t n_edges;
};
bool chunk_graph(const void *data, size_t bytes, struct chunk_graph *g);

#endif
