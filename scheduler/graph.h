#ifndef GRANGE_SCHEDULER_GRAPH_H
#define GRANGE_SCHEDULER_GRAPH_H
/* graph - tasks that wait for other tasks, and arrays that wait for arrays. Internal to the core.
 *
 * A task has a list of its waiters, and a waiter counters of what it waits for; both are there only
 * for arrays that have edges. So a chain of any length costs a step what a pair costs, and what a
 * task waits for is decided from its counters alone: `graph_wants` says whether it is ready,
 * blocked or unmet, and is the same after a restart, when the counters are made again from edges
 * and ends.
 *
 * When a task ends, or is reopened, a job is queued that goes through its waiters: some in the same
 * step, the rest a bounded number a step. Jobs are done in the order in which they came. A waiter
 * whose rule is met becomes ready. One whose rule cannot be met any more is unmet: an end like
 * others, durable, with the task that is the reason; and so are, in turn, those that wait for it.
 * When what it waits for is reopened, it is too. What has started goes on whatever happens to the
 * tasks it waited for; when it is to start again, its rule must hold again.
 *
 * A whole array that waits for whole arrays keeps its tasks as they are and is gated: its mode is
 * HELD. Element by element is one edge for each task, which is not stored anywhere. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rows.h"

struct core;
struct core_place;
struct array;
struct live;
struct worker;
struct event;
struct outbox;

/* One task that waits for another, in the list of that one. */
struct waiter {
    uint32_t next;  /* index + 1 in the pool; 0: the last */
    uint32_t array; /* of the one that waits */
    uint32_t index : 31;
    uint32_t lead : 1; /* it may follow it: its rule says so, and is any, or it is its first edge */
};

/* What a task waits for. */
struct wait {
    uint32_t open;      /* edges whose task has not ended */
    uint32_t hits : 28; /* that ended the wrong way or, with RULE_ANY, the right way */
    uint32_t rule : 4;
};

enum outcome { OUTCOME_PENDING, OUTCOME_GOOD, OUTCOME_BAD };

/* An array waits for an array; in the lists of both. */
struct array_wait {
    struct array *on, *of; /* of waits for on; on: NULL when it is not known any more */
    struct array_wait *next_out, *next_in;
    uint8_t rule;
    bool element;
    enum outcome outcome; /* as it was counted in of's gate */
};

/* The part of an array in the graph. */
struct graph_part {
    uint64_t cap;       /* of those below that are there */
    uint32_t *heads;    /* waiters of each task: index + 1 in the pool; NULL: nobody waits */
    struct wait *waits; /* NULL: no task of it waits for another */
    struct core_place *follows; /* where to run, and the end that says so; worker 0: anywhere. NULL:
                                   none follows */
    struct core_place *ended;   /* where each task ended; NULL: not known */
    bool places_due;            /* but wanted: a call follows one that had ended before */
    struct array_wait *out, *in;
    size_t n_elements_out, n_elements_in;
    uint32_t gate_open, gate_bad; /* of whole arrays: pending, and such that can never be met */
    task_id gate_because;
    unsigned summary; /* what its whole waiters were told last */
};

struct graph_job {
    uint64_t task; /* ENDED, REOPENED, SETTLE; what is skipped for it is so because of `because` */
    uint64_t because;
    uint32_t at;     /* waiter to go on with; SWEEP: index to go on with */
    uint32_t worker; /* ENDED: where it ran; SWEEP: the array */
    uint32_t n;      /* ENDED: as in struct core_place */
    uint8_t kind;
    bool success;
};

struct graph {
    struct waiter *waiters;
    size_t n_waiters, cap_waiters;
    uint32_t free_waiter;   /* index + 1 */
    struct graph_job *jobs; /* ring */
    size_t head, n_jobs, cap_jobs;
    size_t n_undo;       /* jobs that take something back: nothing is dispatched before */
    size_t n_places_due; /* arrays */
    uint64_t n_ends;     /* recorded; before the first EV_PLACES: in this epoch */
};

void graph_fini(struct core *c);

/* graph_refuses - why the edges of an append cannot be taken, or NULL. */
const char *graph_refuses(const struct core *c, const struct array *a, const struct event *ev);
/* graph_append - the edges of calls that were just appended, and what they are now: ready, blocked.
 */
void graph_append(struct core *c, struct array *a, const struct event *ev);

/* graph_refuses_after, graph_attach, graph_detach - the same for the arrays that an array waits
 * for; attach comes once it is loaded. */
const char *graph_refuses_after(const struct core *c, const struct array_row *row);
void graph_attach(struct core *c, struct array *a, const struct array_row *row);
void graph_detach(struct core *c, struct array *a);

/* graph_wants - what the state of a task that has not ended and has no lease must be. */
enum task_state graph_wants(const struct array *a, uint64_t index);
bool graph_gated(const struct array *a);

/* graph_moved - a task ended (from no end to one) or was reopened. */
void graph_moved(struct core *c, struct array *a, uint64_t index, enum task_state from,
                 enum task_state to, worker_id worker, task_id because);
void graph_settle_later(struct core *c, task_id task, task_id because);
/* graph_array_moved - something moved in an array: tells those that wait for all of it. */
void graph_array_moved(struct core *c, struct array *a);
/* graph_look_up - whether what an array waits for moved in this step, before anything is skipped
 * for it: the arrays themselves are told at the end of the step. */
void graph_look_up(struct core *c, struct array *a);
void graph_sweep(struct core *c, struct array *a); /* looks at every task again */
/* graph_run - does about so many units of what is queued. */
void graph_run(struct core *c, size_t units, struct outbox *out);
void graph_finish(struct core *c, struct outbox *out); /* all of it */

void graph_restored(struct core *c);                /* a start is over: arrays are weighed */
void graph_remove(struct core *c, struct array *a); /* forgets its part */
void graph_check(const struct core *c); /* aborts unless the counters are what the edges say */

enum {
    GRAPH_EVENT_UNITS = 256, /* done within the event that a task ended in */
    GRAPH_UNITS = 65536,     /* in one step at a timeout: about 2 ms */
    GRAPH_END_UNITS = 16,    /* what a skip costs, for it must be committed: 4096 of them a step */
};

/* follow.c: calls that run where another one ran. They stay blocked, in a list of that worker,
 * until it has room, and are ready for all when it is gone or cannot run them. */
bool follow_wait(struct core *c, struct array *a, uint64_t index); /* false: it need not */
bool follow_waits(const struct core *c, const struct array *a, uint64_t index);
/* follow_give_up - the worker cannot run it any more: it may run anywhere. False: it still can. */
bool follow_give_up(struct core *c, struct worker *w, struct array *a, task_id task);
void follow_release(struct core *c, struct worker *w);
/* follow_late - an edge of a call that follows, on a task that has ended already. Where that ran is
 * asked for once for the whole array, and remembered from then on. */
void follow_late(struct core *c, struct array *a, uint64_t index, struct array *on, uint64_t i);
void on_places(struct core *c, const struct event *ev);

/* between graph.c and graph_arrays.c: room for a's tasks in a part that exists only when needed */
struct graph_part *graph_part(struct array *a);
struct wait *graph_waits(struct array *a);
uint32_t *graph_u32(uint32_t **items, uint64_t cap);
struct core_place *graph_places(struct core_place **items, uint64_t cap);
bool graph_counts(uint8_t rule, bool success); /* whether this end is what the rule waits for */
void graph_append_elements(struct core *c, struct array *a, uint64_t at, uint64_t n);
void graph_unlink(struct array *a);

#endif
