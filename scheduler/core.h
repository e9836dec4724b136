#ifndef GRANGE_SCHEDULER_CORE_H
#define GRANGE_SCHEDULER_CORE_H
/* core - every decision of the farm, and no I/O.
 *
 * core_step takes one event at a time `now` that never goes back and appends what follows from it
 * to *out: changes that must become durable, then sends that may leave once they are. It reads no
 * clock, makes no system call, calls nobody back: the same config and the same events always give
 * the same outputs. Work is given out and progress is told at EV_TIMEOUT only, once for a whole
 * turn of other events: core_deadline is due at once while there is any. It cannot fail: what a
 * peer sent wrong is answered with SEND_REFUSED or ignored, a broken invariant aborts. Everything
 * in an event is borrowed for the call; bodies of results are passed on as pointers, so the caller
 * keeps them until the commit. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"
#include "base/rows.h"

struct core;

struct core_config {
    uint64_t seed;  /* of backoff jitter */
    uint32_t epoch; /* of this start: fences leases */
    worker_id next_worker;
    ms_t lost_after_ms, adopt_ms, settle_ms, prefetch_ms; /* see base/limits.h for the defaults */
    bool hold_all; /* restored studies wait until a client submits or resumes them */
};
void core_config_default(struct core_config *cfg);

enum study_mode { MODE_ACTIVE, MODE_HELD, MODE_HALTED }; /* may its tasks be dispatched */

enum event_kind {
    /* start-up, in this order */
    EV_ARRAY, /* array, states, active: an array of a study, as the store has it: the current one of
                 points, or one of calls: that comes empty (n and states are not looked at) and is
                 filled by EV_APPEND with `stored`. What it is `after` comes before it. */
    EV_TROUBLE, /* task, failures, losses: an attempt began; those that counted so far; lease: the
                   last failure's */
    EV_KNOWN_WORKER, /* worker: was connected when the last scheduler ended */
    EV_RUNNING,      /* lease, task, worker_row_id, started_ms: a long lease that was out */
    EV_RESTORED,     /* start-up is over */
    /* clients */
    EV_SUBMIT, /* array, states, adopts: new or existing; from, request. An array of calls is opened
                  by it: n is 0, the same id again changes nothing. One of points replaces the one
                  of its study. SEND_SUBMITTED */
    EV_APPEND, /* array_id, at, n, rules, edges, close, chunk: SEND_APPENDED with how many calls
                  there are. What is there already (at + n is no more than that) changes nothing; a
                  gap, an overlap, a closed array, an edge on an unknown task and a cycle are
                  refused. With n 0 it only closes. With `stored` it is what the store has: states
                  say which ended, nothing is answered and nothing is to be written. The stored
                  appends of a study come in the order in which they were made, whatever their
                  arrays. */
    EV_PLACES, /* array_id, n, places: where its tasks ended, as core_places_due asked for it; at:
                  how many ends were recorded so far */
    EV_UNLOAD, /* array_id, or study: forgets an array of calls that is closed and has ended, unless
                  others wait for it or it for them; or a study, all of it, that has ended. Does
                  nothing while it cannot: see core_array_loaded. EV_ARRAY brings it back. */
    EV_HOLD,
    EV_CANCEL,
    EV_RETRY,
    EV_FOLLOW,
    EV_RELEASE,  /* study: undoes a hold; from, request: answered by SEND_REPLY */
    EV_PRIORITY, /* study, number: its priority from now on, durable */
    EV_SHARE, /* study, weight, running_max: its share from now on, durable; weight 0: as it is */
    EV_DRAIN, /* worker_id, grace_ms: nothing new there; it ends when what runs has ended, or
                 grace_ms after now (0: at once, MS_NEVER: no limit). What is stopped then is
                 ready again at no cost. SEND_REPLY, or SEND_REFUSED when there is no such
                 worker */
    /* workers */
    EV_HELLO,
    EV_BEAT,
    EV_RESULT,
    EV_RETURNED,
    EV_BYE,
    EV_LEAVING, /* a worker drains by itself (SIGTERM): it takes no new work */
    /* anyone */
    EV_GONE,   /* the connection `from` ended */
    EV_TIMEOUT /* core_deadline has passed */
};

struct event_held {
    lease_id lease;
    task_id task;
    bool finished, running;
    ms_t elapsed_ms;
};

/* Where a task ended, and which of all recorded ends that was (from 4 billion on all are the same).
 */
