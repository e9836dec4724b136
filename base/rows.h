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
    X(TASK_QUARANTINED, "quarantined") /* several workers in a row were lost under it */           \
    X(TASK_BLOCKED, "blocked")         /* for the tasks that it waits for */                       \
    X(TASK_UNMET, "skipped")           /* what it waits for can no longer come */
enum task_state {
#define X(name, text) name,
    TASK_STATES(X)
#undef X
        N_TASK_STATES
};
/* Where states are read back as bytes: a DONE with a warning (END_WARNED) is TASK_DONE | this. */
enum { STATE_WARNED = 0x80 };
const char *task_state_name(enum task_state state); /* static; "?" for a number that is none */
static inline bool task_state_ended(enum task_state s)
{
    return s >= TASK_DONE && s != TASK_BLOCKED;
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
    X(END_INFRA, "worker trouble")  /* code: errno; the worker could not, costs no retry */        \
    X(END_UNMET, "dependency")      /* never ran; `because` is the task whose end is the reason */ \
    X(END_WARNED, "warning") /* code: exit status, which counts as a success with a warning */
enum end_reason {
#define X(name, text) name,
    END_REASONS(X)
#undef X
        N_END_REASONS
};
const char *end_reason_name(enum end_reason reason);

/* What an exit status means; index 0..255 of policy.exit_action. */
enum exit_action {
    EXIT_DEFAULT,    /* 0 succeeds; anything else fails and is retried while retries are left */
    EXIT_OK,         /* succeeded */
    EXIT_RETRY,      /* retried while retries are left (at least EXIT_RETRY_TIMES) */
    EXIT_FATAL,      /* failed for good, never retried */
    EXIT_WARN,       /* succeeded, with a warning: counted and shown */
    EXIT_QUARANTINE, /* set aside at once, for a person to look at */
    N_EXIT_ACTIONS
};
enum { EXIT_RETRY_TIMES = 3 };

enum halt_when { HALT_NEVER, HALT_SOON, HALT_NOW };

/* resource - so many of a named thing: what a worker has, what a task takes while it runs. */
struct resource {
    char name[RESOURCE_NAME_MAX + 1];
    uint32_t amount;
};

/* needs - what a task takes and asks for. Resources and labels are sorted and have no duplicates
 * (base/needs.h makes them so); what is beyond the counts is zero. */
struct needs {
    uint32_t cores;      /* slots that a task takes, at least 1 */
    uint32_t memory_mib; /* 0: not counted and not limited */
    uint32_t n_resources, n_labels;
    ms_t least_ms; /* it takes at least so long: not started where less is left; 0: not known */
    struct resource resources[RESOURCES_MAX];
    char labels[NEEDS_LABELS_MAX]
               [LABEL_BYTES_MAX + 1]; /* "k=v", "k", "fn:NAME": the worker has them all */
};

/* policy - how the tasks of an array are run. Plain numbers: the core reads it. */
struct policy {
    uint32_t retries;         /* further attempts after a failure */
    uint32_t timeout_percent; /* of the median of finished points; 0 = none */
    ms_t timeout_ms;          /* wall time of one attempt; 0 = none */
    ms_t grace_ms;            /* between TERM and KILL */
    enum halt_when halt_when;
    uint32_t halt_fails;   /* stop the study at this many failed points; 0 = no such rule */
    uint32_t halt_percent; /* or at this share of the points that ended, once 20 have */
    uint64_t order_seed;   /* 0 = in order; else dispatched in a permutation drawn from it */
    ms_t backoff_min_ms, backoff_max_ms; /* before the first retry, and at most; 0: the defaults */
    int32_t priority;                    /* higher first; may be negative */
    uint32_t weight;      /* share of the farm among studies of the same priority; 0: 1 */
    uint32_t running_max; /* tasks of the study that may be out at once; 0 = no such limit */
    bool speculate;       /* backup attempts for stragglers at the end */
    struct needs needs;
    uint8_t exit_action[256];
};

/* An array of points is a sweep whose size is known when it is submitted. An array of calls grows:
 * POINTS_MAX task ids are its own from the start, and n is how many it has so far. */
enum array_kind { ARRAY_POINTS, ARRAY_CALLS };

/* rule - what a task (or an array) waits for. Success counts unless RULE_NOT_SUCCESS, any other end
 * counts with RULE_ON_FAILURE; so either end is RULE_ON_FAILURE alone, failure alone both of them.
 * Of all its edges each must end in a way that counts; with RULE_ANY one is enough. */
enum {
    RULE_ALL = 0,
    RULE_ANY = 1,
    RULE_ON_FAILURE = 2,
    RULE_NOT_SUCCESS = 4,
    RULE_FOLLOW = 8, /* runs on the worker where the task of its first edge ran, with RULE_ANY the
                        one whose end was the first that counts; while that is there */
    RULE_BITS = 15
};

/* One call waits for one task. */
struct edge {
    uint64_t call; /* index in the append that it came with */
    task_id on;    /* a task of the same study */
};

/* An array waits for another one, also of another study, as the rule says: for all of it or, with
 * RULE_ANY, one task of it; with `element` its i-th task waits for the i-th there. Each of several
 * must be met. */
struct array_edge {
    array_id on;
    uint8_t rule; /* RULE_FOLLOW has no meaning here */
    bool element;
};

struct array_row {
    array_id id;
    study_id study;
    enum array_kind kind;
    bool closed;     /* calls: nothing is appended any more */
    task_id first;   /* its tasks are first.n .. first.n + n - 1 */
    uint64_t n;      /* points: 1..POINTS_MAX; calls: as many as were appended */
    uint64_t key[2]; /* hash of what defines the points: the same design again is the same array */
    ms_t submitted_ms;
    struct policy policy;
    const struct array_edge *after; /* borrowed */
    size_t n_after;
    const char *key_text; /* calls: the key that its client gave it; borrowed */
    const char *name;     /* of its study; borrowed */
    const void *spec;     /* the study as JSON (study/spec.h); borrowed, opaque to the core */
    size_t spec_bytes;
};

/* What a point produced. Opaque to the core, which passes the pointer on from event to change. */
struct end_body {
    const char *values;     /* JSON array of strings: the factor values in factor order */
    const char *metrics;    /* JSON object name -> number or string; "{}" when none */
    const char *error_line; /* first line of stderr of a failure, or why it could not start; "" */
    /* Where a long stream went and the point's directory is, relative to the grange directory, or
     * HOST:/PATH; "": nowhere. */
    const char *out_file, *err_file, *dir;
    const void *out, *err;         /* first OUTPUT_STORE_MAX bytes, zstd when *_packed */
    uint32_t out_bytes, err_bytes; /* of out and err as they are here */
    bool out_packed, err_packed;
    uint64_t out_total, err_total; /* bytes that were printed */
    uint32_t metrics_missing;      /* how many metrics were not found */
    const void *result;            /* of a call: the bytes that it gave back */
    size_t result_bytes;           /* at most INLINE_BYTES_MAX, or 0 and a blob */
    uint64_t blob, blob_bytes;     /* a result that is longer; 0: none */
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
    task_id because; /* END_UNMET: the task that did not end as it had to; 0: not known */
    const struct end_body *body; /* may be NULL; borrowed until the commit */
};

/* attempt_ran - whether an attempt that did not become the result had begun: another one at its
 * task is not the first. */
static inline bool attempt_ran(const struct end_row *e)
{
    return e->counted || e->reason == END_LOST ||
           ((e->reason == END_REVOKED || e->reason == END_INFRA) && (e->started_ms || e->wall_us));
}

struct worker_row {
    worker_id id;
    uint64_t instance;             /* drawn by the worker process at its start */
    char name[NAME_BYTES_MAX + 1]; /* the same for the process that replaces it */
    char host[NAME_BYTES_MAX + 1];
    uint32_t pid, slots;
    uint64_t memory_mib;
    ms_t since_ms;
    ms_t end_ms; /* it ends then, by the scheduler's clock; 0: not known to end */
    uint32_t n_resources;
    struct resource resources[RESOURCES_MAX]; /* sorted by name */
    const char *labels;                       /* one a line; borrowed; NULL: none */
};

enum change_kind {
    CHG_ARRAY,   /* array: a new array; one of points is made the current one of its study */
    CHG_CURRENT, /* array.study, array.id: makes an existing array of points the current one; policy
                    and spec may be new */
    CHG_APPEND,  /* append: calls at .. at + n - 1 of an array of calls */
    CHG_CLOSED,  /* append.array: nothing is appended to it any more */
    CHG_STUDY_STATE, /* study, active: whether a restarted scheduler goes on with it by itself;
                        halted: a halt rule is why not */
    CHG_ADOPT,   /* task, from: the end of task is that of from, a task of an older array; or many:
                    adopts */
    CHG_END,     /* end: appended, exactly once per task until CHG_REOPEN */
    CHG_ATTEMPT, /* end: an attempt that did not become the result */
    CHG_REOPEN,  /* task: its end (own or adopted) becomes an attempt; it will run again */
    CHG_REOPEN_FAILED, /* the same for all tasks of an array (task .. from, inclusive) that ended
                          FAILED, CANCELLED or QUARANTINED (not UNMET: those that follow are
                          reopened one by one) */
    CHG_RUNNING,     /* end.task, end.lease, end.worker, end.started_ms: a lease that lives long */
    CHG_STOPPED,     /* end.lease: no longer running; a row may not exist */
    CHG_WORKER,      /* worker: joined, or has something else to offer than before */
    CHG_COUNT_ANEW,  /* array.id: halt rules look at the ends from now on */
    CHG_POLICY,      /* array.id, array.policy: another policy of an array; nothing else of it */
    CHG_WORKER_GONE, /* worker.id: left or lost */
};

/* The end of task is that of from. */
struct adopt {
    task_id task, from;
};

struct change {
    enum change_kind kind;
    bool active, halted; /* CHG_STUDY_STATE */
    study_id study;      /* CHG_STUDY_STATE */
    task_id task, from;  /* CHG_ADOPT, CHG_REOPEN, CHG_REOPEN_FAILED */
    union {
        struct array_row array;
        struct end_row end;
        struct worker_row worker;
        struct {
            const struct adopt *pairs; /* CHG_ADOPT of a million is one change, each from a task
                                          that ended itself; NULL: task and from */
            size_t n;
        } adopts;
        struct {
            array_id array;
            uint64_t at, n;
            const void *chunk; /* what the event said; opaque to the core, borrowed */
        } append;
    };
};

#endif
