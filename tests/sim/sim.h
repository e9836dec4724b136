#ifndef GRANGE_TESTS_SIM_H
#define GRANGE_TESTS_SIM_H
/* sim - the real core and the real agents in a simulated world: one heap of (time, sequence), a
 * network that loses what real ones lose, a disk that keeps whole transactions, processes that only
 * take time. All of it is drawn from one seed, so a seed is a run. First everything may go wrong
 * and nothing may be wrong; then the world heals and everything must end. What "wrong" means is in
 * oracle.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/heap.h"
#include "base/rng.h"
#include "base/rows.h"
#include "scheduler/core.h"
#include "worker/agent.h"

enum {
    SIM_WORKERS = 6,
    SIM_STUDIES = 3,
    SIM_VARIANTS = 3, /* designs of one study: edited and edited back */
    SIM_ARRAYS = SIM_STUDIES * SIM_VARIANTS,
    SIM_TASKS = 4096,
    TRACE_LINES = 40,
    EDGES_MAX = 3,   /* of one call */
    APPEND_MAX = 30, /* calls in one append */
    SIM_APPENDS = 2048,
    ACTOR_CLIENT = SIM_WORKERS, /* actors: the workers, then the client */
    N_ACTORS
};

/* options - what kind of world this seed is; see options.c. */
struct study_options {
    uint64_t n;            /* points of its first design */
    ms_t fastest, slowest; /* of its points, drawn so that each decade is as likely */
    struct policy policy;
    bool skips; /* as if by --where: every fifth point */
    bool calls; /* an array of calls, appended to while it runs, that wait for each other */
    bool after, element; /* it waits for the study before it; element by element */
    uint8_t after_rule;
    bool fixed; /* it has one design only */
};
struct options {
    uint32_t n_workers, slots[SIM_WORKERS], n_studies;
    uint32_t gpus[SIM_WORKERS];
    bool big[SIM_WORKERS]; /* the label */
    bool ends;             /* workers but the first say when they end */
    struct study_options study[SIM_STUDIES];
    ms_t delay_max, commit_max, dial_max;
    ms_t safety_ms, fault_every_ms, request_every_ms; /* 0: never */
    bool crash_scheduler, crash_after_commit, crash_worker, drain_worker, pause_worker, reset_link,
        clog_link, infra;
    bool tasks_fail, edits;
    bool steers;            /* somebody changes priorities and shares, and drains workers */
    bool hole[SIM_WORKERS]; /* what starts there fails at once */
    bool fault_free;        /* nothing goes wrong at all: how well are the slots used? */
};
void options_draw(struct options *o, uint64_t seed);

/* What happens at some time. */
enum thing_kind {
    T_PUMP,    /* a: connection, b: end. Deliver what is due */
    T_DIAL,    /* a: actor */
    T_WAKE,    /* a: worker; its agent's deadline */
    T_PROCESS, /* a: worker, lease: its process starts or ends */
    T_TURN,    /* of the scheduler */
    T_COMMIT,  /* the transaction in flight is on the disk */
    T_BEAT,    /* scheduler to workers */
    T_START_SCHEDULER,
    T_START_WORKER, /* a */
    T_FAULT,
    T_REQUEST,
    T_WATCH,
    T_HEAL
};
struct thing {
    enum thing_kind kind;
    uint32_t a, b, life;
    uint64_t lease;
    uint64_t next_free;
};

