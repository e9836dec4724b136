#ifndef GRANGE_TESTS_ENGINE_HELP_H
#define GRANGE_TESTS_ENGINE_HELP_H
/* engine_help - a scheduler that only does as it is told, for one real worker with real engines: it
 * hands out calls, keeps what comes back and acknowledges it. For tests and for bench/engine_bench.
 */

#include <sys/types.h>

#include "base/buf.h"
#include "proto/link.h"
#include "proto/message.h"

enum { DRIVER_ENDS_MAX = 4096, DRIVER_PARTS = 16 };

struct driver_end { /* of a lease or a ticket */
    bool ended;
    unsigned returned;
    enum end_reason reason;
    int32_t code;
    uint64_t wall_us, cpu_us, maxrss_kib;
    char error[400];
    struct buf result, err;
    unsigned order; /* the how manieth end it was, from 1 */
    char file[300]; /* that was shown with a long result, "" */
    uint64_t total, device, inode;
};

struct driver {
    struct link *link;
    peer_id peer;
    pid_t pid;
    int lifeline;
    char dir[64];
    struct buf frame;
    bool hello, quiet; /* quiet: counts ends only, for speed */
    unsigned n_hellos;
    struct buf functions;                      /* of the last hello, one a line */
    size_t n_ends, n_engines, n_failed, bytes; /* the last two: only when quiet */
    struct engine_info engines[64];
    char reasons[64][512];
    struct driver_end leases[DRIVER_ENDS_MAX], tickets[DRIVER_ENDS_MAX];
    uint64_t acked[DRIVER_ENDS_MAX]; /* of tickets */
    bool named[DRIVER_ENDS_MAX];     /* whether a file was named with it */
    unsigned n_shares;               /* messages with how far calls are, */
    double share;                    /* and the first of the last one */
    bool holds;          /* long results of tickets are not acknowledged by themselves */
    const char *payload; /* that is asked for as a blob */
    size_t payload_bytes;
    uint64_t blob; /* the last result that came as one */
    struct buf blob_data;
    size_t blob_drop_at; /* the connection is closed once when so much of it is there; 0: not */
    bool result_drop;    /* it is closed once when a result has come, which is not acknowledged */
};

/* driver_open - starts `program` worker with these further arguments (NULL-terminated) and waits
 * for its hello; welcome is the answer. NULL and a word on stderr when that takes over ten seconds.
 */
struct driver *driver_open(const char *program, const char *const *args);
/* driver_close - ends the worker and waits for it; returns its exit code, or -1. */
int driver_close(struct driver *d);

/* driver_array - tells of an array of calls: tasks array * 2^26 .., of this function, with these
 * further members of its JSON ("" or ",\"timeout\":\"1s\""). */
void driver_array(struct driver *d, uint32_t array, const char *function, const char *more);
/* driver_assign - n calls of the array, all with this payload; leases from.. */
void driver_assign(struct driver *d, uint32_t array, uint64_t lease, size_t n, const void *payload,
                   size_t bytes);
/* driver_assign_long - one call whose payload goes as a blob. */
void driver_assign_long(struct driver *d, uint32_t array, uint64_t lease, const void *payload,
                        size_t bytes);
void driver_direct(struct driver *d, uint64_t ticket, uint32_t engine, enum direct_op op,
                   const char *name, const void *data, size_t n);
/* driver_direct_long - a payload that goes in parts, as the protocol asks. */
void driver_direct_long(struct driver *d, uint64_t ticket, uint32_t engine, enum direct_op op,
                        const char *name, const void *data, size_t n);
/* driver_ack - of the result of a ticket: so much was taken. */
void driver_ack(struct driver *d, uint64_t ticket, uint64_t bytes);
void driver_revoke(struct driver *d, uint64_t lease);
void driver_send(struct driver *d, const struct message *m);
/* driver_pump - takes what there is, waiting for it at most so long. */
void driver_pump(struct driver *d, int wait_ms);

/* driver_until - pumps until it holds; false after ten seconds without. */
#define driver_until(d, condition)                                                                 \
    ({                                                                                             \
        uint64_t until_ = clock_mono_us() + 10000000;                                              \
        while (!(condition) && clock_mono_us() < until_)                                           \
            driver_pump(d, 50);                                                                    \
        (condition);                                                                               \
    })

#endif
