#ifndef GRANGE_ENGINE_HOST_INNER_H
#define GRANGE_ENGINE_HOST_INNER_H
/* host_inner - what the files of the plug-in engine share: plugin.c knows the functions, space.c
 * the files of long payloads, value.c the named values, call.c what a function sees, host.c the
 * frames. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/frame.h"
#include "engine/grange_engine.h"
#include "engine/page.h"

/* --- functions --- */

struct functions {
    struct grange_function *items;
    size_t n;
};
/* plugins_load - 0, or 1 after saying what is wrong. Numbers are in the order of registration. */
int plugins_load(char *const *paths, size_t n, struct functions *to);

/* --- space: room for bytes, in memory or, when they are many, in a file that is mapped --- */

struct space {
    void *data;   /* NULL: none */
    size_t bytes; /* in use */
    size_t room;  /* of memory; of a file the length of the mapping */
    char *path;   /* NULL: memory */
    size_t map_offset;
    bool foreign; /* the file came from a client, which may need another one */
};
/* space_make - of exactly n bytes, contents undefined; a small one keeps the memory it has. False:
 * no room (errno). */
bool space_make(struct space *s, const char *dir, size_t n);
/* space_map - the bytes of a file from elsewhere; owned: it is deleted with the space. */
bool space_map(struct space *s, const char *path, size_t offset, size_t n, bool owned);
/* space_free - its memory or mapping, and its file. space_let_go: not the file, which is whoever's
 * it was given to. */
void space_free(struct space *s);
void space_let_go(struct space *s);
static inline bool space_is_file(const struct space *s)
{
    return s->path != NULL;
}
/* space_suits - n bytes fit into this file, which is not much too long for them. */
bool space_suits(const struct space *s, size_t n);
/* space_give - its file to clients that need one (base/spare.h), or as space_free. */
void space_give(struct space *s, const char *dir);

/* --- spares: the files of values that were replaced or dropped. The next value of about their size
 * is made in one, which saves taking and giving back its pages. What is beyond their bounds, not to
 * be used again, or a client's, goes at spares_trim, when nobody waits for the engine. --- */

struct spare;
struct spares {
    struct spare *oldest;
    char *dir; /* for those of clients */
    size_t n, bytes;
};
/* spares_add - takes the space over; reusable: nobody reads its file any more. */
void spares_add(struct spares *all, struct space *s, bool reusable);
/* spares_take - one with room for n bytes, and not twice that; false: there is none. */
bool spares_take(struct spares *all, size_t n, struct space *s);
void spares_trim(struct spares *all);
void spares_fini(struct spares *all);

/* --- named values ---
 *
 * A value that is a file is lent with the answer to a get: others read it until its call is
 * released. Its bytes do not change meanwhile: who wants to write there gets a copy. */

struct value;
struct loan;
struct values {
    struct value *by_name;
    struct loan *loans; /* by call */
    struct spares spares;
    uint64_t last_version;
    const char *dir;
};
/* values_make - a value of n bytes; NULL: no room. values_adopt takes the space over. */
struct space *values_make(struct values *v, const char *name, size_t name_bytes, size_t n);
void values_adopt(struct values *v, const char *name, size_t name_bytes, struct space *s);
/* values_read - for an answer. values_write - may be changed in place; NULL also (errno) when it is
 * lent and there is no room for a copy. */
const struct space *values_read(struct values *v, const char *name, size_t name_bytes);
struct space *values_write(struct values *v, const char *name, size_t name_bytes);
void values_lend(struct values *v, const char *name, size_t name_bytes, uint64_t call);
void values_release(struct values *v, uint64_t call);
void values_fini(struct values *v);
bool values_drop(struct values *v, const char *name, size_t name_bytes);

/* --- the engine --- */

struct host {
    struct functions functions;
    struct page *page; /* NULL until the welcome */
    char *spool;
    struct values values;
    uint32_t slot;
    struct buf in; /* frames, of which `at` bytes are done with */
    size_t at;
    struct buf out; /* for the pipe */
    struct buf aligned;
    bool told_later;  /* frames are in the page that the worker was not told of */
    uint64_t told_us; /* when it was told last */
};

struct call { /* of one function, while it runs */
    struct grange_call outside;
    struct host *host;
    uint64_t number;
    struct space result; /* of the host, reused from call to call */
    struct buf error;
    size_t logged;
    uint64_t progress_us;
};
extern const struct grange_engine_ops call_ops;
void call_begin(struct call *c, struct host *h, uint64_t number, const struct call_body *body);

/* host_send - a frame: through the page when there is room, else through the pipe. */
void host_send(struct host *h, enum frame_kind kind, uint16_t flags, uint64_t call,
               const void *head, size_t head_bytes, const void *body, size_t body_bytes);
/* host_tell - now: the worker looks. */
void host_tell(struct host *h);

#endif
