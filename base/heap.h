#ifndef GRANGE_BASE_HEAP_H
#define GRANGE_BASE_HEAP_H
/* heap - a binary heap of (time, sequence) -> u64. Equal times leave in the order they came, so
 * that nothing depends on memory layout. Entries are not removed early: the owner ignores stale
 * ones. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

struct heap_entry {
    ms_t at;
    uint64_t sequence;
    uint64_t value;
};
struct heap {
    struct heap_entry *entries;
    size_t n, cap;
    uint64_t sequence;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
void heap_push(struct heap *h, ms_t at, uint64_t value);
bool heap_peek(const struct heap *h, struct heap_entry *e);
bool heap_pop(struct heap *h, struct heap_entry *e);

#endif
