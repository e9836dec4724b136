#ifndef GRANGE_PROTO_MESSAGE_H
#define GRANGE_PROTO_MESSAGE_H
/* message - what crosses the wire, as plain structs. wire.h turns them into bytes and back; link.h
 * carries the bytes. Who sends what, in which order: docs/protocol.md.
 *
 * Arrays and texts are borrowed: by wire_encode for the call; from wire_decode until message_fini.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chunk.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/machine.h"
#include "base/rows.h"

enum { WIRE_VERSION = 2 };
#define GRANGE_PROGRAM_VERSION                                                                     \
    "0.1.0" /* the same as GRANGE_VERSION of client/grange.h: a test compares them */

enum role { ROLE_CLIENT = 1, ROLE_WORKER = 2 };

enum message_kind {
    /* both ways */
    MSG_HELLO = 1, /* first on a connection, from the one that dialled */
    MSG_BEAT,      /* every BEAT_MS; a worker's names what has run longer than half a second */
    MSG_BYE,       /* the sender leaves in good order */
    /* scheduler -> anyone */
    MSG_WELCOME,
    MSG_REFUSED, /* a request, or the hello; says why */
    MSG_REPLY,   /* to hold, cancel, retry: how many points it touched */
    /* client -> scheduler; each carries a request number that the answer repeats */
    MSG_SUBMIT,
    MSG_HOLD, /* no new points of a study; `now`: stop the running ones too */
    MSG_CANCEL,
    MSG_RETRY,
    MSG_FOLLOW,   /* send progress of a study from now on */
    MSG_SHUTDOWN, /* scheduler and workers end */
    /* scheduler -> client */
    MSG_SUBMITTED,
    MSG_PROGRESS,
    /* scheduler -> worker */
    MSG_SPEC, /* before the first assign of an array on this connection */
    MSG_ASSIGN,
    MSG_REVOKE, /* stop these leases; each is answered by a result */
    MSG_RECALL, /* give back up to n leases that have not started */
    MSG_ACK,    /* these results are durable: forget them */
    MSG_LIMIT,  /* a new wall time limit for the leases of an array */
    /* worker -> scheduler */
    MSG_RESULTS,
    MSG_RETURNED, /* answer to recall, and to an assign that the worker does not want */
    /* arrays of calls: client -> scheduler, each with its answer */
    MSG_OPEN, /* an array of calls by its key: made, or the one that is there */
    MSG_OPENED,
    MSG_APPEND, /* further calls; those that are there already are not appended twice */
    MSG_APPENDED,
    MSG_COLLECT, /* send the ends of an array from now on */
    MSG_ENDS,
    /* to and from an engine: client -> scheduler -> worker, and back */
    MSG_DIRECT,
    MSG_DIRECT_END,
    MSG_DIRECT_ACK, /* either way: parts that were taken off the receiver's hands */
    /* long payloads and results: worker, client <-> scheduler */
    MSG_BLOB, /* a part, in order; to the scheduler each is answered by an ack */
    MSG_BLOB_WANT,
    MSG_BLOB_ACK,
    /* the farm: client -> scheduler */
    MSG_CONTROL, /* answered by a reply */
    MSG_WATCH,   /* answered by a farm */
    MSG_FARM,
    MSG_DRAIN,   /* to a worker: take nothing new, end what runs, leave; from one: it does so */
    MSG_ENGINES, /* worker -> scheduler: all of its engines, whenever one changes */
    MSG_LOOK,    /* client -> scheduler: answered by a looked */
    MSG_LOOKED,
    N_MESSAGE_KINDS
};
const char *message_kind_name(enum message_kind kind);

enum hold_state { HOLD_QUEUED, HOLD_RUNNING, HOLD_FINISHED };
struct held_lease { /* hello of a worker: what it still has; beat: what runs long */
    lease_id lease;
    task_id task;
    enum hold_state state;
    ms_t elapsed_ms; /* since it started; 0 when queued */
};

struct grant {
    lease_id lease;
    task_id task;
};

