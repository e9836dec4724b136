#ifndef GRANGE_BASE_BUF_H
#define GRANGE_BASE_BUF_H
/* buf - bytes that grow. Always followed by a zero byte that does not count, so text in a buf is a
 * C string. Running out of memory aborts (must). Embedded by its owner; a zeroed buf is an empty
 * one. */

#include <stddef.h>

struct buf {
    char
        *data; /* NULL while nothing was ever added; use buf_text for a string that is never NULL */
    size_t n, cap;
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* n = 0, memory kept */
void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t n);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
__attribute__((format(printf, 2, 3))) void buf_addf(struct buf *b, const char *format, ...);
const char *buf_text(const struct buf *b); /* "" when empty */
/* buf_read_file - appends the whole of a file; 0 or errno (EFBIG beyond max bytes). */
int buf_read_file(struct buf *b, const char *path, size_t max);

/* Text helpers that every printer needs. */
void buf_add_json(struct buf *b, const char *text,
                  size_t n);                      /* as a JSON string, with the quotes */
void buf_add_sh(struct buf *b, const char *text); /* quoted for sh when it must be */

#endif
