#ifndef GRANGE_TESTS_ORACLE_H
#define GRANGE_TESTS_ORACLE_H
/* oracle - what may never happen, judged by what crosses the wire and what the disk holds.
 *
 * a  An accepted task ends exactly once; its end changes only after it was reopened.
 * b  Nothing is told that the disk does not hold: acks, submissions, counts.
 * c  A task has at most one live lease, or a second one on another worker where its study asks for
 *    backups; no lease id is given out twice, and a result counts only
 *    under the current lease of its task, and once.
 * d  No worker holds more than its slots and the prefetch that its tasks allow.
 * e  The death of the scheduler alone never makes long work run twice.
 * f  What costs a retry is a failure that a worker reported; a task fails when its retries are
 *    spent, neither sooner nor later.
 * g  After the world healed everything ends and no lease is left.
 * h  A core that is built from the disk knows what this one knows.
 * i  When nothing goes wrong no slot idles while a task is ready.
 * j  A task starts only when the rule of its edges holds; it is skipped only when that can never
 *    be, and then it is, when all has ended.
 * k  A call that follows another one goes to the worker where that ended, as long as that is there
 *    and takes new work.
 * l  Who leaves gets no work, nor who fails what others do well.
 * m  A study has no more out than its running_max when something of it is given out; priority and
 *    share are on the disk. */

#include "base/must.h"
#define uthash_fatal(message) must_fail(__FILE__, __LINE__, message)
#include <uthash.h>

#include "tests/sim/sim.h"

/* All that was ever seen of a lease. */
struct seen {
    uint64_t lease;
    bool granted, recorded, counted;
    bool unknown; /* its array was not loaded when its result came: held or given up before a
                     restart */
    enum end_reason last_result;
    UT_hash_handle hh;
};

struct oracle {
    struct seen *seen;
    struct held_by {
        lease_id lease;
        uint64_t instance;
        bool soft;
        bool finished;                       /* it takes nothing at its worker any more */
    } current[SIM_TASKS], backup[SIM_TASKS]; /* backup: of a straggler, on another worker */
    struct held_by doubted[SIM_TASKS];       /* was soft when another lease was given out: that
                                                may be its backup, which its worker's hello shows */
    uint32_t reopened[SIM_TASKS];            /* in which epoch, the last time */
    lease_id long_running[SIM_TASKS];        /* ran long when the scheduler died */
    struct {
        peer_id peer;
        uint64_t instance;
        ms_t at;
    } said_hello[64]; /* the latest */
    size_t n_hello;
    struct judged {
        uint64_t instance;
        bool leaves;                /* it was asked to, or said so */
        bool asked;                 /* by a person: also when it comes back after it was given up */
        uint32_t streak_of, streak; /* fast failures in a row, of an array */
        ms_t hole_until;            /* it gets nothing before */
    } judged[SIM_WORKERS];
    uint64_t good[SIM_ARRAYS + 1], bad[SIM_ARRAYS + 1]; /* attempts of an array */
    ms_t idle_since[SIM_WORKERS];
    uint64_t n_spawned[SIM_WORKERS];
};

/* oracle_policy.c */
void oracle_not_judged(struct sim *s, uint64_t instance);
void oracle_leaves(struct sim *s, uint64_t instance, bool asked);
void oracle_attempt_ended(struct sim *s, const struct end_row *e, bool good);
void oracle_may_get(struct sim *s, uint64_t instance);
void oracle_may_begin(struct sim *s, task_id task); /* its first lease, not a backup */
void oracle_policy_on_disk(struct sim *s, const struct core_study *cs);

bool oracle_is_failure(enum end_reason r);
struct seen *oracle_seen(struct oracle *o, lease_id lease); /* made when it is new */
uint64_t oracle_instance(const struct sim *s,
                         worker_id id); /* of a worker that the disk knows, or 0 */

#endif
