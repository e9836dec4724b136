#ifndef GRANGE_SCHEDULER_STATE_H
#define GRANGE_SCHEDULER_STATE_H
/* state - what the core remembers: arrays with a byte a task, workers, leases, followers. Internal
 * to the core; every file of it works on these structs. */

#include "base/must.h"
#define uthash_fatal(message) must_fail(__FILE__, __LINE__, message)
#include <uthash.h>

#include "base/heap.h"
#include "base/median.h"
#include "base/rng.h"
#include "scheduler/core.h"
#include "scheduler/graph.h"
#include "scheduler/share.h"

/* What tasks ask for, kept once for all arrays and leases that ask for the same. */
struct shape {
    struct needs needs;
    uint64_t hash;          /* of needs; the hash is by this, equal ones are told apart by needs */
    uint64_t n_users;       /* arrays and leases */
    size_t n_listed;        /* arrays that have ready tasks */
    struct lane *lanes;     /* list: share.h */
    size_t n_open;          /* of those */
    bool stuck;             /* only workers in core.grown may have room: room.c */
    bool passed;            /* within a pass: there is no room for it */
    ms_t waits_since;       /* others began while tasks of it found no room; 0: none */
    struct worker *reserve; /* the worker that is kept for it */
    struct shape *next;     /* of the same hash */
    UT_hash_handle hh;
};

enum { ROOMS = 64 }; /* lists of workers: the last one is of those with 63 free cores and more */

/* A study of which something is loaded: its arrays, and what is true of all of them. */
struct live {
    uint32_t id;
    enum study_mode mode;
    bool told_active, told_halted; /* what the store last heard in CHG_STUDY_STATE */
    struct array *arrays;          /* list, by age: those that are not retired */
    struct array *points;          /* the one of points among them, or NULL */
    size_t n_arrays, n_retired, n_open;
    uint64_t warned;                                /* of those that are done: with a warning */
    uint64_t n, count[N_TASK_STATES], reused, lost; /* of its arrays, unloaded ones too */
    uint64_t used_us;     /* core time that its tasks took: what its share is measured by */
    size_t n_listed;      /* arrays that have ready tasks */
    uint64_t guessed_us;  /* of these: not known yet, only what such tasks took on average */
    struct claim *claims; /* list: share.h */
    size_t n_limited;     /* of those: with a running_max */
    size_t n_open_claims;
    uint64_t shown_us; /* used_us, as it was when the claims were put into their places */
    bool joins;        /* it had nothing to do: it may not claim what others had meanwhile */
    bool fell;         /* it had less than was thought: its claims are to be moved */
    struct live *next_joining, *next_fell;
    uint32_t *unloaded; /* ids of arrays whose tasks are counted here and that are not loaded */
    size_t n_unloaded, cap_unloaded;
    bool progress_dirty;
    bool cancelling; /* all that has not ended, a few thousand a step */
    struct array *cancel_array;
    uint64_t cancel_at, cancel_touched, cancel_request;
    peer_id cancel_for;
    UT_hash_handle hh;
};

/* An array that is loaded: one of its study, or a retired one whose leases still run. */
struct array {
    struct array_row row; /* name, spec and after are NULL: the store keeps them; calls: n is how
                             many there are, closed is true of points too */
    struct live *study;
    struct shape *shape;
    bool speculates;           /* it is among core.n_speculating */
    struct claim *claim;       /* share.h */
    struct turn turn;          /* there, while something of it is ready and may be given out */
    struct array *next, *prev; /* in its study */
    enum study_mode mode; /* that of its study, but HELD when it is retired, or waits for arrays */
    bool retired;         /* another array is the current one: unloaded with its last lease */
    bool counted;         /* its study has its tasks counted from before it was unloaded */
    bool template_changed;
    bool touched; /* something happened in this step: see core.c */
    struct array *next_touched;
    bool limit_due; /* a task ended that moves the relative timeout */
    struct array *next_limit;
    uint64_t n_leases;
    struct graph_part *graph; /* NULL: neither waits nor is waited for */
    uint8_t *state;           /* [n] enum task_state */
    uint64_t cap;
    uint8_t *warned; /* a bit a task: done, with a warning; NULL: none */
    uint64_t warned_cap, n_warned;
    uint64_t count[N_TASK_STATES];
    uint32_t *order, *place; /* [n] which task is k-th, and where each is; NULL: by policy */
    uint64_t cursor;         /* fresh ready tasks are at positions cursor..n-1 of the order */
    uint64_t *again;         /* ring: tasks that became ready behind the cursor */
    size_t again_head, again_n, again_cap;
    uint64_t reused, lost;
    uint64_t n_good, n_bad;         /* attempts that ended by themselves, since it was loaded */
    uint64_t new_failed, new_ended; /* since array_count_anew: what halt rules look at */
    struct median *median;          /* only with a relative timeout */
    ms_t limit_ms;                  /* what new leases get */
    uint64_t mean_us;               /* moving mean of how long its tasks take; 0: none ended yet */
    UT_hash_handle hh;              /* by id */
};

