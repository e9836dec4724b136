#include "study/ends.h"

#include <stdlib.h>

#include "base/must.h"

void ends_fini(struct ends *e)
{
    free(e->items);
    free(e->slots);
    *e = (struct ends){ 0 };
}

bool end_succeeded(uint8_t state)
{
    return (state & ~STATE_WARNED) == TASK_DONE;
}

void ends_add(struct ends *e, const uint64_t id[2], task_id task, uint8_t state)
{
    if (e->n == e->cap) {
        e->cap = e->cap ? 2 * e->cap : 1024;
        must(e->cap < UINT32_MAX);
        e->items = realloc(e->items, e->cap * sizeof *e->items);
        must(e->items != NULL);
    }
    e->items[e->n++] = (struct point_end){ .id = { id[0], id[1] }, .task = task, .state = state };
}

/* Identities are hashes: any bits of them do. */
static size_t slot_of(const struct ends *e, const uint64_t id[2])
{
    return (size_t)id[0] & (e->n_slots - 1);
}

/* The slot of an identity, or the free one where it belongs. */
static uint32_t *look_up(const struct ends *e, const uint64_t id[2])
{
    size_t at = slot_of(e, id);

    while (e->slots[at]) {
        const struct point_end *item = &e->items[e->slots[at] - 1];
        if (item->id[0] == id[0] && item->id[1] == id[1])
            break;
        at = (at + 1) & (e->n_slots - 1);
    }
    return &e->slots[at];
}

static bool better(const struct point_end *a, const struct point_end *b)
{
    uint8_t x = end_succeeded(a->state) ? 0 : a->state, y = end_succeeded(b->state) ? 0 : b->state;

    return x != y ? x < y : a->task.n > b->task.n;
}

void ends_seal(struct ends *e)
{
    enum { AHEAD = 16 };
    size_t n = e->n;

    for (e->n_slots = 64; e->n_slots < 2 * n;)
        e->n_slots *= 2;
    e->slots = calloc(e->n_slots, sizeof *e->slots);
    must(e->slots != NULL);
    e->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct point_end *item = &e->items[i];
        if (i + AHEAD < n)
            __builtin_prefetch(&e->slots[slot_of(e, item[AHEAD].id)]);
        uint32_t *slot = look_up(e, item->id);
        if (!*slot) {
            e->items[e->n] = *item;
            *slot = (uint32_t)++e->n;
        } else if (better(item, &e->items[*slot - 1])) {
            e->items[*slot - 1] = *item;
        }
    }
}

void ends_find(const struct ends *e, const uint64_t (*ids)[2], size_t n,
               const struct point_end **found)
{
    must(n <= ENDS_AT_ONCE);
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(&e->slots[slot_of(e, ids[i])]);
    for (size_t i = 0; i < n; i++) {
        uint32_t at = e->slots[slot_of(e, ids[i])];
        if (at)
            __builtin_prefetch(&e->items[at - 1]);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t at = *look_up(e, ids[i]);
        found[i] = at ? &e->items[at - 1] : NULL;
    }
}