/* packet - one message on its way. One struct for all: simulated memory is cheap. */
enum packet_kind {
    P_UP,
    P_GONE, /* made by the network itself */
    P_HELLO,
    P_BEAT,
    P_RESULT,
    P_RETURNED,
    P_BYE,
    P_WELCOME,
    P_REFUSED,
    P_ASSIGN,
    P_REVOKE,
    P_RECALL,
    P_ACK,
    P_LIMIT,
    P_SUBMIT,
    P_APPEND,
    P_HOLD,
    P_CANCEL,
    P_RETRY,
    P_FOLLOW,
    P_RELEASE,
    P_PRIORITY,
    P_SHARE,
    P_DRAIN, /* of a client: a worker; to a worker: itself */
    P_LEAVING,
    P_SUBMITTED,
    P_APPENDED,
    P_REPLY,
    P_PROGRESS
};
struct packet {
    enum packet_kind kind;
    ms_t at;
    struct worker_row worker; /* HELLO */
    struct event_held *held;  /* HELLO, BEAT, RETURNED, ASSIGN, REVOKE, ACK; RETRY, CANCEL: indexes
                                 in task. Owned */
    size_t n_held;
    struct end_row end; /* RESULT */
    uint32_t study, variant, n;
    uint64_t there; /* APPEND: the first; APPENDED: how many there are */
    bool close;
    array_id array;
    ms_t limit_ms; /* DRAIN: the grace */
    bool now, failed;
    int32_t number; /* PRIORITY; SHARE: running_max, and n the weight */
    uint64_t request;
};

/* connection - from an actor (end 0) to the scheduler (end 1). Its peer id is its index + 1. */
struct queue {
    struct packet *items;
    size_t n, cap;
    ms_t last_at, clogged_until;
    bool open;
};
struct connection {
    uint32_t actor;
    struct queue to[2];
    bool cut;
    bool is_worker;
};

/* process - what a worker was told to spawn. */
struct process {
    lease_id lease;
    task_id task;
    array_id array;
    bool started;
    ms_t started_ms, exit_ms;
    enum stop_why why;
    ms_t limit_ms;
    enum end_reason reason; /* how it ends by itself */
    int32_t code;
    bool ignores_term, natural;
    bool fast; /* it fails at once */
};
struct sim_worker {
    bool alive, leaving;
    uint32_t life; /* counts starts: things of an earlier life are ignored */
    struct worker_row row;
    struct agent *agent;
    struct acts acts;
    uint32_t connection; /* index + 1; 0: none */
    bool dialling;
    ms_t paused_until, wake_at;
    struct process *processes;
    size_t n_processes, cap_processes;
    struct end_row *results;
    size_t n_results, cap_results;
    uint32_t spins;
    uint64_t n_spawned;
};

struct inbox_item {
    peer_id from;
    struct packet packet;
};
struct sim_scheduler {
    bool alive, committing, turn_due;
    uint32_t life;
    ms_t turn_at;
    struct core *core;
    struct outbox out;
    struct inbox_item *inbox;
    size_t n_inbox, cap_inbox;
    uint32_t spins;
    struct array_row fresh[SIM_ARRAYS]; /* submitted in this life, perhaps not committed yet */
    size_t n_fresh;
    uint64_t next_task;
    uint32_t next_array;
};

struct sim_client {
    uint32_t connection;
    bool dialling;
    uint32_t variant[SIM_STUDIES];  /* which design it wants */
    uint64_t appended[SIM_STUDIES]; /* calls that it knows to be there */
    uint64_t request;
};

/* disk - the rows that survive; see disk.c. */
struct disk_task {
    bool ended, adopted;
    uint8_t state;
    bool warned;
    worker_id worker; /* where it ended */
    uint32_t end_n;   /* which of all ends that was */
    lease_id lease, last_failed;
    uint32_t failures, losses; /* attempts that count, since it was last reopened */
    bool ran;                  /* one began */
};
struct disk_running {
    lease_id lease;
    task_id task;
    worker_id worker;
    ms_t started_ms;
};
struct disk {
    uint32_t epoch;
    struct array_row arrays[SIM_ARRAYS];
    size_t n_arrays;
    struct {
        array_id current;
        bool active, halted;
    } study[SIM_STUDIES + 1]; /* by study id */
    struct disk_append {
        array_id array;
        uint64_t at, n;
    } appends[SIM_APPENDS];
    size_t n_appends;
    struct disk_task task[SIM_TASKS];
    struct disk_running *running;
    size_t n_running, cap_running;
    struct worker_row *workers;
    size_t n_workers, cap_workers;
    worker_id next_worker;
    struct {
        uint64_t failed, ended;
    } counted[SIM_ARRAYS + 1]; /* by array: what halt rules look at */
    uint64_t n_commits;
    uint32_t n_ends;
};

