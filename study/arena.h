#ifndef GRANGE_STUDY_ARENA_H
#define GRANGE_STUDY_ARENA_H
/* arena - memory that is freed as a whole. Embedded by its owner; a zeroed one is empty. Running
 * out of memory aborts. */

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used; /* of the first block */
};

void *arena_take(struct arena *a, size_t bytes); /* zeroed, aligned for everything */
void *arena_array(struct arena *a, size_t n, size_t bytes_each);
char *arena_text(struct arena *a, const char *text);            /* a copy; NULL gives NULL */
char *arena_bytes(struct arena *a, const void *data, size_t n); /* a copy and a zero byte behind */
void arena_fini(struct arena *a);

#endif
