#ifndef GRANGE_WORKER_ATTEMPT_H
#define GRANGE_WORKER_ATTEMPT_H
/* attempt - one lease from its start until its result is acknowledged: prepared, run, and then only
 * a row that waits to be sent and told that it is durable. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/rows.h"
#include "worker/agent.h"
#include "worker/ahead.h"
#include "worker/payload.h"
#include "worker/run.h"

/* workplace - what all attempts of a worker share. */
struct workplace {
    char *dir;        /* the grange directory, absolute, or one of our own; see worker.h */
    const char *host; /* the name of this machine, borrowed */
    bool at_farm;     /* it is the farm's: what is in it the scheduler finds by its name there */
    bool own;         /* this worker's alone, see kept.h: attempts/ has what nobody was told of */
    int epoll_fd;
    struct point point;
    struct command command;
    struct buf text, packed; /* scratch */
};
void workplace_init(struct workplace *wp, const char *dir, const char *host, int epoll_fd);
void workplace_fini(struct workplace *wp);

/* sent - on which connection something is on its way, and how much it is. */
struct sent {
    peer_id to;
    size_t bytes;
};

/* Of one result in a message, besides its texts and output: more than it takes. */
enum { RESULT_ROW_BYTES = 512 };

/* long_stream - one that went to a file. */
struct long_stream {
    char *path; /* NULL: it was short */
    char *name; /* as the result says it, once it was sent or could not be; NULL: not so far */
    bool opened;
    struct ahead ahead;
};

struct attempt {
    lease_id lease;
    task_id task;
    struct payload *payload; /* NULL once concluded */
    uint32_t slot;           /* while it runs: the loop's business */
    struct run run;
    bool again; /* there were attempts before at this point */
    bool ran, ended, concluded;
    enum stop_why why; /* TERM was sent for this */
    ms_t limit_ms;
    char *dir, *place;  /* of its own, and where that goes in the end; NULL: none */
    ino_t placed;       /* it has gone there: its inode, to tell it from one of a later attempt */
    bool useless;       /* the scheduler says that it did not become a result */
    char *note;         /* why it could not start */
    char *order;        /* of a call: its command line; NULL: none came */
    struct end_row row; /* complete once concluded, but for what the scheduler adds */
    struct end_body body;
    char *text; /* the body's texts */
    size_t text_bytes;
    struct sent sent; /* the connection that its result was sent on, and how much it was */
    void *out, *err;
    bool at_farm; /* what it left is in the farm's directory, and named as it is there */
    struct long_stream long_out, long_err;
};

/* attempt_new - takes a reference of the payload; takes the order (malloc'd or NULL). */
struct attempt *attempt_new(lease_id lease, task_id task, struct payload *payload, char *order);
void attempt_free(struct attempt *a);
/* attempt_start - true: a process runs; false: it ended at once (could not start, or was a
 * function). */
bool attempt_start(struct attempt *a, struct workplace *wp, uint64_t out_tag, uint64_t err_tag);
/* attempt_stop - TERM for the reason given; nothing when its process has exited already. */
void attempt_stop(struct attempt *a, enum stop_why why, ms_t limit_ms);
/* attempt_reap - its main process has exited; see run_reap. */
void attempt_reap(struct attempt *a);
/* attempt_conclude - after its end, once: reads metrics, packs output, makes the row. */
void attempt_conclude(struct attempt *a, struct workplace *wp);
/* attempt_counts - it was neither stopped nor kept from starting by this machine: what it leaves
 * may be the result. */
bool attempt_counts(const struct attempt *a);
/* attempt_elsewhere - how a result names a file or directory that is only here: HOST:/PATH, "" when
 * that is too long to be said. malloc'd. */
char *attempt_elsewhere(const struct workplace *wp, const char *path);
/* attempt_keep_stream - a long stream stays at this worker: where one will look for it, and how a
 * result says so (as attempt_elsewhere). */
char *attempt_keep_stream(const struct workplace *wp, struct long_stream *s);
/* attempt_settle - the scheduler has the result: puts the directory in place, or deletes it when
 * the result does not count; long streams of what was stopped go too, and those that the scheduler
 * has. */
void attempt_settle(struct attempt *a, bool dropped);

#endif