struct worker {
    struct worker_row row;
    enum {
        WORKER_UP,
        WORKER_AWAY
    } link;             /* away: the connection ended, or it was up before a restart */
    peer_id peer;       /* 0 while away */
    bool awaited;       /* known from before a restart, has not come back yet */
    ms_t heard_ms;      /* up: last message */
    ms_t deadline_ms;   /* away: then it is lost */
    bool leaving;       /* it drains: nothing new, and it ends when what runs has ended */
    bool quarantined;   /* what others do well fails here: nothing new */
    array_id streak_of; /* of this array so many tasks in a row failed here; not looked into */
    uint32_t streak;
    uint32_t times_quarantined;
    ms_t tried_again_ms; /* quarantined: then one more failure decides */
    bool asked_to_leave; /* by a person: what runs is stopped at leave_by */
    ms_t leave_by;
    uint32_t cores_used;
    uint64_t memory_used;                 /* MiB */
    uint32_t used[RESOURCES_MAX];         /* of row.resources */
    uint32_t long_cores;                  /* of leases that take longer than prefetch_ms */
    struct worker *room_next, *room_prev; /* in core.rooms[room]: those with as many free cores */
    uint32_t room;                        /* 0: in none */
    bool grown;                /* in core.grown: something became free since the last dispatch */
    bool assigned;             /* within dispatch: it has new leases */
    struct shape *reserved;    /* only this may start here */
    int32_t reserved_priority; /* unless it has a higher priority */
    struct lease *leases;      /* in the order they were granted */
    uint32_t n_leases;
    uint64_t n_ended;  /* results that it sent */
    ms_t recall_until; /* a recall is out: ask no other before */
    task_id *wanted;   /* calls that follow others to it and wait for room here: see follow.c */
    size_t n_wanted, cap_wanted;
    UT_hash_handle hh; /* by peer, while it is up */
};

/* worker_open - takes new work */
static inline bool worker_open(const struct worker *w)
{
    return w->link == WORKER_UP && !w->leaving && !w->quarantined;
}

struct lease {
    lease_id id;
    task_id task;
    struct array *array;
    struct worker *worker;
    struct shape *shape; /* what it takes there: the policy may change under it */
    uint64_t charged_us; /* what its study was charged for it so far */
    bool is_long;        /* it is among long_cores of its worker */
    bool measured;       /* that is how long it took, not a guess */
    bool again;          /* there were attempts before */
    bool backup;         /* its task has another lease: the twin */
    bool had_backup;     /* one is enough, also when that failed */
    struct lease *twin;
    bool unsent;               /* within dispatch: its assign is to be sent */
    bool revoked;              /* the worker was asked to stop it */
    bool orphan;               /* its task was cancelled under it: only the slot is still its */
    bool named;                /* within a hello: the worker still has it */
    bool claimed;              /* the worker said that it has it, it was not given out now */
    bool finished;             /* the worker has its result, and it takes nothing there any more */
    bool durable;              /* it has a row in the running table */
    ms_t started_ms;           /* 0: not known to run */
    struct lease *next, *prev; /* of its worker */
    UT_hash_handle hh;
};

/* What is remembered of a task that had trouble. */
struct trouble {
    uint64_t task;
    uint32_t failures, losses, infra;
    bool ran;       /* an attempt at it began and did not end it: attempt_ran */
    ms_t ready_at;  /* while it is waiting */
    lease_id last;  /* the last lease whose result counted: it and older ones count no more */
    bool cancelled; /* `last` is but the latest there was; what comes of it is not stored yet */
    UT_hash_handle hh;
};

struct follower {
    peer_id peer;
    study_id study;
    ms_t sent_ms;
    bool due; /* has not seen the latest */
};