struct oracle;

struct sim {
    uint64_t seed;
    struct options opt;
    struct rng rng; /* of the world: delays, faults */
    ms_t now;
    struct heap heap;
    struct thing *things;
    size_t n_things, cap_things;
    uint64_t free_thing; /* index + 1 */
    struct connection *connections;
    size_t n_connections, cap_connections;
    struct sim_scheduler scheduler;
    struct sim_worker workers[SIM_WORKERS];
    struct sim_client client;
    struct disk disk;
    struct array_edge after[SIM_STUDIES]; /* of its arrays */
    struct oracle *oracle;
    bool healed, over;
    ms_t heal_ms, ended_ms;
    uint32_t fails_left[SIM_TASKS]; /* how often its process will still fail by itself */
    bool fails_drawn[SIM_TASKS];
    /* trace */
    bool print;
    uint64_t hash, n_lines;
    struct buf line[TRACE_LINES];
};

/* sim.c */
void sim_run(struct sim *s, uint64_t seed,
             bool print); /* ends the program when something is wrong */
void sim_free(struct sim *s);
void sim_at(struct sim *s, ms_t at, struct thing thing);
uint64_t sim_below(struct sim *s, uint64_t n); /* 0..n-1 */
bool sim_chance(struct sim *s, uint32_t percent);
struct buf *sim_line(struct sim *s, const char *who); /* begins a line of the trace */
void sim_line_end(struct sim *s);
__attribute__((format(printf, 3, 4))) void sim_note(struct sim *s, const char *who,
                                                    const char *format, ...);
__attribute__((format(printf, 2, 3))) _Noreturn void sim_fail(struct sim *s, const char *format,
                                                              ...);
void sim_show(const struct sim *s); /* the last lines and how to repeat them */

/* world.c: what is true of tasks whatever the farm does */
const struct array_row *world_array(const struct sim *s,
                                    array_id id); /* committed or fresh; must exist */
const struct array_row *world_array_of(const struct sim *s, task_id task);
uint64_t world_point(const struct sim *s, const struct array_row *row,
                     uint64_t index); /* identity in its study */
void world_design(const struct sim *s, uint32_t study, uint32_t variant,
                  struct array_row *row); /* all but id and first */
bool world_skips(const struct sim *s, const struct array_row *row, uint64_t index);
ms_t world_duration(const struct sim *s, task_id task);
void world_outcome(struct sim *s, struct process *p); /* how it will end if nobody stops it */

/* calls.c: the same of calls */
struct world_append {
    uint8_t rules[APPEND_MAX];
    struct edge edges[APPEND_MAX * EDGES_MAX];
    size_t n_edges;
};
enum verdict { VERDICT_RUN, VERDICT_WAIT, VERDICT_NEVER }; /* the worse ones are larger */
typedef enum task_state (*world_state_fn)(const struct sim *s, task_id task);
bool world_calls(const struct sim *s, study_id study);
size_t world_edges(const struct sim *s, const struct array_row *row, uint64_t index,
                   uint64_t on[EDGES_MAX]);
uint8_t world_rule(const struct sim *s, const struct array_row *row, uint64_t index);
/* world_verdict - whether a task may start, by the ends of those it waits for as `state` says. */
enum verdict world_verdict(const struct sim *s, task_id task, world_state_fn state);
void world_append(const struct sim *s, const struct array_row *row, uint64_t at, uint64_t n,
                  struct world_append *w);

/* stages.c: the same of arrays that wait for arrays */
void stages_draw(struct options *o, uint64_t seed);
void stages_edge(struct sim *s, const struct array_row *on, struct array_row *row);
enum verdict stages_verdict(const struct sim *s, const struct array_row *row, uint64_t index,
                            world_state_fn state);

