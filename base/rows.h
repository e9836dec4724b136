#ifndef GRANGE_BASE_ROWS_H
#define GRANGE_BASE_ROWS_H
/* rows - what a task, an array, a lease's end look like, in words that the core, the store and the
 * wire share. A `struct change` is one thing that must be durable before anyone hears of it: the
 * core emits changes, the store commits them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"

/* A task is in exactly one of these. See docs/design.md for the table of allowed moves. 0 is ready,
 * so that a million fresh points are untouched zero pages. */
#define TASK_STATES(X)                                                                             \
    X(TASK_READY, "ready")             /* may be dispatched */                                     \
    X(TASK_WAITING, "waiting")         /* for its backoff to pass */                               \
    X(TASK_LEASED, "running")          /* given to a worker */                                     \
    X(TASK_DONE, "done")               /* succeeded */                                             \
    X(TASK_FAILED, "failed")           /* ended for good without success */                        \
    X(TASK_CANCELLED, "cancelled")     /* by a person */                                           \
    X(TASK_SKIPPED, "skipped")         /* left out by --where */                                   \
    X(TASK_QUARANTINED, "quarantined") /* several workers in a row were lost under it */
enum task_state {
#define X(name, text) name,
    TASK_STATES(X)
#undef X
        N_TASK_STATES
};
const char *task_state_name(enum task_state state); /* static; "?" for a number that is none */
static inline bool task_state_ended(enum task_state s)
{
    return s >= TASK_DONE;
}

/* Why a lease ended. */
#define END_REASONS(X)                                                                             \
    X(END_EXIT, "exit")               /* code: exit status */                                      \
    X(END_SIGNAL, "signal")           /* code: signal number */                                    \
    X(END_TIMEOUT, "timeout")         /* code: limit in ms */                                      \
    X(END_NOT_STARTED, "not started") /* code: errno */                                            \
    X(END_LOST, "worker lost")        /* the worker went away; costs no retry */                   \
    X(END_REVOKED, "stopped")         /* the scheduler asked for it; costs no retry */             \
    X(END_CANCELLED, "cancelled")                                                                  \
    X(END_QUARANTINED, "quarantined")                                                              \
    X(END_SUPERSEDED, "superseded") /* a late result of a lease that was no longer current */      \
    X(END_INFRA, "worker trouble")  /* code: errno; the worker could not, costs no retry */
enum end_reason {
#define X(name, text) name,
    END_REASONS(X)
#undef X
        N_END_REASONS
};
const char *end_reason_name(enum end_reason reason);

/* What an exit status means; index 0..255 of policy.exit_action. */
enum exit_action {
    EXIT_DEFAULT, /* 0 succeeds; anything else fails and is retried while retries are left */
    EXIT_OK,      /* succeeded */
    EXIT_RETRY,   /* retried while retries are left (at least EXIT_RETRY_TIMES) */
    EXIT_FATAL,   /* failed for good, never retried */
    N_EXIT_ACTIONS
};
enum { EXIT_RETRY_TIMES = 3 };

enum halt_when { HALT_NEVER, HALT_SOON, HALT_NOW };

/* policy - how the tasks of an array are run. Plain numbers: the core reads it. */
struct policy {
    uint32_t retries;         /* further attempts after a failure */
    uint32_t timeout_percent; /* of the median of finished points; 0 = none */
    ms_t timeout_ms;          /* wall time of one attempt; 0 = none */
    ms_t grace_ms;            /* between TERM and KILL */
    uint32_t cores;           /* slots that a task takes, at least 1 */
    uint32_t memory_mib;      /* that a task takes; 0 = not counted and not limited */
    enum halt_when halt_when;
    uint32_t halt_fails;   /* stop the study at this many failed points; 0 = no such rule */
    uint32_t halt_percent; /* or at this share of the points that ended, once 20 have */
    uint64_t order_seed;   /* 0 = in order; else dispatched in a permutation drawn from it */
    uint8_t exit_action[256];
};

