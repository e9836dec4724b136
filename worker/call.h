#ifndef GRANGE_WORKER_CALL_H
#define GRANGE_WORKER_CALL_H
/* call - one call of a function on an engine, from the message that brought it until its result is
 * acknowledged: what goes in, where it is, what came out. Of an array (by its lease), or direct (by
 * its ticket). */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rows.h"
#include "proto/message.h"
#include "worker/agent.h"
#include "worker/ahead.h"
#include "worker/attempt.h"
#include "worker/payload.h"

#define uthash_fatal(text) must_fail(__FILE__, __LINE__, text)
#include <uthash.h>

/* matter - bytes of any length: in memory, or a file beyond ENGINE_INLINE_MAX. */
struct matter {
    char *data; /* malloc'd; NULL: none, or a file */
    uint64_t bytes;
    uint64_t offset; /* in the file */
    char *path;      /* of the file; ours to delete when `owned` */
    bool owned;
    int fd; /* open on it; -1: not */
};
void matter_init(struct matter *m);
void matter_fini(struct matter *m);
/* matter_load - from its file into memory, and closes that. */
bool matter_load(struct matter *m);
void matter_copy(struct matter *m, const void *data, size_t n);

struct call {
    lease_id id; /* lease or ticket */
    bool direct;
    task_id task;
    array_id array;
    struct payload *payload; /* its array; NULL: direct */
    enum direct_op op;
    char *name; /* of a direct one: function or value */
    struct matter in, out;
    uint64_t total; /* bytes that `in` will have: all are there when in.bytes is as many */

    bool turn;        /* it is the first of its engine that is not all here */
    bool near;        /* whose client could reach our files */
    bool shown;       /* the file of the result was named to it */
    uint64_t lent;    /* the number that it had at its engine, which keeps the file of the result */
    uint32_t lent_by; /* the generation of that engine */
    bool arrived;     /* all of a direct one is here, and the agent knows of it */
    uint32_t engine;
    uint64_t number; /* at its engine; 0: at none */
    struct call *prev, *next;
    ms_t started_ms;
    uint64_t started_us;
    enum stop_why why;
    ms_t limit_ms;

    bool ended;
    enum end_reason reason;
    int32_t code;
    uint64_t wall_us, user_us, sys_us, maxrss_kib;
    char *error;    /* NULL: none */
    struct buf log; /* then packed */
    uint64_t log_total;
    bool log_packed;
    double share;       /* how far it is, as it said last */
    char *said;         /* and what beside that; NULL: it said nothing */
    uint64_t blob;      /* of a long payload while it comes; then of a long result; 0: none */
    struct ahead ahead; /* a long result */
    struct sent sent;
    uint64_t out_sent, out_acked; /* of a long result of a direct one */
    uint64_t asked;               /* of a long payload that comes */
    ms_t assigned_limit_ms;       /* of its lease or ticket; 0: none */
    UT_hash_handle hh;
};

struct call *call_new(lease_id id, bool direct);
void call_free(struct call *c);

/* call_end - how it ended; the text (NULL: none) is copied, its first line. */
void call_end(struct call *c, enum end_reason reason, int32_t code, const char *text);
/* call_row - for a message of results; valid as long as the call and *body. */
void call_row(const struct call *c, struct end_row *row, struct end_body *body);
/* call_row_bytes - about what it takes there. */
size_t call_row_bytes(const struct call *c);

#endif