struct counts { /* of one study's current array */
    uint64_t n, ready, waiting, running, done, failed, cancelled, skipped, quarantined;
    uint64_t reused;  /* of the ended ones: how many had ended before this submission */
    uint64_t lost;    /* attempts lost with a worker since the scheduler started */
    uint64_t blocked; /* for others to end; not among ready */
    uint64_t unmet;   /* of skipped: what they wait for can no longer come */
    uint64_t warned;  /* of done: with a warning */
};
enum study_state { STUDY_ACTIVE, STUDY_HELD, STUDY_HALTED, STUDY_ENDED };
struct running_point {
    uint64_t index;
    ms_t elapsed_ms;
    double share; /* 0 to 1; 0: not known */
};

/* call_share - how far a running call is, as its function said. */
struct call_share {
    uint64_t id;      /* in beat its lease, in ends its index */
    double share;     /* 0 to 1 */
    const char *text; /* at most SHARE_TEXT_MAX bytes */
};

/* call_extra - what few ends have. */
struct call_extra {
    const char *error;         /* why it failed, in a line; "" */
    task_id because;           /* END_UNMET: the task that did not end as it had to; 0: not known */
    uint64_t blob, blob_bytes; /* a result over INLINE_BYTES_MAX; 0: none */
    const void *out, *err;     /* what was printed, at most OUTPUT_STORE_MAX; zstd when *_packed */
    uint32_t out_bytes, err_bytes;
    bool out_packed, err_packed;
    uint64_t out_total, err_total;
    const char *out_file,
        *err_file; /* where a long stream went, relative to the grange directory */
};

/* call_end - the end of one call, as who collects sees it. */
struct call_end {
    uint64_t index; /* in its array */
    enum task_state state;
    enum end_reason reason;
    int32_t code;
    uint32_t attempts;
    uint32_t worker;                         /* in message.ends.workers; UINT32_MAX: none */
    ms_t submitted_ms, started_ms, ended_ms; /* wall clock; 0: not known or never started */
    uint64_t wall_us, user_us, sys_us, maxrss_kib;
    const void *result;
    uint32_t result_bytes;
    const struct call_extra *extra; /* NULL: nothing of it */
};
struct worker_name {
    const char *name, *host;
};

enum direct_op { DIRECT_CALL, DIRECT_PUT, DIRECT_GET, DIRECT_DROP, DIRECT_CANCEL, N_DIRECT_OPS };

enum control_verb {
    CONTROL_DRAIN = 1,   /* name: a worker, or its id; number: grace in ms, negative: no end */
    CONTROL_RELEASE,     /* name: a study that is held */
    CONTROL_PRIORITY,    /* name: a study; number */
    CONTROL_WEIGHT,      /* name: a study; number 1..1000 */
    CONTROL_RUNNING_MAX, /* name: a study; number, 0: no limit */
    CONTROL_DOWN,        /* the farm ends; number: grace in ms of what runs, negative: no end */
    N_CONTROL_VERBS
};

enum engine_state { ENGINE_STARTING, ENGINE_IDLE, ENGINE_BUSY, ENGINE_DOWN, N_ENGINE_STATES };
struct engine_info {
    uint32_t slot, pid, restarts;
    enum engine_state state;
    const char *reason;    /* why it was started again or is down, "" */
    const char *functions; /* their names, one a line */
    uint64_t engine;       /* id in the farm; 0-based; only in MSG_FARM */
    uint32_t worker;       /* index in farm.workers; only in MSG_FARM */
};

enum worker_state { WORKER_UP, WORKER_AWAY, WORKER_DRAINING, WORKER_QUARANTINED, N_WORKER_STATES };
struct farm_worker {
    worker_id id;
    const char *name, *host;
    enum worker_state state;
    uint32_t pid, slots, slots_busy, queued;
    uint64_t memory_mib, n_done;
    ms_t since_ms, end_ms; /* wall clock; end 0: none */
    const char *labels;    /* one a line */
    const char *resources; /* "gpus=2", one a line */
    const char *why;       /* it is quarantined; "" */
};
struct farm_study {
    study_id id;
    const char *name;
    enum study_state state;
    int32_t priority;
    uint32_t weight, running_max;
    ms_t submitted_ms;
    struct counts counts;
};