/* oracle_needs.c */
void oracle_spawned(struct sim *s, uint32_t w, const struct process *started);
void oracle_granted_in_time(struct sim *s, uint64_t instance, task_id task);
void oracle_granted_there(struct sim *s, peer_id to, task_id task);

/* net.c */
void net_connect(struct sim *s, uint32_t actor); /* the scheduler is alive */
void net_send(struct sim *s, uint32_t connection, int to,
              struct packet packet); /* takes what it owns */
void net_pump(struct sim *s, uint32_t connection, int end);
void net_close(struct sim *s, uint32_t connection, int by); /* in good order; GONE comes to both */
void net_drop(struct sim *s, uint32_t connection, int dead,
              ms_t notice_ms); /* one end died; the other may see it later */
void net_reset(struct sim *s, uint32_t connection);
void net_clog(struct sim *s, uint32_t connection, int end, ms_t for_ms);
void net_unclog(struct sim *s);
void packet_fini(struct packet *p);
struct event_held *packet_hold(struct packet *p); /* one more held lease, zeroed */

/* disk.c */
void disk_commit(struct sim *s, const struct change *changes, size_t n);
void disk_states(const struct sim *s, const struct array_row *row,
                 uint8_t *states); /* skipped ones too */
/* disk_append - the k-th append of the disk as an event, when it is of this study. What it borrows
 * lives until the next call. */
bool disk_append(const struct sim *s, size_t k, study_id study, struct event *ev);
/* disk_restore - a core as a start would build it; with `loaded`, of the studies that this one has.
 */
struct core *disk_restore(const struct sim *s, uint32_t epoch, ms_t now, const struct core *loaded,
                          struct outbox *out);
/* disk_places - where the tasks of an array ended, as an event; it lives until the next call. */
struct event disk_places(const struct sim *s, array_id array);
void disk_fini(struct disk *d);

/* scheduler_actor.c */
void scheduler_start(struct sim *s);
void scheduler_crash(struct sim *s, ms_t back_after);
void scheduler_receive(struct sim *s, peer_id from, struct packet *p);
void scheduler_turn(struct sim *s);
void scheduler_committed(struct sim *s);
void scheduler_beat(struct sim *s);

/* worker_actor.c */
void worker_start(struct sim *s, uint32_t w);
void worker_crash(struct sim *s, uint32_t w, ms_t notice_ms, ms_t back_after);
void worker_pause(struct sim *s, uint32_t w, ms_t for_ms);
void worker_drain(struct sim *s, uint32_t w, ms_t grace_ms);
void worker_receive(struct sim *s, uint32_t w, struct packet *p);
void worker_wake(struct sim *s, uint32_t w);
void worker_process(struct sim *s, uint32_t w, lease_id lease);

/* client_actor.c */
void client_receive(struct sim *s, struct packet *p);
void client_request(struct sim *s);
void client_resubmit(struct sim *s); /* everything, in the design that it wants now */

/* oracle.c, oracle_disk.c, oracle_end.c; what is checked stands in oracle.h */
struct oracle *oracle_new(void);
void oracle_free(struct oracle *o);
void oracle_step(struct sim *s, const struct event *ev, const struct outbox *out, size_t change,
                 size_t send);
void oracle_change(struct sim *s, const struct change *c); /* before it is applied to the disk */
void oracle_send(struct sim *s, const struct send *d, const struct outbox *out); /* as it leaves */
void oracle_commit(struct sim *s);
void oracle_scheduler_died(struct sim *s);
void oracle_scheduler_started(struct sim *s);
void oracle_loaded(struct sim *s, array_id array); /* it is new to the core, or was forgotten */
void oracle_forgotten(struct sim *s, const struct end_row *e,
                      bool counted); /* by the worker that produced it */
void oracle_watch(struct sim *s);    /* now and then */
bool oracle_all_ended(struct sim *s);
void oracle_end(struct sim *s);

#endif
