#ifndef GRANGE_WORKER_ENGINE_H
#define GRANGE_WORKER_ENGINE_H
/* engine - one engine process and the pipes, page and directory that the worker shares with it: the
 * worker's side of docs/engine.md. It carries frames and knows nothing of leases. Nothing that the
 * process does, or says wrongly, does any harm here: it is told by `broken`, and is to be killed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/frame.h"
#include "engine/page.h"
#include "worker/run.h"

struct engine_spec {
    char *const *argv;
    const char *path;    /* of the program */
    const char *dir;     /* where its spool directory is made */
    uint64_t memory_mib; /* RLIMIT_DATA; 0: none */
    int epoll_fd;
    uint64_t frames_tag, room_tag, out_tag, err_tag; /* of epoll events */
};

struct engine {
    uint32_t slot;
    struct run run;     /* pid 0: no process */
    bool hello;         /* it has said so */
    bool bundles;       /* it uses the page */
    const char *broken; /* what it did that no engine does; NULL: nothing */
    int to_fd, from_fd;
    int epoll_fd;
    uint64_t room_tag;
    bool waits; /* for room in the pipe */
    struct buf to, from, body;
    size_t to_at, from_at;
    struct page *page;
    int page_fd;
    uint64_t taken; /* bytes of its ring */
    char *spool;
    struct buf functions; /* names, each with a zero byte */
    uint32_t n_functions;
    uint64_t memory_mib;           /* its limit now */
    char said[ERROR_LINE_MAX + 1]; /* the last line that it printed */
};
void engine_init(struct engine *e, uint32_t slot);
/* engine_start - 0 or errno. A welcome is in the pipe. */
int engine_start(struct engine *e, const struct engine_spec *spec);
/* engine_end - after run_reap and the last engine_next: closes, deletes its directory. */
void engine_end(struct engine *e);

/* engine_add - a frame in up to three pieces; engine_flush writes as many as there is room for. */
void engine_add(struct engine *e, enum frame_kind kind, uint16_t flags, uint64_t call,
                const void *head, size_t head_bytes, const void *name, size_t name_bytes,
                const void *body, size_t body_bytes);
void engine_flush(struct engine *e);

/* engine_read - what the pipe holds; engine_listen - what it printed, of which the last line is
 * kept. */
void engine_read(struct engine *e);
void engine_listen(struct engine *e, bool stderr_stream);

struct engine_frame {
    enum frame_kind kind;
    uint16_t flags;
    uint64_t call;
    const char *body; /* until the next one */
    size_t bytes;
};
/* engine_next - the next frame, from the page or the pipe; a result only when it is that of
 * `expected` (0: none is). Hello is taken here, and told as well. */
bool engine_next(struct engine *e, uint64_t expected, struct engine_frame *f);
/* engine_page_waits - whether there is something in the page. */
bool engine_page_waits(const struct engine *e);

/* engine_function - the number of a function; -1: it has none of that name. */
int64_t engine_function(const struct engine *e, const char *name);
/* engine_allow - at least so much memory. */
void engine_allow(struct engine *e, uint64_t memory_mib);

#endif
