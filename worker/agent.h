#ifndef GRANGE_WORKER_AGENT_H
#define GRANGE_WORKER_AGENT_H
/* agent - every decision of a worker, and no I/O: which lease starts when, when it is told to stop,
 * when results are sent, what is kept until it is acknowledged. The same shape as the core: one
 * event at a time, actions out. A lease lives here from assign until its result is acknowledged:
 * queued -> running (-> stopping) -> finished -> gone.
 *
 * A call waits in the same queue, then at an engine: queued -> handed -> running. Short calls are
 * handed in bundles of about BUNDLE_US of work, as durations of the array so far say; one that
 * turns out long lets go of those behind it. A direct call waits at its engine only; where both
 * kinds wait, they are handed in turn. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"

struct agent;

struct agent_config {
    uint32_t slots;
    uint32_t engines;               /* 0, or one a slot */
    uint64_t memory_mib;            /* that tasks may take together */
    uint32_t amount[RESOURCES_MAX]; /* of each named resource */
    ms_t beat_ms, lost_after_ms, orphan_after_ms, report_delay_ms, kill_grace_ms;
    ms_t engine_hello_ms; /* an engine that says nothing for so long is killed */
};
void agent_config_default(struct agent_config *cfg);

enum agent_event_kind {
    AGENT_UP,      /* connected: answers with ACT_HELLO */
    AGENT_WELCOME, /* the scheduler took us: results that were not acknowledged go again */
    AGENT_GONE,    /* the connection ended */
    AGENT_HEARD,   /* any message arrived (liveness) */
    AGENT_ASSIGN,  /* lease, task, array, limit_ms, cores, memory_mib, grace_ms, call */
    AGENT_REVOKE,
    AGENT_ACK,     /* lease */
    AGENT_RECALL,  /* n */
    AGENT_LIMIT,   /* array, limit_ms */
    AGENT_STARTED, /* lease: its process runs */
    AGENT_EXITED,  /* lease: its process ended or could not start, or its engine has answered
                      (wall_us; direct: lease is a ticket); the loop holds the result */
    AGENT_DRAIN, /* SIGTERM: give back the queue, let the running ones finish within grace_ms, stop
                    the rest, say bye, end; again with less: less patience */
    AGENT_ENGINE_READY, /* engine, bundles: it has said hello */
    AGENT_ENGINE_GONE, /* engine; lease (direct: a ticket): the call that it ended in, 0: in none */
    AGENT_WITHDRAWN,   /* lease or ticket: it was withdrawn from its engine before it began */
    AGENT_DIRECT,      /* lease: a ticket; engine */
    AGENT_DIRECT_CANCEL, /* lease: a ticket */
    AGENT_TIMEOUT        /* agent_deadline has passed */
};
struct agent_event {
    enum agent_event_kind kind;
    lease_id lease;
    task_id task;
    array_id array;
    ms_t limit_ms, grace_ms;
    uint32_t cores, memory_mib, n;
    uint32_t engine;
    uint64_t wall_us;
    const uint32_t *take; /* ASSIGN: [RESOURCES_MAX] of cfg.amount; NULL: nothing */
    bool again;           /* ASSIGN: there were attempts before */
    bool call;            /* a function on an engine, not a process */
    bool direct;          /* lease is the ticket of a direct call */
    bool bundles;         /* may be given many calls at once */
};

enum act_kind {
    ACT_HELLO, /* send hello with agent_held */
    ACT_BEAT,  /* send a beat with the leases of agent_held that run longer than 500 ms */
    ACT_SPAWN, /* lease, task, array: start it; AGENT_STARTED or AGENT_EXITED follows */
    ACT_TERM,  /* lease: SIGTERM to its group; why says what the result will say */
    ACT_KILL,  /* lease: SIGKILL to its group, or to its engine */
    ACT_CALL,  /* lease, task, array (direct: only a ticket), engine: give it to the engine, where
                  it begins when those before it have ended; AGENT_EXITED follows */
    ACT_WITHDRAW,     /* lease, engine: AGENT_WITHDRAWN if it has not begun, else nothing */
    ACT_DIRECT_END,   /* lease: a ticket: it ended without an answer: revoked, or its engine is gone
                       */
    ACT_ENGINE_START, /* engine: AGENT_ENGINE_READY or AGENT_ENGINE_GONE follows */
    ACT_ENGINE_KILL,  /* engine: AGENT_ENGINE_GONE follows */
    ACT_RESULT,       /* lease: send its result (several in a row make one message) */
    ACT_RETURN,       /* lease, task: give it back unstarted */
    ACT_FORGET,       /* lease: acknowledged; its result may be freed, its directory put in place */
    ACT_DROP,         /* lease: like forget, but the result never counted */
    ACT_DRAINING,     /* say that no more work is wanted; limit_ms: of the grace that is left */
    ACT_HANG_UP,      /* the scheduler is silent: close the connection and dial again */
    ACT_BYE,          /* send bye */
    ACT_EXIT          /* nothing is left to do: end */
};
enum stop_why { STOP_NOT, STOP_TIMEOUT, STOP_REVOKED };
struct act {
    enum act_kind kind;
    lease_id lease;
    task_id task;
    array_id array;
    enum stop_why why; /* DROP with STOP_NOT: it ended by itself and was revoked later; it may count
                          after all */
    ms_t limit_ms;     /* TERM for STOP_TIMEOUT: the limit that was reached; DRAINING */
    uint32_t engine;
    bool call, direct; /* lease is a call on an engine; the ticket of a direct one */
    bool again;        /* SPAWN: as the assign said */
};
struct acts {
    struct act *items;
    size_t n, cap;
};
void acts_init(struct acts *a);
void acts_fini(struct acts *a);

struct agent *agent_new(const struct agent_config *cfg);
void agent_free(struct agent *a);
void agent_step(struct agent *a, ms_t now, const struct agent_event *ev, struct acts *out);
ms_t agent_deadline(const struct agent *a);

enum agent_lease_state {
    LEASE_QUEUED,
    LEASE_HANDED, /* given to an engine, behind others */
    LEASE_STARTING,
    LEASE_RUNNING,
    LEASE_STOPPING,
    LEASE_FINISHED
};
struct agent_held {
    lease_id lease;
    task_id task;
    array_id array;
    enum agent_lease_state state;
    ms_t elapsed_ms;
    enum stop_why why;
    ms_t limit_ms;
};
/* agent_held - all leases, in order of arrival; returns how many there are, fills at most `most`.
 */
size_t agent_held(const struct agent *a, ms_t now, struct agent_held *held, size_t most);
uint32_t agent_slots_busy(const struct agent *a);
void agent_check(const struct agent *a);

#endif
