#ifndef GRANGE_CLI_STREAM_H
#define GRANGE_CLI_STREAM_H
/* stream - what a point printed, stdout or stderr, wherever it is kept: in the store, packed or
 * not, or when it was long in a file: of the grange directory, or of the worker that ran it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rows.h"

struct stream {
    const char *name; /* "stdout" or "stderr" */
    const char *file; /* see kept_path; "" when the store has it */
    const void *data;
    uint32_t bytes;
    bool packed;
    uint64_t total; /* bytes that were printed */
};
struct stream stream_of(const struct end_body *body, bool err);

/* kept_at - /PATH, where such a name has one; NULL: it is relative to the grange directory. */
const char *kept_at(const char *name);
/* kept_path - adds where a file or directory is that a result names: relative to the grange
 * directory, or HOST:/PATH on the disk of a worker. False when that is another machine than this
 * one: then HOST:/PATH is added. */
bool kept_path(const char *name, const char *dir, struct buf *path);

/* kept_here - whether it is on the disk of a worker, and that is this machine. */
bool kept_here(const char *name);

/* stream_copy - all bytes that were kept to a descriptor, exactly. *kept: how many. ERR_DAMAGED
 * when they cannot be unpacked, ERR_NOT_FOUND when the file is gone, or on another machine. */
enum err stream_copy(const struct stream *s, const char *dir, int to, uint64_t *kept,
                     struct fault *f);

/* stream_read - appends what was kept, at most STREAM_READ_MAX bytes of it; nothing when it is
 * gone. */
enum { STREAM_READ_MAX = 256 << 20 };
void stream_read(const struct stream *s, const char *dir, struct buf *out);

/* stream_last_line - the last line that is not blank of the last STREAM_TAIL bytes; appends nothing
 * when there is none or it cannot be read. */
enum { STREAM_TAIL = 4096 };
void stream_last_line(const struct stream *s, const char *dir, struct buf *out);

#endif