/* A worker that a person drained and that was given up: it may come back. */
struct leaver {
    uint64_t instance;
    ms_t leave_by;
};

/* A text that many workers have in common: kept once, as long as the core. */
struct interned {
    char *text;
    UT_hash_handle hh;
};

struct core {
    struct core_config cfg;
    ms_t now; /* of the last step */
    struct rng rng;
    uint32_t next_sequence, next_worker;
    struct array **arrays; /* by first task */
    size_t n_arrays, cap_arrays;
    struct array *by_id;   /* hash */
    struct live *studies;  /* hash by id */
    struct array *touched; /* list, within a step */
    struct array *limits;  /* list: those whose relative timeout may have moved */
    size_t n_cancelling;   /* studies */
    struct graph graph;
    struct turns turns;          /* lanes: share.h */
    struct lane *passed;         /* list, within a pass */
    struct level *levels;        /* list */
    struct live *joining, *fell; /* lists */
    size_t n_claiming;           /* studies with open claims */
    size_t n_listed;             /* arrays that have ready tasks */
    size_t n_wide[ROOMS];        /* of those: of so many cores, or more */
    uint64_t widths;             /* a bit for each that is not 0 */
    uint64_t n_turns;            /* how often it was looked whose turn it is */
    struct shape *shapes;        /* hash */
    struct worker *rooms[ROOMS]; /* lists, by free cores: those that take new work */
    uint64_t rooms_used;         /* a bit for each list that is not empty */
    struct worker **grown;
    size_t n_grown, cap_grown;
    struct worker **assigned; /* within dispatch */
    size_t n_assigned, cap_assigned;
    size_t n_with_room; /* within dispatch: the first ones of grown, which may have room */
    size_t n_loose;     /* shapes with open lanes that are not stuck */
    uint64_t moves[N_TASK_STATES][N_TASK_STATES]; /* from, to: how many tasks; for tests */
    uint64_t n_looks;      /* how often dispatch looked whether a task fits a worker */
    struct shape **failed; /* within a pass: they found no room, and nothing began since */
    size_t n_failed, cap_failed;
    size_t n_speculating;    /* arrays that ask for backup attempts */
    size_t n_reserved;       /* workers that are kept for a shape */
    size_t turn;             /* round robin over workers, of what is at hand beyond the slots */
    struct worker **workers; /* by id */
    size_t n_workers, cap_workers;
    struct leaver leavers[LEAVERS_MAX]; /* oldest first */
    size_t n_leavers;
    struct worker *by_peer; /* hash of those that are up */
    ms_t pool_due; /* nobody is lost before: being heard of does not move it, a look at all does */
    struct lease *leases;     /* hash by id */
    struct trouble *troubles; /* hash by task */
    struct interned *texts;   /* hash by text: labels of workers */
    struct heap delayed;      /* waiting tasks by ready_at */
    struct follower *followers;
    size_t n_followers, cap_followers;
    bool restored;
    ms_t settle_until;  /* nothing is dispatched before */
    bool want_dispatch; /* something changed that may let a task start */
};

/* outbox.c */
struct change *out_change(struct outbox *out, enum change_kind kind);
struct send *out_send(struct outbox *out, enum send_kind kind, peer_id to);
void out_grant(struct outbox *out, struct send *s, lease_id lease,
               task_id task); /* s is the last send */
void out_refuse(struct outbox *out, const struct event *ev, int err, const char *text);

/* live.c: studies */
struct live *live_find(const struct core *c, study_id study);
struct live *live_get(struct core *c, study_id study); /* made when there is none */
void live_free(struct core *c, struct live *st);
bool live_ended(const struct live *st);
struct array *live_current(const struct live *st); /* the one of points, else the youngest */
void live_enter(struct live *st, struct array *a); /* a is one of its arrays: counts it */
void live_leave(struct core *c, struct array *a);  /* no more: retired or unloaded */
void live_set_mode(struct core *c, struct live *st, enum study_mode mode, struct outbox *out);
void live_mode_of(struct core *c, struct array *a); /* the mode of one array of it, anew */
bool live_was_unloaded(const struct live *st, array_id id);

/* steer.c: the words that change priority and share of a study that is loaded */
void on_steer(struct core *c, const struct event *ev, struct outbox *out);

