#ifndef GRANGE_CLIENT_CALLS_H
#define GRANGE_CLIENT_CALLS_H
/* calls - the futures of a connection and what is behind them. Everything here is under the lock of
 * the connection.
 *
 * A series is one array of the farm as this connection sees it: of calls that it appends to or
 * only looks at (series.c), or of the points of a sweep. A future is (series, index); what it has
 * is a slot, and an end once it ended (ends.c).
 *
 * Calls wait in chunks (append.c): a chunk becomes one Append. Chunks leave in the order in which
 * they were begun and are kept until they are durable. A call that finds no Append on its way
 * leaves at once, in the thread that submits it; others fill chunks meanwhile, so how many calls
 * share a message follows from how long the scheduler takes, without a timer. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ids.h"
#include "base/limits.h"
#include "client/grange.h"
#include "proto/message.h"

enum {
    CHUNK_CALLS_MAX = 1000,      /* then it leaves, whatever is on its way */
    CHUNK_BYTES_MAX = 64 * 1024, /* likewise */
    CHUNK_REFS_MAX = 1 << 16,
    BACKLOG_BYTES_MAX = 64 << 20, /* of calls that are not durable; then submitting waits */
    BACKLOG_CALL_BYTES = 16,      /* what a call counts beside its payload */
    AFTER_MAX = 1 << 16,          /* futures that one call waits for; refused */
};

struct series;

/* end - of a future. Its result follows, and a zero byte, unless it is in extra. */
struct end {
    struct end_extra *extra; /* what few have; NULL */
    int64_t submitted_ms, started_ms, ended_ms;
    uint64_t wall_us, user_us, sys_us;
    uint32_t maxrss_kib, result_bytes, attempts, worker; /* of calls.workers; UINT32_MAX: none */
    int32_t code;
    uint8_t outcome, reason;
    char data[];
};

struct end_extra {
    void *blob; /* a result of its own; NULL */
    size_t blob_bytes;
    char *error, *out, *err; /* never NULL */
    size_t out_bytes, err_bytes;
    uint64_t out_total, err_total;
    char *reason;                 /* in words, once somebody asked; NULL */
    struct grange_future because; /* skipped: of which future; 0: not known */
};

/* slot - of a future. */
struct slot {
    struct end *end;  /* NULL: it has not ended */
    uint32_t watch;   /* the first of its watches; 0: none */
    uint16_t opening; /* threads that open it by its key just now */
    bool opened : 1;  /* by its key: it was, and is somebody's */
    bool forgotten : 1;
};

/* slot_wanted - of a series that is picked: whether its end is to be told. */
static inline bool slot_wanted(const struct slot *slot)
{
    return slot->opened || slot->opening;
}

/* watch - someone who wants to know of an end, or until then of how far it is. */
struct watch {
    struct grange_set *set; /* or NULL, and */
    grange_callback *fn;
    grange_progress_callback *on_progress; /* instead of fn */
    void *context;
    bool lists;    /* instead: grange_progress_next gives it out */
    uint32_t next; /* of the same future, or of the free ones */
};

struct callback { /* fn, or one of the others; none: who was to be told of is gone */
    struct grange_future future;
    struct grange_direct *direct;
    grange_callback *fn;
    grange_progress_callback *on_progress;
    grange_direct_callback *on_direct;
    void *context;
};

/* ref - a call of a chunk waits for a future. */
struct ref {
    uint64_t call, future;
};

/* upload - a payload that goes ahead of its chunk as a blob. */
struct upload {
    struct upload *next;
    uint64_t blob, bytes, call; /* call: in the chunk */
    uint64_t sent, there;       /* of its bytes; there: acknowledged */
    char *data;                 /* NULL once done */
    bool unsure, done;          /* unsure: the connection was lost since; done: durable */
};

struct chunk {
    struct chunk *next;
    struct series *series;
    uint64_t order;   /* of its beginning */
    uint64_t request; /* of its Append; 0: it is not on its way */
    uint64_t at, n;
    uint64_t bytes;                    /* that it counts in the backlog */
    struct buf sizes, payloads, rules; /* uint32_t, bytes, uint8_t (empty while all are 0) */
    struct buf refs;                   /* struct ref, ordered by call */
    struct upload *uploads;
    bool close; /* they are the last of the series */
};

