#ifndef GRANGE_WORKER_AGENT_STATE_H
#define GRANGE_WORKER_AGENT_STATE_H
/* agent_state - what an agent knows; private to agent.c (which changes it) and agent_ask.c (which
 * only reads it, makes it and frees it). */

#include "worker/agent.h"

#include "base/must.h"

#define uthash_fatal(text) must_fail(__FILE__, __LINE__, text)
#include <uthash.h>

enum {
    REPORT_TOGETHER = 64,  /* results that are sent without waiting for more */
    DRAIN_MS = 3000,       /* a worker whose grace is over is gone after this */
    LEASES_PER_QUEUED = 2, /* leases held at most, as a multiple of the queue's bound */
};

#define DURATION_MS_MAX ((ms_t)1 << 40) /* 34 years: no limit or grace is longer; cut */

struct list {
    struct lease *head, *tail;
    size_t n;
};

/* A lease is in `by_id`, which also keeps the order of arrival, and in at most one of the lists:
 * queued, active (starting, running, stopping) or outgoing (finished, not sent on this connection).
 */
struct lease {
    lease_id id;
    task_id task;
    array_id array;
    enum agent_lease_state state;
    enum stop_why why;
    bool unwanted; /* revoked after it had finished by itself */
    uint32_t cores, memory_mib;
    ms_t limit_ms, grace_ms;
    ms_t started; /* when AGENT_STARTED came */
    ms_t stop_at; /* running: TERM is due; stopping: KILL is due */
    ms_t finished;
    struct list *in; /* the list it is in; NULL: none */
    struct lease *prev, *next;
    UT_hash_handle hh;
};

struct agent {
    struct agent_config cfg;
    struct lease *by_id;
    struct list queued, active, outgoing;
    size_t n_finished;
    uint32_t cores_busy;
    uint64_t memory_busy;

    bool began;       /* the first step sets the clocks */
    bool up, welcome; /* connected; and taken by the scheduler */
    bool hung_up;     /* AGENT_GONE is awaited */
    bool draining, ended;
    bool stopping; /* draining, and the grace is over */
    ms_t beat_at, heard_at, alone_since;
    ms_t stop_all_at, drained_by; /* draining: when the grace is over, when all is */
    ms_t due;                     /* no stop_at of an active lease is earlier */
};

#endif