/* array.c: the table of allowed moves, the ready order */
struct array *array_of_task(const struct core *c, task_id task);
struct array *array_of_study(const struct core *c, study_id study); /* the current one, or NULL */
struct array *array_by_id(const struct core *c, array_id id);
struct array *array_add(struct core *c, const struct array_row *row, const uint8_t *states);
void array_grow(struct array *a, uint64_t n, const uint8_t *states); /* of calls */
void array_close(struct array *a);
void array_remove(struct core *c, struct array *a);
void array_touch(struct core *c, struct array *a); /* settle_arrays looks at it */
enum task_state array_state(const struct array *a, task_id task);
/* array_move - what becomes READY and has to wait for other tasks becomes BLOCKED instead. */
void array_move(struct core *c, struct array *a, task_id task, enum task_state to);
/* array_end - the same for an end, with what the tasks that wait for it must know: where it ran,
 * and why it did not run. */
void array_end(struct core *c, struct array *a, task_id task, enum task_state to, worker_id worker,
               task_id because);
/* array_reopen - what has ended is to run again, with all of its tries. */
void array_reopen(struct core *c, struct array *a, task_id task, enum task_state to);
/* array_warned - a task that is done succeeded with a warning, until it is run again. */
void array_warned(struct array *a, task_id task);
bool array_has_warned(const struct array *a, uint64_t index);
void array_set_order(struct array *a, const uint32_t *order); /* of points, when it is new */
bool array_next_ready(struct array *a, task_id *task); /* takes it out of the order: lease it now */
bool array_ended(const struct array *a);               /* all of it, and closed */
/* array_count_anew - a person sets it going: halt rules look at the ends from now on. `unknown`:
 * the store may have ends that were not counted here. */
void array_count_anew(struct array *a, bool unknown, struct outbox *out);
void array_note_duration(struct core *c, struct array *a, uint64_t us);
bool array_update_limit(struct array *a); /* true: limit_ms changed enough to tell */
struct trouble *trouble_get(struct core *c, task_id task); /* made when there is none */
struct trouble *trouble_find(const struct core *c, task_id task);
void trouble_drop(struct core *c, task_id task);
void trouble_counted(struct trouble *t, lease_id lease); /* this is the last lease that counts */

/* lease.c */
struct lease *lease_find(const struct core *c, lease_id id);
struct lease *lease_grant(struct core *c, struct worker *w, struct array *a, task_id task);
struct lease *lease_adopt(struct core *c, struct worker *w, struct array *a, task_id task,
                          lease_id id);
/* lease_twin - a second lease of a task that is leased, on another worker */
struct lease *lease_twin(struct core *c, struct worker *w, struct lease *l);
void lease_end(struct core *c, struct lease *l,
               struct outbox *out); /* frees it; the task is the caller's to move */
void lease_revoke(struct core *c, struct lease *l, struct outbox *out);
void lease_revoke_array(struct core *c, struct array *a, struct outbox *out);
/* lease_recall_array - asks back what of it waits at workers for a slot: nothing new is to start */
void lease_recall_array(struct core *c, struct array *a, struct outbox *out);
/* lease_running - how many tasks of a study workers run, as far as their slots tell: what was given
 * to them last waits there */
uint64_t lease_running(const struct core *c, const struct live *st);
void lease_make_durable(struct lease *l, struct outbox *out);
void lease_forget_durable(struct lease *l, struct outbox *out);

/* pool.c */
struct worker *pool_by_peer(const struct core *c, peer_id peer);
struct worker *pool_by_id(const struct core *c, worker_id id);
struct worker *pool_add(struct core *c, const struct worker_row *row);
void pool_remove(struct core *c, struct worker *w);
void pool_up(struct core *c, struct worker *w, peer_id peer); /* connected, also anew */
void pool_away(struct core *c, struct worker *w);             /* its connection ended */
void pool_lose(struct core *c, struct worker *w, bool counted,
               struct outbox *out); /* its tasks are ready again */
/* pool_recall_leaver - whether a worker that joins was drained before it was given up: then it is
 * again. */
void pool_recall_leaver(struct core *c, struct worker *w);
void pool_check_time(struct core *c, struct outbox *out);
ms_t pool_deadline(const struct core *c);
void pool_due(struct core *c, ms_t at); /* pool_check_time must look at that time, if not before */

/* follow.c, beside what graph.h has: whether a call of w->wanted still waits for that worker */
bool follow_is_for(const struct core *c, const struct worker *w, task_id task, struct array **a);