struct series {
    uint32_t number;          /* from 1: upper half of its futures' ids */
    bool points;              /* of a sweep */
    bool opened;              /* the scheduler said so on this connection */
    bool picked;              /* only futures that were opened by key are wanted */
    bool shares;              /* how far its calls are is wanted */
    bool closed;              /* no further calls; ours to close when `ours` */
    bool ours;                /* the key was made here */
    char *key, *study, *spec; /* of points: key NULL */
    char *home;               /* the study that it is in, once opened; NULL */
    char *shape;              /* when ours: study and spec */
    bool plain;               /* a function and no options; then this is its name: */
    char *function;           /* NULL: commands */
    uint64_t request;         /* of Open or Collect on its way */
    array_id array;
    task_id first;
    uint64_t n;      /* calls that this connection submitted, or points */
    uint64_t known;  /* calls that the scheduler has */
    uint64_t cursor; /* of its ends */
    uint64_t n_slots, n_ended, n_wanted;
    uint64_t n_collects; /* that were sent */
    struct slot *slots;
    struct chunk *newest;  /* not on its way yet, or NULL */
    struct fault *refused; /* it was: why; NULL */
    UT_hash_handle by_key, by_array, by_shape, by_request;
};

/* end_worker - one that ends came from: many share it. */
struct end_worker {
    uint32_t number;
    UT_hash_handle hh;
    const char *host; /* behind the name */
    char name[];      /* name, zero byte, host */
};

struct calls {
    struct series **series; /* by number - 1 */
    size_t n_series, cap_series;
    struct series *by_key, *by_array, *by_shape, *by_request, *last;
    struct series *found;       /* by series_find_task, the last time */
    struct buf spec, shape;     /* scratch */
    struct chunk *head, **tail; /* in order: on their way, then not */
    struct chunk *unsent;       /* the first that is not */
    uint64_t orders, backlog;
    size_t n_sent; /* chunks on their way */
    bool urgent;   /* a chunk is full and not on its way */
    struct watch *watches;
    uint32_t n_watches, cap_watches, free_watch;
    struct said *said;          /* how far running calls are, by future (progress.c) */
    struct said *listed;        /* of those, what grange_progress_next is to give out */
    struct callback *callbacks; /* of futures that ended; from next_callback on */
    size_t n_callbacks, cap_callbacks, next_callback;
    struct grange_set *sets; /* all of them */
    struct download *downloads;
    uint64_t n_blobs;
    uint64_t n_ended; /* futures that have */
    unsigned n_maps;
    size_t n_news; /* sets that have something to give out */
    struct end_worker *by_worker;
    struct end_worker **workers; /* by number */
    uint32_t n_workers, cap_workers;
    char own_study[40]; /* where calls go that name neither study nor key */
};

void calls_init(struct calls *c);
void calls_fini(struct calls *c);
bool calls_have_news(const struct calls *c);

/* What the session passes on. */
void calls_on_loss(struct grange *g);
void calls_on_welcome(struct grange *g);
void calls_on_message(struct grange *g, const struct message *m);
bool calls_on_refused(struct grange *g, uint64_t request, enum err code, const char *text);
bool calls_next_callback(struct grange *g, struct callback *c);
void calls_add_callback(struct calls *c, const struct callback *cb);
/* calls_drop_callbacks - those about operations on engines that are freed. */
void calls_drop_callbacks(struct calls *c, const struct grange_direct *d);
void calls_finish(struct grange *g); /* sends the rest and closes what is ours; without the lock */

/* ---- series.c */

/* series_of_options - the one that calls with these options go to; made when there is none.
 * ERR_USAGE and others: the options make no sense. */
enum err series_of_options(struct grange *g, const char *function, const struct grange_options *o,
                           struct series **s, struct fault *f);