struct message {
    enum message_kind kind;
    union {
        struct {
            enum role role;
            uint32_t version;    /* WIRE_VERSION of the sender */
            const char *program; /* "grange 0.1.0" */
            uint64_t instance;
            const char *name, *host;
            uint32_t pid, slots;
            uint64_t memory_mib;
            const struct held_lease *held;
            size_t n_held;
            /* of a worker */
            const char *const *labels; /* "k=v" or "k" */
            size_t n_labels;
            const char *const *functions; /* of its engines */
            size_t n_functions;
            const struct resource *resources;
            size_t n_resources;
            ms_t end_ms; /* it leaves at this wall time; 0: not known */
        } hello;
        struct {
            const struct held_lease *held;
            size_t n_held;
            const struct call_share *shares; /* of a worker: all that it has; or none is new */
            size_t n_shares;
        } beat;
        struct {
            bool down; /* of a scheduler, to clients: the farm was ended, not just it */
        } bye;
        struct {
            uint32_t version;
            const char *program;
            uint32_t epoch;
            worker_id worker;
            const char *owner; /* who started the scheduler: "run 4711", or "" for a daemon */
        } welcome;
        struct {
            uint64_t request;
            uint32_t code;
            const char *text;
        } refused;
        struct {
            uint64_t request;
            uint64_t n;
        } reply;
        struct {
            uint64_t request;
            const void *spec;
            size_t spec_bytes; /* JSON; empty with `resume` */
            const char *study; /* resume: name of a study that is in the store */
            bool resume, retry_failed, fresh;
            bool again; /* with resume: it was submitted on the connection before */
        } submit;
        struct {
            uint64_t request;
            const char *study;
            bool now;
        } hold;
        struct {
            uint64_t request;
            const char *study;
            array_id array; /* 0: the study's current array of points */
            bool all;
            const uint64_t *index;
            size_t n;
        } cancel;
        struct {
            uint64_t request;
            const char *study;
            array_id array; /* as of cancel */
            bool failed;
            const uint64_t *index;
            size_t n;
        } retry;
        struct {
            uint64_t request;
            const char *study;
        } follow;
        struct {
            uint64_t request;
            const char *study;
            study_id id;
            array_id array;
            task_id first;
            struct counts counts;
            bool template_changed; /* earlier points of the study had another command */
        } submitted;
        struct {
            const char *study;
            enum study_state state;
            struct counts counts;
            uint32_t n_workers, slots, slots_busy;
            uint64_t limit_ms; /* of the array, once a relative timeout is known */
            const struct running_point *running;
            size_t n_running;
        } progress;
        struct {
            array_id array;
            task_id first;
            const void *spec;
            size_t spec_bytes;
        } spec;
        struct {
            array_id array;
            ms_t limit_ms;
            bool again; /* they had attempts before: their restart command runs */
            const struct grant *grants;
            size_t n;
            /* of calls: sizes[n] (NULL: an array of points), payloads one after the other */
            const uint32_t *sizes;
            const void *payloads;
            size_t payloads_bytes;
            const struct blob_ref *blobs; /* of those whose size here is 0 */
            size_t n_blobs;
        } assign;
        struct {
            const lease_id *leases;
            size_t n;
            const lease_id *useless; /* of an ack: those among them that did not become a result */
            size_t n_useless;
        } revoke, ack, returned;
        struct {
            uint32_t n;
        } recall;
        struct {
            array_id array;
            ms_t limit_ms;
        } limit;
        struct {
            const struct end_row *rows;
            size_t n;
        } results; /* rows[i].body set when there is one */
        struct {
            uint64_t request;
            const char *key;   /* at most KEY_BYTES_MAX */
            const char *study; /* that it belongs to; "": one of the key's name */
            const void *spec;  /* JSON; empty: the array must be there already */
            size_t spec_bytes;
            bool again; /* it was open on the connection before */
        } open;
        struct {
            uint64_t request;
            const char *study;
            study_id id;
            array_id array;
            task_id first;
            uint64_t n; /* calls appended so far */
            bool closed;
        } opened;
        struct {
            uint64_t request;
            array_id array;
            uint64_t at, n;        /* indexes at .. at + n - 1 */
            const uint32_t *sizes; /* [n], each at most INLINE_BYTES_MAX */
            const void *payloads;  /* one after the other */
            size_t payloads_bytes; /* the sum of the sizes */
            const uint8_t *rules;  /* [n] or NULL */
            const struct edge *edges;
            size_t n_edges;
            const struct blob_ref *blobs;
            size_t n_blobs;
            bool close; /* these are the last */
        } append;
        struct {
            uint64_t request;
            array_id array;
            uint64_t n; /* so many calls of the array are durable */
            bool closed;
        } appended;
        struct {
            uint64_t request; /* answered by a reply, then ends */
            array_id array;   /* or 0 and the key */
            const char *key;
            uint64_t cursor;       /* ends recorded after it; 0: from the first */
            const uint64_t *index; /* only of these; n 0: of all */
            size_t n;
            bool stop;   /* no more of this array */
            bool shares; /* also how far its running calls are */
        } collect;
        struct {
            array_id array;
            uint64_t cursor; /* where to go on after these */
            bool caught_up;  /* all that were recorded are sent; from now on as they come */
            const struct call_end *ends;
            size_t n;
            const struct worker_name *workers;
            size_t n_workers;
            const struct call_share *shares; /* of calls that run: what is new */
            size_t n_shares;
        } ends;
        struct { /* a direct call; more parts follow while `more` is set */
            uint64_t ticket;
            uint64_t engine; /* to the scheduler: id in the farm; to the worker: slot */
            enum direct_op op;
            const char *name; /* function or value; only in the first part */
            uint64_t total;   /* bytes in all parts, when known */
            const void *data; /* at most BLOB_PART_BYTES */
            size_t data_bytes;
            bool more;
            uint64_t machine; /* first part: where the client could reach files; 0: nowhere */
            uint64_t filled;  /* the last one, without data: so many bytes are in the ack's file */
            struct shared_file file; /* first part, without data: all of the payload is there */
            ms_t limit_ms;           /* first part: how long the function may run; 0: for ever */
        } direct;
        struct {
            uint64_t ticket;
            enum end_reason reason;
            int32_t code;
            const char *text; /* why it failed; "" */
            uint64_t total;
            const void *data;
            size_t data_bytes;
            bool more;
            uint64_t wall_us;
            struct shared_file file; /* first part: all of it, for a client on the machine */
        } direct_end;
        struct {
            uint64_t ticket, bytes;  /* taken so far */
            struct shared_file file; /* the rest may be put there instead */
        } direct_ack;
        struct {
            uint64_t blob, offset, total;
            const void *data; /* at most BLOB_PART_BYTES */
            size_t data_bytes;
        } blob;
        struct {
            uint64_t blob, offset;
            uint32_t parts; /* at most BLOB_WINDOW */
        } blob_want;
        struct {
            uint64_t blob, offset; /* so much is there: go on here */
            bool done;             /* all of it, durable */
            uint32_t code;         /* base/err.h: it cannot be had or taken */
            const char *text;
        } blob_ack;
        struct {
            uint64_t request;
            enum control_verb verb;
            const char *name;
            int64_t number;
            bool flag;
        } control;
        struct {
            uint64_t request;
        } watch;
        struct {
            uint64_t request;
            const struct farm_worker *workers;
            size_t n_workers;
            const struct engine_info *engines;
            size_t n_engines;
            const struct farm_study *studies;
            size_t n_studies;
            ms_t since_ms; /* the scheduler's start */
            uint32_t n_clients;
            uint64_t n_leases, n_ended; /* out now; ended since the start */
        } farm;
        struct {
            ms_t grace_ms;
        } drain;
        struct {
            const struct engine_info *engines;
            size_t n;
        } engines;
        struct {
            uint64_t request;
            uint64_t look;    /* 0: a new one */
            const char *verb; /* with its options ("--format=csv") and words (study, point) */
            const char *const *options, *const *words;
            size_t n_options, n_words;
        } look;
        struct {
            uint64_t request, look;
            const void *out;
            size_t out_bytes;
            bool ended;
            int32_t code;
            const void *err;
            size_t err_bytes;
        } looked;
    };
    void *arena; /* wire_decode's memory; NULL in a message that was built by hand */
};

#endif