/* dispatch.c */
void dispatch(struct core *c, struct outbox *out);
/* dispatch_settling - after a start, as long as workers that were known before may come back and
 * say what runs: nothing is given out, and nothing skipped */
bool dispatch_settling(const struct core *c);
void dispatch_delayed(struct core *c);

/* shape.c: what tasks ask for */
struct shape *shape_hold(struct core *c, const struct needs *n); /* made when there is none */
struct shape *shape_hold_again(struct shape *s);
void shape_drop(struct core *c, struct shape *s);           /* frees it after the last user */
void shape_of_array(struct core *c, struct array *a);       /* after its policy was set */
const char *shape_intern(struct core *c, const char *text); /* the same text, kept */
void shape_free(struct core *c);

/* room.c: what is free at workers */
void room_update(struct core *c, struct worker *w);  /* after anything of it has changed */
void room_grew(struct core *c, struct worker *w);    /* and there may be more room than before */
void room_close(struct core *c, struct worker *w);   /* it takes nothing new, or is gone */
void room_take(struct core *c, struct lease *l);     /* a lease has begun */
void room_give(struct core *c, struct lease *l);     /* it has ended */
void room_finished(struct core *c, struct lease *l); /* at its worker, whose result is to come */
void room_mark_long(struct lease *l);
/* room_offer - what a worker has, as it says in its hello; true: something else than before */
bool room_offer(struct core *c, struct worker *w, const struct worker_row *row);
uint32_t room_free(const struct worker *w);
bool room_fits(struct core *c, const struct shape *s, const struct worker *w); /* now, in a slot */
bool room_in_time(const struct core *c, const struct shape *s, const struct worker *w);
bool room_may_start(const struct core *c, const struct shape *s, const struct worker *w);
/* room_find - a worker with room for a task of the array; NULL: there is none. tight: the one with
 * the least room, else the one with the most. */
struct worker *room_find(struct core *c, struct array *a, bool tight);
void room_pass_over(struct core *c);             /* every array that is ready was looked at */
void room_wait(struct core *c, struct array *a); /* it found no room: it may reserve a worker */
void room_unreserve(struct core *c, struct shape *s);

/* speculate.c: backup attempts */
void speculate(struct core *c, struct outbox *out);
void speculate_wake(struct core *c, const struct lease *l); /* it runs on: is it time? */
void twin_part(struct lease *l);                            /* the other one is the task's lease */
void twin_beaten(struct core *c, struct lease *l, struct outbox *out); /* the other is given up */

/* result.c */
void on_result(struct core *c, const struct event *ev, struct outbox *out);
void result_lost(struct core *c, struct lease *l, bool counted, struct outbox *out);
/* result_stopped - unstarted or revoked: ready again at no cost */
void result_stopped(struct core *c, struct lease *l, struct outbox *out);

/* worker_events.c, client_events.c */
void on_hello(struct core *c, const struct event *ev, struct outbox *out);
void on_beat(struct core *c, const struct event *ev, struct outbox *out);
void on_returned(struct core *c, const struct event *ev, struct outbox *out);
void on_bye(struct core *c, const struct event *ev, struct outbox *out);
void on_known_worker(struct core *c, const struct event *ev);
void on_running(struct core *c, const struct event *ev, struct outbox *out);
void on_drain(struct core *c, const struct event *ev, struct outbox *out);
void on_submit(struct core *c, const struct event *ev, struct outbox *out);
void on_append(struct core *c, const struct event *ev, struct outbox *out);
void on_unload(struct core *c, const struct event *ev);
void on_hold(struct core *c, const struct event *ev, struct outbox *out);
void on_cancel(struct core *c, const struct event *ev, struct outbox *out);
void on_retry(struct core *c, const struct event *ev, struct outbox *out);
/* live_asked_for - the study of an event; when it is not loaded the peer is refused and it is NULL
 */
struct live *live_asked_for(struct core *c, const struct event *ev, struct outbox *out);
void core_reply(struct outbox *out, peer_id to, uint64_t request, uint64_t n);
void cancel_some(struct core *c, struct outbox *out);

/* progress.c */
void on_follow(struct core *c, const struct event *ev);
void progress_tell(struct core *c, struct outbox *out);
ms_t progress_deadline(const struct core *c);
void followers_due(struct core *c); /* all of them: the farm has other slots */
void followers_drop(struct core *c, peer_id peer);

#endif
