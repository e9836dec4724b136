#ifndef GRANGE_CLIENT_DIRECT_H
#define GRANGE_CLIENT_DIRECT_H
/* direct - the operations on engines of a connection (grange.h, engines), and what is on its way of
 * them. Everything here is under the lock of the connection.
 *
 * An operation on one engine is an op; those that were asked for together are a struct
 * grange_direct. Ops leave in the order in which they were asked for, as long as the scheduler's
 * bounds for a client leave room, and wait here beyond. A payload over INLINE_BYTES_MAX goes in
 * parts as it is acknowledged, straight from the caller's memory; a result comes likewise, of
 * STREAMS_MAX ops at a time. Where the worker is on the same machine both are files instead
 * (near.h): one copy, none of it sent, made without the lock: of a payload by the thread that
 * asked, of a result by the one that takes what arrives. docs/protocol.md, Direct calls.
 *
 * A handle that gathers puts the results where they belong, one after the other in one block: they
 * wait until the lengths of all of them are known. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "base/machine.h"
#include "base/must.h"
#include "client/grange.h"
#include "proto/message.h"

enum {
    STREAMS_MAX = 8, /* results that come in parts at a time: 4 MiB each are on their way */
};

struct grange;

struct op {
    struct grange_direct *d;
    uint64_t engine;
    uint64_t ticket; /* 0: has not left */
    bool ended;
    bool parts;                  /* the payload goes in parts, and not all of them went */
    bool paused;                 /* those that follow have no room until others have ended */
    bool credit;                 /* an acknowledgement of it came: parts may follow */
    bool waits_for_acks, stream; /* the result comes in parts, and it is not, it is its turn */
    bool reading;                /* the result is read out of the file `shown` */
    bool known;                  /* how long the result is; 0 when there will be none */
    const char *data;
    size_t bytes;
    uint64_t sent, acked;
    struct offer *offer; /* the file that the payload is in; NULL */
    char *result;        /* its own, or a part of d->all */
    size_t result_bytes, result_room;
    uint64_t total;            /* bytes of the result, once known */
    struct shared_file *shown; /* the file of the result, to be read when there is a place for it */
    enum end_reason reason;
    int32_t code;
    char *text, *words; /* words: once somebody asked */
    uint64_t wall_us;
    struct op *prev, *next; /* in one of those lists of directs */
    UT_hash_handle hh;      /* directs.sent */
};

struct grange_direct {
    struct grange *g;
    enum direct_op op;
    char *name;
    size_t n, n_ended, n_given; /* n_given: by grange_direct_next */
    size_t n_reading;           /* without the lock: it stays as long */
    size_t n_seen;              /* ends that its owner knows of */
    ms_t limit_ms;
    grange_direct_callback *fn; /* once all have ended */
    void *context;
    size_t *order; /* of the ends */
    bool freed;    /* by its owner; the last of its ops frees it */
    bool gathers;
    struct offer *offer; /* of a call on several engines, who read one file */
    size_t n_known;      /* ops; when it gathers */
    char *all;           /* the block of all results, once all are known; when it gathers */
    size_t all_bytes;
    bool into; /* the block is the caller's memory `to`, with this much room */
    char *to;
    size_t room;
    bool too_long; /* for that: nothing was placed, and what has not ended does not come */
    struct grange_direct *prev, *next;
    struct op ops[];
};

struct directs {
    struct op *sent; /* by ticket: those that have left and not ended */
    struct op *waiting, *paused, *stalled, *to_read;
    struct grange_direct *all;
    uint64_t last_ticket, bytes_out;
    uint64_t machine; /* when engines could be on it; 0: they cannot */
    char *place;      /* for files that are offered */
    struct declined *declined;
    uint64_t bytes_offered;
    size_t n_streams;
    size_t n_news;         /* handles of which not all ends are seen */
    size_t n_lingering;    /* tickets that have ended for us; their last word is still to come */
    uint64_t list_request; /* grange_engines waits for it */
    struct grange_engine *list;
    size_t n_list;
};

void directs_fini(struct directs *ds);

/* What the session passes on. */
void directs_on_loss(struct grange *g);
void directs_on_message(struct grange *g, const struct message *m);
/* directs_read - results that files show; the lock is given up meanwhile. */
void directs_read(struct grange *g);

/* directs_make - operations on these engines; the share of the payload of op i is set by the caller
 * before directs_begin. directs_begin gives up the lock while it copies. */
struct grange_direct *directs_make(struct grange *g, enum direct_op op, const uint64_t *engines,
                                   size_t n, const char *name);
void directs_payload(struct grange_direct *d, size_t i, const void *data, size_t bytes);
void directs_begin(struct grange_direct *d);
/* directs_gather - before directs_begin: all results into one block. directs_take - that block, of
 * all_bytes; the caller frees it. directs_gather_into - the block is the caller's memory; it may be
 * written to as long as d has ops that are read (n_reading), or that have not ended and are not
 * freed. */
void directs_gather(struct grange_direct *d);
void directs_gather_into(struct grange_direct *d, void *to, size_t room);
char *directs_take(struct grange_direct *d);
/* directs_seen - its owner knows of n ends. directs_tell - the callback, when it is time. */
void directs_seen(struct grange_direct *d, size_t n);
void directs_tell(struct grange_direct *d);
/* directs_drop - its owner is done with it: what has not ended is cancelled. */
void directs_drop(struct grange_direct *d);

/* engines.c: directs_check - 0, or what was left with: this name of a `what` or so many bytes
 * cannot be. directs_failure - 0, or the code of the first of those that ended that failed, with
 * its words in session_fault. directs_on_farm - the answer to a Watch, when grange_engines waits
 * for it. */
int directs_check(struct grange *g, const char *name, uint64_t bytes, const char *what);
int directs_failure(const struct grange_direct *d);
void directs_on_farm(struct grange *g, const struct message *m);

#endif
