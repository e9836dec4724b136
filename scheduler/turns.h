#ifndef GRANGE_SCHEDULER_TURNS_H
#define GRANGE_SCHEDULER_TURNS_H
/* turns - a heap of those that wait for their turn: the higher priority first, then the smaller
 * share, then the older. An entry is embedded in what waits and knows its place, so it can be moved
 * and taken out wherever it is. Internal to the core. */

#include <stddef.h>
#include <stdint.h>

struct turn {
    int32_t priority;
    uint64_t share, age;
    size_t at; /* its place in the heap, from 1; 0: in none */
};
struct turns {
    struct turn **items; /* borrowed */
    size_t n, cap;
};

void turns_fini(struct turns *h);
struct turn *turns_first(const struct turns *h); /* NULL: nobody waits */
/* turns_put - in, or to its new place after priority, share or age of it changed. */
void turns_put(struct turns *h, struct turn *t);
void turns_take(struct turns *h, struct turn *t); /* out; nothing happens when it is not in */

/* turn_of - what a turn is embedded in, as `member` of a `type`. */
#define turn_of(turn, type, member) ((type *)(void *)((char *)(turn)-offsetof(type, member)))

#endif
