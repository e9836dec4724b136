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

#include "base/ids.h"
#include "base/limits.h"
#include "base/rows.h"

enum { WIRE_VERSION = 1 };
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
    uint64_t reused; /* of the ended ones: how many had ended before this submission */
    uint64_t lost;   /* attempts lost with a worker since the scheduler started */
};
enum study_state { STUDY_ACTIVE, STUDY_HELD, STUDY_HALTED, STUDY_ENDED };
struct running_point {
    uint64_t index;
    ms_t elapsed_ms;
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
        } hello;
        struct {
            const struct held_lease *held;
            size_t n_held;
        } beat;
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
        } submit;
        struct {
            uint64_t request;
            const char *study;
            bool now;
        } hold;
        struct {
            uint64_t request;
            const char *study;
            bool all;
            const uint64_t *index;
            size_t n;
        } cancel;
        struct {
            uint64_t request;
            const char *study;
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
            const struct grant *grants;
            size_t n;
        } assign;
        struct {
            const lease_id *leases;
            size_t n;
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
    };
    void *arena; /* wire_decode's memory; NULL in a message that was built by hand */
};

#endif
