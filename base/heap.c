#include "base/heap.h"

#include <stdlib.h>

#include "base/must.h"

void heap_init(struct heap *h)
{
    *h = (struct heap){ 0 };
}

void heap_fini(struct heap *h)
{
    free(h->entries);
    *h = (struct heap){ 0 };
}

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->at != b->at ? a->at < b->at : a->sequence < b->sequence;
}

static void swap(struct heap *h, size_t i, size_t j)
{
    struct heap_entry e = h->entries[i];

    h->entries[i] = h->entries[j];
    h->entries[j] = e;
}

void heap_push(struct heap *h, ms_t at, uint64_t value)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->entries = realloc(h->entries, h->cap * sizeof *h->entries);
        must(h->entries != NULL);
    }
    size_t i = h->n++;
    h->entries[i] = (struct heap_entry){ .at = at, .sequence = h->sequence++, .value = value };
    while (i && before(&h->entries[i], &h->entries[(i - 1) / 2])) {
        swap(h, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

bool heap_peek(const struct heap *h, struct heap_entry *e)
{
    if (!h->n)
        return false;
    *e = h->entries[0];
    return true;
}

bool heap_pop(struct heap *h, struct heap_entry *e)
{
    if (!heap_peek(h, e))
        return false;
    h->entries[0] = h->entries[--h->n];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < h->n && before(&h->entries[left], &h->entries[least]))
            least = left;
        if (right < h->n && before(&h->entries[right], &h->entries[least]))
            least = right;
        if (least == i)
            return true;
        swap(h, i, least);
        i = least;
    }
}