struct core_place {
    uint32_t worker; /* worker_id.n; 0: it ran nowhere */
    uint32_t n;      /* 0: not known */
};
static inline uint32_t core_place_n(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

struct event {
    enum event_kind kind;
    peer_id from;
    uint64_t request;
    study_id study; /* HOLD, CANCEL, RETRY, FOLLOW */
    /* ARRAY, SUBMIT */
    const struct array_row *array;
    const uint8_t *states; /* [array->n] enum task_state, DONE perhaps with STATE_WARNED; NULL:
                              all ready. Copied. */
    const struct change *adopts; /* CHG_ADOPT rows that go with it; passed on */
    size_t n_adopts;
    uint64_t n_reused;              /* points of it that had ended before */
    bool is_new;                    /* not in the store yet */
    bool again;                     /* who lost the connection; what somebody held stays so. It
                                       is loaded */
    bool active;                    /* ARRAY: the study was being worked on */
    bool halted;                    /* ARRAY: it was not, because of a halt rule */
    uint64_t new_failed, new_ended; /* ARRAY: what its halt rule has counted: store_halt_counts */
    bool template_changed;
    const uint32_t *order; /* [array->n] which point is k-th; NULL: by policy. Copied. */
    const uint64_t *durations_us;
    size_t n_durations; /* of points done before: for the median; a sample will do */
    /* APPEND */
    uint64_t at, n;
    const uint8_t *rules;     /* [n] RULE_*, or NULL: all of them the rule of the array */
    const struct edge *edges; /* borrowed */
    size_t n_edges;
    const void *chunk; /* passed on in CHG_APPEND */
    bool close, stored;
    const struct core_place *places; /* PLACES: [n] where each ended */
    /* APPEND, UNLOAD; CANCEL, RETRY: the array that indexes are in; 0: the current one */
    array_id array_id;
    /* CANCEL, RETRY: indexes in an array; all / every failed one of the study when n is 0 */
    const uint64_t *index;
    size_t n_index;
    bool now;    /* HOLD: stop the running ones too */
    bool failed; /* RETRY: every failed, cancelled and quarantined one; index is empty */
    /* TROUBLE, RUNNING, RESULT */
    task_id task;
    lease_id lease;
    worker_id worker_id;
    uint32_t failures, losses;
    ms_t started_ms;
    int32_t number;               /* PRIORITY */
    uint32_t weight, running_max; /* SHARE */
    ms_t grace_ms;                /* DRAIN */

    const struct end_row *end; /* RESULT: lease, reason, code, times, body as the worker says */
    /* HELLO, KNOWN_WORKER */
    const struct worker_row *worker;
    const struct event_held *held;
    size_t n_held; /* HELLO, BEAT (running only), RETURNED */
};

enum send_kind {
    SEND_WELCOME,
    SEND_REFUSED,
    SEND_SUBMITTED,
    SEND_APPENDED,
    SEND_REPLY,
    SEND_PROGRESS,
    SEND_ASSIGN,
    SEND_REVOKE,
    SEND_RECALL,
    SEND_ACK,
    SEND_LIMIT,
    SEND_DRAIN, /* grace_ms: finish what runs and end */
    SEND_CLOSE  /* hang up on this peer */
};
struct core_grant {
    lease_id lease;
    task_id task;
};
struct send {
    enum send_kind kind;
    peer_id to;
    uint64_t request;
    array_id array;   /* ASSIGN, LIMIT, SUBMITTED, APPENDED */
    study_id study;   /* PROGRESS, SUBMITTED */
    worker_id worker; /* WELCOME */
    size_t grants, n; /* ASSIGN, REVOKE, ACK: out->grants[grants .. grants + n); RECALL, REPLY,
                            APPENDED: n, and SUBMITTED for calls */
    ms_t limit_ms;    /* ASSIGN, LIMIT; DRAIN: the grace */
    int err;          /* REFUSED: enum err */
    const char *text; /* REFUSED: static */
    bool flag;        /* SUBMITTED: template_changed; ASSIGN: these had attempts before */
};

/* outbox - what a turn of steps decided. Owned by the caller, cleared by outbox_clear after the
 * commit and the sends. Grows as needed; core_step adds at most GRANTS_MAX grants of new work. */
struct outbox {
    struct change *changes;
    size_t n_changes, cap_changes;
    struct send *sends;
    size_t n_sends, cap_sends;
    struct core_grant *grants;
    size_t n_grants, cap_grants;
};
void outbox_init(struct outbox *out);
void outbox_fini(struct outbox *out);
void outbox_clear(struct outbox *out);

struct core *core_new(const struct core_config *cfg);
void core_free(struct core *c);
void core_step(struct core *c, ms_t now, const struct event *ev, struct outbox *out);
ms_t core_deadline(const struct core *c); /* when EV_TIMEOUT is due; MS_NEVER: not by itself */

/* What a loop may ask between steps. */
struct core_counts {
    uint64_t n, ready, waiting, running, done, failed, cancelled, quarantined, reused, lost;
    uint64_t blocked; /* for others to end; not among ready */
    uint64_t skipped; /* left out by --where, or unmet */
    uint64_t unmet;   /* of those: what they wait for can no longer come */
    uint64_t warned;  /* of those that are done: with a warning */
};
struct core_study {
    study_id study;
    array_id array; /* the current one of points, else the youngest of calls */
    task_id first;
    uint64_t n_arrays; /* that are loaded and not replaced */
    enum study_mode mode;
    bool ended; /* every array is closed, nothing is ready, blocked, waiting or running */
    struct core_counts counts; /* of all its arrays */
    ms_t limit_ms;             /* relative timeout as it is now; 0: none or not known yet */
    int32_t priority;          /* of `array` */
    uint32_t weight, running_max;
    ms_t submitted_ms;
};
bool core_study(const struct core *c, study_id id, struct core_study *s);
bool core_array_loaded(const struct core *c, array_id id);
struct core_array {
    array_id id;
    study_id study;
    enum array_kind kind;
    task_id first;
    uint64_t n;
    bool closed, ended; /* ended: closed too */
    bool retired;       /* replaced by another submission; its last leases are still out */
    bool gated;         /* waits for whole arrays */
    struct core_counts counts;
};
bool core_array(const struct core *c, array_id id, struct core_array *a);
struct core_worker {
    const struct worker_row *row; /* until the next step */
    peer_id peer;                 /* 0: away */
    bool leaving;                 /* it drains */
    bool quarantined;             /* a black hole: it gets nothing more */
    uint32_t slots_busy, queued; /* queued: leases that wait there for a slot, as far as is known */
    uint64_t n_ended;            /* results that it sent */
};
/* core_workers - in the order in which they came; fills at most `most`, returns how many there are.
 */
size_t core_workers(const struct core *c, struct core_worker *list, size_t most);
struct core_running {
    array_id array;
    task_id task;
    ms_t elapsed_ms;
};
/* core_slowest - the longest running tasks of a study, slowest first; returns how many of at most
 * `most`. */
size_t core_slowest(const struct core *c, study_id id, ms_t now, struct core_running *running,
                    size_t most);
struct core_farm {
    uint32_t n_workers, n_away, slots, slots_busy;
    uint64_t leases;
};
void core_farm(const struct core *c, struct core_farm *f);
/* core_places_due - an array with a call that follows a task that ended before anybody asked where:
 * EV_PLACES is due before EV_TIMEOUT gives out work. false: there is none. */
bool core_places_due(const struct core *c, array_id *array);
/* core_moves - how many tasks moved from one state to another; for tests */
uint64_t core_moves(const struct core *c, enum task_state from, enum task_state to);
/* core_looks - how often dispatch looked whether a task fits a worker: its cost, for tests. */
uint64_t core_looks(const struct core *c);
uint64_t core_turns(const struct core *c);                 /* and at whose turn it is */
task_id core_leased(const struct core *c, lease_id lease); /* of which task; 0: nobody has it */
enum task_state core_task_state(const struct core *c, task_id task);

/* graph_check_cycle - whether calls at .. at + n - 1 of the array whose first task is `first` wait
 * for each other in a circle, or one for itself; edges as in EV_APPEND. Then text says which, in
 * indexes: "cycle: 3 -> 7 -> 3", where 3 waits for 7. Time and memory go with n + n_edges. */
bool graph_check_cycle(uint64_t at, uint64_t n, task_id first, const struct edge *edges,
                       size_t n_edges, char *text, size_t text_bytes);

void core_check(const struct core *c);      /* aborts unless every invariant holds; for tests */
uint64_t core_digest(const struct core *c); /* of all that a restart must bring back */

#endif
