#ifndef GRANGE_WORKER_AGENT_STATE_H
#define GRANGE_WORKER_AGENT_STATE_H
/* agent_state - what an agent knows; private to agent.c (which changes it) and agent_ask.c (which
 * only reads it, makes it and frees it), agent_calls.c (calls and engines) and agent_lease.c (what
 * these share). */

#include "worker/agent.h"

#include "base/must.h"

#define uthash_fatal(text) must_fail(__FILE__, __LINE__, text)
#include <uthash.h>

enum {
    REPORT_TOGETHER = 64,         /* results that are sent without waiting for more */
    DRAIN_MS = 3000,              /* a worker whose grace is over is gone after this */
    LEASES_PER_QUEUED = 2,        /* leases held at most, as a multiple of the queue's bound */
    BUNDLE_US = 5000,             /* work at an engine, beyond which it is given no more */
    BUNDLE_CALLS = 256,           /* the same as a number of calls */
    STUCK_MS = 20,                /* a call that runs so long lets go of those behind it */
    HELLO_WAIT_MS = 2000,         /* a hello waits this long at most for the first engine's */
    ENGINE_HELLO_MS = 60000,      /* an engine that says nothing for so long is killed */
    ENGINE_BACKOFF_MIN_MS = 50,   /* before an engine is started again that did no work; doubles */
    ENGINE_BACKOFF_MAX_MS = 1000, /* when it had said hello */
    ENGINE_BACKOFF_DUMB_MS = 10000, /* when it had not */
    PACES_MAX = 256,                /* arrays whose durations are remembered */
};

#define DURATION_MS_MAX ((ms_t)1 << 40) /* 34 years: no limit or grace is longer; cut */

struct list {
    struct lease *head, *tail;
    size_t n;
};

/* A lease is in `by_id`, which also keeps the order of arrival, and in at most one of the lists:
 * queued, active (a process: starting, running, stopping), `at` an engine (a call: the first one
 * runs) or outgoing (finished, not sent on this connection). A direct call is one as well, whose id
 * is its ticket: in `by_ticket`, and in the list `direct` or `at` of its engine. */
struct lease {
    lease_id id;
    task_id task;
    array_id array;
    enum agent_lease_state state;
    enum stop_why why;
    bool unwanted; /* revoked after it had finished by itself */
    bool call, direct, again;
    uint32_t engine; /* where it is */
    uint32_t est_us; /* what it counts there */
    uint32_t cores, memory_mib, take[RESOURCES_MAX];
    ms_t limit_ms, grace_ms;
    ms_t started; /* when AGENT_STARTED came */
    ms_t stop_at; /* running: TERM is due; stopping: KILL is due */
    ms_t finished;
    struct list *in; /* the list it is in; NULL: none */
    struct lease *prev, *next;
    UT_hash_handle hh;
};

enum slot_engine_state {
    SLOT_DOWN,     /* until due_at */
    SLOT_STARTING, /* its hello is due at due_at */
    SLOT_READY,
    SLOT_KILLED /* AGENT_ENGINE_GONE is awaited */
};
struct slot_engine {
    enum slot_engine_state state;
    bool bundles;
    bool direct_next; /* whose turn it is */
    bool let_go;      /* what was behind the running one was asked back: give it no more */
    ms_t due_at;
    uint32_t failures; /* in a row, without a call that ended */
    bool served;       /* a call ended since its start */
    struct list at, direct;
    uint32_t n_leases;          /* of `at`: not direct */
    uint64_t est_us;            /* of all of `at` */
    uint32_t cores, memory_mib; /* taken while n_leases > 0 */
    uint32_t direct_us;         /* mean of direct calls; 0: none ended yet */
    ms_t head_since;            /* when the first of `at` began */
};

struct pace { /* how long the calls of an array take */
    array_id array;
    uint32_t mean_us;
    UT_hash_handle hh;
};

struct agent {
    struct agent_config cfg;
    struct lease *by_id, *by_ticket;
    struct slot_engine *engines; /* [cfg.engines] */
    struct pace *paces;
    uint32_t next_engine; /* where the search for one begins */
    size_t n_direct;      /* queued, at all engines */
    size_t n_handed;      /* behind others, at all engines */
    ms_t engines_due;     /* nothing about an engine is due earlier */
    ms_t hello_by;        /* MS_NEVER: the functions are known, or nobody waits for them any more */
    bool hello_waits, functions_known;
    struct list queued, active, outgoing;
    size_t n_finished;
    uint32_t cores_busy;
    uint64_t memory_busy;
    uint32_t taken[RESOURCES_MAX];