struct array_row {
    array_id id;
    study_id study;
    task_id first;   /* its tasks are first.n .. first.n + n - 1 */
    uint64_t n;      /* 1..POINTS_MAX */
    uint64_t key[2]; /* hash of what defines the points: the same design again is the same array */
    ms_t submitted_ms;
    struct policy policy;
    const char *name; /* of its study; borrowed */
    const void *spec; /* the study as JSON (study/spec.h); borrowed, opaque to the core */
    size_t spec_bytes;
};

/* What a point produced. Opaque to the core, which passes the pointer on from event to change. */
struct end_body {
    const char *values;     /* JSON array of strings: the factor values in factor order */
    const char *metrics;    /* JSON object name -> number or string; "{}" when none */
    const char *error_line; /* first line of stderr of a failure, or why it could not start; "" */
    const char *out_file, *err_file; /* where a long stream went, relative to the grange dir; "" */
    const void *out, *err;           /* first OUTPUT_STORE_MAX bytes, zstd when *_packed */
    uint32_t out_bytes, err_bytes;   /* of out and err as they are here */
    bool out_packed, err_packed;
    uint64_t out_total, err_total; /* bytes that were printed */
    const char *dir;               /* the point's directory, relative to the grange dir; "" */
    uint32_t metrics_missing;      /* how many metrics were not found */
};

/* The end of a lease: of a task (CHG_END) or only of an attempt (CHG_ATTEMPT). */
struct end_row {
    task_id task;
    lease_id lease;
    worker_id worker;
    enum task_state state; /* of the task: DONE, FAILED, CANCELLED, QUARANTINED; as left by an
                              attempt otherwise */
    enum end_reason reason;
    int32_t code;
    uint32_t attempts;         /* leases so far that counted, this one included */
    bool counted;              /* an attempt that spends a retry */
    ms_t started_ms, ended_ms; /* wall clock of the worker; 0 when it never started */
    uint64_t wall_us, user_us, sys_us;
    uint64_t maxrss_kib;
    const struct end_body *body; /* may be NULL; borrowed until the commit */
};

struct worker_row {
    worker_id id;
    uint64_t instance;             /* drawn by the worker process at its start */
    char name[NAME_BYTES_MAX + 1]; /* the same for the process that replaces it */
    char host[NAME_BYTES_MAX + 1];
    uint32_t pid, slots;
    uint64_t memory_mib;
    ms_t since_ms;
};

enum change_kind {
    CHG_ARRAY,   /* array: a new array, made the current one of its study */
    CHG_CURRENT, /* array.study, array.id: makes an existing array the current one; policy and spec
                    may be new */
    CHG_STUDY_STATE, /* study, active: whether a restarted scheduler goes on with it by itself */
    CHG_ADOPT,   /* task, from: the end of task is that of from, a task of an older array; or many:
                    adopts */
    CHG_END,     /* end: appended, exactly once per task until CHG_REOPEN */
    CHG_ATTEMPT, /* end: an attempt that did not become the result */
    CHG_REOPEN,  /* task: its end (own or adopted) becomes an attempt; it will run again */
    CHG_REOPEN_FAILED, /* the same for all tasks of an array (task .. from, inclusive) that ended
                          FAILED, CANCELLED or QUARANTINED */
    CHG_RUNNING,     /* end.task, end.lease, end.worker, end.started_ms: a lease that lives long */
    CHG_STOPPED,     /* end.lease: no longer running; a row may not exist */
    CHG_WORKER,      /* worker: joined */
    CHG_WORKER_GONE, /* worker.id: left or lost */
};

/* The end of task is that of from. */
struct adopt {
    task_id task, from;
};

struct change {
    enum change_kind kind;
    bool active;        /* CHG_STUDY_STATE */
    study_id study;     /* CHG_STUDY_STATE */
    task_id task, from; /* CHG_ADOPT, CHG_REOPEN, CHG_REOPEN_FAILED */
    union {
        struct array_row array;
        struct end_row end;
        struct worker_row worker;
        struct {
            const struct adopt
                *pairs; /* CHG_ADOPT of a million is one change; NULL: task and from */
            size_t n;
        } adopts;
    };
};

#endif
