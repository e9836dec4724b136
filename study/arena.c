#include "study/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { BLOCK_BYTES = 16 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t cap;
    alignas(max_align_t) char data[];
};

void *arena_take(struct arena *a, size_t bytes)
{
    const size_t align = alignof(max_align_t);

    must(bytes < SIZE_MAX / 2);
    bytes = (bytes + align - 1) / align * align;
    if (!a->blocks || a->blocks->cap - a->used < bytes) {
        size_t cap = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        struct arena_block *b = calloc(1, sizeof *b + cap);
        must(b != NULL);
        b->cap = cap;
        b->next = a->blocks;
        a->blocks = b;
        a->used = 0;
    }
    void *taken = a->blocks->data + a->used;
    a->used += bytes;
    return taken;
}

void *arena_array(struct arena *a, size_t n, size_t bytes_each)
{
    must(bytes_each == 0 || n < SIZE_MAX / 2 / bytes_each);
    return arena_take(a, n * bytes_each);
}

char *arena_text(struct arena *a, const char *text)
{
    return text ? arena_bytes(a, text, strlen(text)) : NULL;
}

char *arena_bytes(struct arena *a, const void *data, size_t n)
{
    char *copy = arena_take(a, n + 1);

    if (n)
        memcpy(copy, data, n);
    return copy;
}

void arena_fini(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}