    bool began;       /* the first step sets the clocks */
    bool up, welcome; /* connected; and taken by the scheduler */
    bool hung_up;     /* AGENT_GONE is awaited */
    bool draining, ended;
    bool stopping; /* draining, and the grace is over */
    ms_t beat_at, heard_at, alone_since;
    ms_t stop_all_at, drained_by; /* draining: when the grace is over, when all is */
    ms_t due;                     /* no stop_at of an active lease is earlier */
};

/* --- agent_lease.c --- */
void agent_act(struct acts *out, const struct act *item);
void agent_act_plain(struct acts *out, enum act_kind kind);
void agent_act_on(struct acts *out, enum act_kind kind, const struct lease *l);
void list_add(struct list *list, struct lease *l);
void list_add_first(struct list *list, struct lease *l);
void list_remove(struct lease *l);
void agent_forget(struct agent *a, struct lease *l);
/* agent_send_back - a lease that we do not have, or not any more. agent_give_back: this one. */
void agent_send_back(const struct agent *a, lease_id id, task_id task, array_id array,
                     struct acts *out);
void agent_give_back(struct agent *a, struct lease *l, struct acts *out);
void agent_due_at(struct agent *a, ms_t at);
void agent_terminate(struct agent *a, struct lease *l, enum stop_why why, ms_t now,
                     struct acts *out);
/* agent_hasten - all is stopped: what is being stopped gets no more than our own grace from now. */
void agent_hasten(struct agent *a, struct lease *l, ms_t now);
void agent_arm(struct agent *a, struct lease *l);
/* agent_finish - off the list that it was in: its result is to be sent. */
void agent_finish(struct agent *a, struct lease *l, ms_t now);
/* agent_stop_one - TERM or KILL when it is due; the next due time is noted. */
void agent_stop_one(struct agent *a, struct lease *l, ms_t now, struct acts *out);

/* --- agent_calls.c --- */
/* agent_calls_step - starts engines, lets go of what waits behind a long call, hands out direct
 * calls. */
void agent_calls_step(struct agent *a, ms_t now, struct acts *out);
/* agent_calls_start - the first of the queue, a call, to an engine; false: none has room. */
bool agent_calls_start(struct agent *a, struct lease *l, ms_t now, struct acts *out);
void agent_calls_exited(struct agent *a, const struct agent_event *ev, struct lease *l, ms_t now,
                        struct acts *out);
void agent_calls_revoke(struct agent *a, struct lease *l, ms_t now, struct acts *out);
/* agent_calls_withdrawn - NULL: it is not here any more. */
void agent_calls_withdrawn(struct agent *a, struct lease *l, struct acts *out);
void agent_calls_direct(struct agent *a, const struct agent_event *ev, ms_t now, struct acts *out);
void agent_calls_direct_cancel(struct agent *a, struct lease *l, ms_t now, struct acts *out);
void agent_calls_engine_ready(struct agent *a, const struct agent_event *ev, ms_t now,
                              struct acts *out);
void agent_calls_engine_gone(struct agent *a, const struct agent_event *ev, ms_t now,
                             struct acts *out);
void agent_calls_stop_due(struct agent *a, ms_t now, struct acts *out);
/* agent_calls_drain - what has not begun goes back; agent_calls_stop_all - direct calls and what
 * runs, too. */
void agent_calls_drain(struct agent *a, struct acts *out);
void agent_calls_stop_all(struct agent *a, ms_t now, struct acts *out);
/* agent_calls_disconnected - nobody waits for direct calls any more. */
void agent_calls_disconnected(struct agent *a, ms_t now, struct acts *out);
void agent_calls_kill_all(struct agent *a, struct acts *out);
bool agent_calls_idle(const struct agent *a);
void agent_calls_check(const struct agent *a);
void agent_calls_free(struct agent *a);
static inline struct slot_engine *agent_calls_engine(struct agent *a, uint32_t engine)
{
    must(engine < a->cfg.engines);
    return &a->engines[engine];
}

#endif