struct series *series_of_points(struct grange *g, const struct grange_submitted *r);
struct series *series_find_key(const struct grange *g, const char *key);
struct series *series_look(struct grange *g, const char *key); /* one that is only looked at */
struct series *series_find_task(struct grange *g, task_id task);
struct series *series_find_array(const struct grange *g, array_id array);
/* series_open - asks the scheduler, unless it has been; on a new connection once more. */
void series_open(struct grange *g, struct series *s);
void series_collect(struct grange *g, struct series *s);
void series_on_opened(struct grange *g, const struct message *m);
void series_on_reply(struct grange *g, uint64_t request);
void series_on_loss(struct grange *g, struct series *s);
void series_reopen(struct grange *g, struct series *s); /* on a new connection */
/* series_forgive - one that was only looked at, and not there, may be there the next time. */
void series_forgive(struct series *s);
bool series_is_wanted(const struct series *s); /* something of it is still to come */
bool series_on_refused(struct grange *g, uint64_t request, const struct fault *f);
/* series_refuse - futures from index `from` on end as refused, and so does every further call. */
void series_refuse(struct grange *g, struct series *s, uint64_t from, const struct fault *f);
void series_room(struct series *s, uint64_t n); /* slots for n futures */

static inline struct grange_future series_future(const struct series *s, uint64_t index)
{
    return (struct grange_future){ (uint64_t)s->number << 32 | index };
}
/* future_find - its series and index; NULL when there is none. */
struct series *future_find(const struct grange *g, struct grange_future f, uint64_t *index);

/* ---- append.c */

/* append_call - adds one call to the series. What it waits for was checked. */
void append_call(struct grange *g, struct series *s, const void *data, size_t bytes,
                 const struct grange_options *o);
void append_close(struct grange *g, struct series *s); /* no further calls */
void calls_flush(struct grange *g);                    /* sends what can be sent */
/* append_begun - after new calls of the series: sends when it is time. */
void append_begun(struct grange *g, const struct series *s);
bool append_has(const struct calls *c, const struct series *s); /* not durable; NULL: of any */
void append_on_appended(struct grange *g, const struct message *m);
bool append_on_refused(struct grange *g, uint64_t request, const struct fault *f);
void append_unsend(struct grange *g); /* the connection is gone */
void append_drop(struct grange *g, const struct series *s, uint64_t upto); /* durable */
void append_fini(struct calls *c);

/* ---- ends.c */

void ends_on_message(struct grange *g, const struct message *m);
/* ends_set - the future has ended with this; takes e. False, and e freed: it had. */
bool ends_set(struct grange *g, struct series *s, uint64_t index, struct end *e);
struct end *end_refused(const struct fault *f);
void end_free(struct end *e);
void end_result(const struct grange *g, struct end *e, struct grange_result *r);
void ends_watch(struct grange *g, struct slot *slot, struct grange_future f, const struct watch *w);

/* end_lost_blob - its result cannot be had: why. */
void end_lost_blob(struct end *e, const char *text);

/* ---- progress.c */

void progress_on_message(struct grange *g, struct series *s, const struct message *m);
void progress_drop(struct grange *g, struct grange_future f); /* it has ended */
/* progress_call - what a callback about it is given. False: it has ended meanwhile. */
bool progress_call(struct grange *g, struct grange_future f, struct grange_future_progress *p);
void progress_fini(struct calls *c);

/* ---- blob.c */

void upload_add(struct grange *g, struct chunk *k, const void *data, size_t bytes);
/* uploads_done - whether the chunk may leave; if not, sends what may go. */
bool uploads_done(struct grange *g, struct chunk *k);
void uploads_on_loss(struct chunk *k);
void uploads_free(struct chunk *k);
/* download_add - the future ends with e once its result is here; takes e. */
void download_add(struct grange *g, struct series *s, uint64_t index, struct end *e,
                  const struct call_extra *from);
void downloads_on_welcome(struct grange *g);
void downloads_fini(struct calls *c);
void blobs_on_blob(struct grange *g, const struct message *m);
void blobs_on_ack(struct grange *g, const struct message *m);

/* ---- set.c */

void set_on_end(struct grange_set *set, struct grange_future f, const struct end *e);
void sets_fini(struct calls *c);

#endif
