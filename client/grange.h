#ifndef GRANGE_H
#define GRANGE_H
/* grange.h - the public C interface of Grange: a task farm's futures, studies and their progress.
 *
 *     struct grange *g;
 *     struct grange_future f;
 *     struct grange_result r;
 *     char why[300];
 *     if (grange_embed(NULL, 5000, &g, why, sizeof why) != GRANGE_OK)
 *         errx(1, "%s", why);
 *     grange_command(g, "echo hello", NULL, &f);
 *     if (grange_wait(g, f, 60000) == GRANGE_OK && grange_get(g, f, &r) == GRANGE_OK)
 *         fwrite(r.out, 1, r.out_bytes, stdout);
 *     grange_close(g);
 *
 * A connection (struct grange) is to one scheduler. Over it go calls - commands, functions of
 * engines, the points of studies - each of which is a task of the farm and has a future here. What
 * was submitted is durable within milliseconds (grange_flush waits for that); it runs, is retried
 * and ends whether or not this program is there to see it.
 *
 * Errors: functions that return int give 0 on success or a code of enum grange_err; grange_message
 * says in words what was wrong in the last call of this thread. Every call that can wait takes a
 * deadline in milliseconds and returns GRANGE_ERR_TIMEOUT when it passes; 0 just looks, and
 * GRANGE_FOREVER never passes. A scheduler that is lost is GRANGE_ERR_LOST: at once when somebody
 * shut the farm down, a second after its connection closed, five after it stopped answering; the
 * connection keeps dialling, nothing is forgotten, and the same call may be made again. Requests
 * are idempotent.
 *
 * Threads: every function may be called by any thread, also for the same connection, except
 * grange_close, which is the last. Who waits also does the work of the connection; while nobody
 * waits a thread of the library does (it exists once there are futures). Its threads
 * take no signals.
 *
 * Ownership: what is passed in is borrowed for the call. What comes out as a pointer says how long
 * it lives. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GRANGE_VERSION "0.1.0"

enum grange_err {
    GRANGE_OK = 0,
    GRANGE_ERR_USAGE = 1,
    GRANGE_ERR_NOT_FOUND = 2,
    GRANGE_ERR_EXISTS = 3,
    GRANGE_ERR_BUSY = 4,
    GRANGE_ERR_LIMIT = 5,
    GRANGE_ERR_VERSION = 6,
    GRANGE_ERR_DAMAGED = 7,
    GRANGE_ERR_DISK_FULL = 8,
    GRANGE_ERR_IO = 9,
    GRANGE_ERR_PERMISSION = 10,
    GRANGE_ERR_MALFORMED = 11,
    GRANGE_ERR_TIMEOUT = 12,
    GRANGE_ERR_LOST = 13,
    GRANGE_ERR_STATE = 14
};
const char *grange_strerror(int code); /* static */
const char *grange_version(void);      /* of the library: GRANGE_VERSION */

struct grange; /* a connection */

#define GRANGE_FOREVER INT64_MAX

/* ---- connections
 *
 * grange_connect - to a scheduler, waiting at most timeout_ms until it answers. `where` is a URL
 * ("ipc://PATH", "tcp://HOST:PORT"), or the path of a connection file (it has a '/' or ends in
 * ".json"), or the name of a farm of this user, as `grange farms` lists it. NULL: what the
 * environment says, GRANGE_CONNECT (a URL or file), else GRANGE_FARM (a name), else GRANGE_PARENT
 * (set by a worker for its tasks: the farm that runs them), or else the one farm of this user that
 * is up, or whose scheduler died and is being started again. A connection file is read again when
 * it was written again while the connection was lost. On success *g is the caller's to
 * grange_close. On an error *g is NULL, and the reason is written to why (why_bytes, may be 0). */
int grange_connect(const char *where, int64_t timeout_ms, struct grange **g, char *why,
                   size_t why_bytes);

/* grange_embed - the same with a farm of one's own, which ends with the connection, also when this
 * program is killed. The program `grange` is the one that GRANGE_PROGRAM names, or the one beside
 * the library (or in ../bin of it), or that of the PATH. how may be NULL, and what is 0 in it has
 * its default. A scheduler or worker that dies is started again. */
struct grange_embed {
    const char *dir; /* of the store: made when it is not there, kept. NULL: a temporary one,
                        which goes when the connection closes */
    uint32_t slots;  /* points and calls at once; 0: as many as this process has processors */
    const char *const *plugins; /* libraries whose functions the engines offer */
    size_t n_plugins;
    const char *program; /* path of `grange` */
};
int grange_embed(const struct grange_embed *how, int64_t timeout_ms, struct grange **g, char *why,
                 size_t why_bytes);

/* grange_close - ends the connection and whatever belongs to it: futures, results, sets. What was
 * submitted is sent; whether it arrived is known after grange_flush. May be called with NULL. */
void grange_close(struct grange *g);
/* grange_message - words for the last error in this thread; until its next call. Of any connection:
 * g is not looked at. */
const char *grange_message(const struct grange *g);
const char *grange_owner(const struct grange *g); /* who started the scheduler: "run 4711", or "" */
/* grange_is_down - whether the scheduler said that its farm was shut down, and it has not come
 * back. Then it is not lost for seconds but until somebody starts it. */
bool grange_is_down(struct grange *g);
/* grange_fd - for poll, select, epoll: readable when grange_next, grange_set_next or
 * grange_progress_next has something, or an operation on engines has ended of which no function has
 * said so; now and then also when there is nothing. It is the connection's. */
int grange_fd(const struct grange *g);

struct grange_counts { /* points of a study, by state; n = the sum of all but reused,
                          lost, unmet and warned */
    uint64_t n, ready, waiting, running, done, failed, cancelled, skipped, quarantined;
    uint64_t reused;  /* how many of the ended ones had ended before this submission */
    uint64_t lost;    /* attempts lost with a worker since the scheduler started */
    uint64_t blocked; /* wait for others to end */
    uint64_t unmet;   /* of skipped: what they wait for can no longer come */
    uint64_t warned;  /* of done: succeeded with a warning */
};

/* grange_submit - a study, as JSON with the words of a study file: {"version": 1, "name": "sweep",
 * "cwd": "/where/it/runs", "command": ["./sim", "{T}"], "factors": ["T=280:320:10"], ..}. Points
 * that ended before are not run again. With retry_failed those that failed are; with fresh all are.
 * grange_resume - the same for a study that the scheduler's store knows by name. With again, for
 * who submitted it and lost the connection, what was put on hold or halted meanwhile stays so. The
 * reply says what there is to do; name is the study's. */
enum { GRANGE_RETRY_FAILED = 1, GRANGE_FRESH = 2, GRANGE_AGAIN = 4 };
struct grange_submitted {
    char name[101];
    uint32_t study, array;
    uint64_t first_task;
    struct grange_counts counts;
    bool template_changed; /* earlier points of this study came from another command */
};
int grange_submit(struct grange *g, const char *json, size_t bytes, unsigned flags,
                  int64_t timeout_ms, struct grange_submitted *reply);
int grange_resume(struct grange *g, const char *name, unsigned flags, int64_t timeout_ms,
                  struct grange_submitted *reply);

/* grange_hold - starts no new points of a study; with now, running ones are stopped and stay to be
 * done. grange_cancel / grange_retry - the points with these indexes; with n = 0 all that have not
 * ended / all that failed. *touched (may be NULL): how many; of a hold, how many run. */
int grange_hold(struct grange *g, const char *name, bool now, int64_t timeout_ms,
                uint64_t *touched);
int grange_cancel(struct grange *g, const char *name, const uint64_t *index, size_t n,
                  int64_t timeout_ms, uint64_t *touched);
int grange_retry(struct grange *g, const char *name, const uint64_t *index, size_t n,
                 int64_t timeout_ms, uint64_t *touched);
/* grange_release - a study that is held or halted goes on. grange_priority - studies of a higher
 * one come first (-1000000..1000000; 0 where none was given). grange_weight - of those of the same
 * priority each has so large a share (1..1000). grange_running_max - so many points of it run at
 * once, at most; 0: no limit. All of it is durable. */
int grange_release(struct grange *g, const char *name, int64_t timeout_ms);
int grange_priority(struct grange *g, const char *name, int32_t priority, int64_t timeout_ms);
int grange_weight(struct grange *g, const char *name, uint32_t weight, int64_t timeout_ms);
int grange_running_max(struct grange *g, const char *name, uint32_t most, int64_t timeout_ms);
/* grange_drain - a worker, by its name or id, gets nothing new and ends when what runs there has
 * ended, or grace_ms after now (0: at once, negative: no limit); what is stopped then runs
 * elsewhere, at no cost. *running (may be NULL): tasks that it has. grange_down - the same for all
 * workers; then the scheduler ends. It returns when that was begun. */
int grange_drain(struct grange *g, const char *worker, int64_t grace_ms, int64_t timeout_ms,
                 uint64_t *running);
int grange_down(struct grange *g, int64_t grace_ms, int64_t timeout_ms);
/* grange_shutdown - ends the scheduler and its workers; running points stay to be done. */
int grange_shutdown(struct grange *g, int64_t timeout_ms);

/* grange_follow - asks for progress of a study; grange_next waits for the next news of any followed
 * study: GRANGE_ERR_TIMEOUT when there is none, GRANGE_ERR_LOST when the scheduler went away (call
 * again: follows are repeated by the library once it is back, and `reconnected` is set). A
 * scheduler that hangs is noticed within seconds by who calls at least once a second, also with
 * timeout_ms 0. */
enum grange_study_state { GRANGE_ACTIVE, GRANGE_HELD, GRANGE_HALTED, GRANGE_ENDED };
struct grange_running {
    uint64_t index;
    int64_t elapsed_ms;
    double share; /* of a call: how far it is, 0 to 1, when its function says so */
};
struct grange_progress {
    char name[101];
    enum grange_study_state state;
    struct grange_counts counts;
    uint32_t n_workers, slots, slots_busy;
    uint64_t limit_ms; /* a relative timeout, once known; 0 otherwise */
    size_t n_running;
    struct grange_running running[8]; /* slowest first */
    bool reconnected; /* the connection was lost and is back: resume it, again, to be sure */
};
int grange_follow(struct grange *g, const char *name, int64_t timeout_ms);
int grange_next(struct grange *g, int64_t timeout_ms, struct grange_progress *p);

/* ---- futures
 *
 * A future stands for one task: a call, or a point of a sweep. It is a plain value: copy it, keep a
 * million of them; the connection holds what belongs to it (about 16 bytes until it ended, 100 and
 * its result after that). It ends once, with an outcome; a task that somebody retries later keeps
 * the end that this connection has seen. */
struct grange_future {
    uint64_t id; /* 0: none. Those of one batch count upwards by 1 */
};
/* grange_nth - future i of a batch or sweep, from its first. */
static inline struct grange_future grange_nth(struct grange_future first, uint64_t i)
{
    struct grange_future f = { first.id + i };
    return f;
}

/* What a call waits for: all the futures named, to end in success. Bits change that. With
 * GRANGE_ON_FAILURE a failure counts as well as a success (so: however it ends), with
 * GRANGE_NOT_SUCCESS a success does not count. With GRANGE_ANY one that counts is enough. When what
 * a call waits for can no longer come it is skipped. GRANGE_FOLLOW: it runs on the worker where the
 * first of them ran, with GRANGE_ANY the one whose end was the first that counts, while that worker
 * is there (waited for over a restart of the scheduler), else on any. */
enum {
    GRANGE_ALL = 0,
    GRANGE_ANY = 1,
    GRANGE_ON_FAILURE = 2,
    GRANGE_NOT_SUCCESS = 4,
    GRANGE_FOLLOW = 8
};

/* A whole array to wait for, by the key of its calls: all of them (with GRANGE_ANY one of them) are
 * to end as `rule` says, which they have only once the key is closed (grange_key_close). With each,
 * call i waits for call i of that key alone. */
struct grange_array {
    const char *key;
    bool each;
    unsigned rule; /* without GRANGE_FOLLOW */
};

/* How a call is run. What is 0 has its default; NULL for all of it too.
 *
 * Calls that share everything but `after` and `rule` are kept together, in one array of the farm;
 * so a program uses few combinations for its many calls.
 *
 * key: names the array, at most 200 bytes, not beginning with '#'. The calls under one key are
 * numbered from 0 in the order in which a connection submits them; call 7 of key "fit" is the task
 * "fit:7" for ever. A program that is started again and submits the same calls under the same key
 * gets the same tasks, those that have ended with their results; what it submits beyond them is
 * new. NULL: one that nobody else has.
 *
 * study: where the array is shown and controlled (`grange status`, hold, priority). Calls wait for
 * calls of their own study only. NULL: with a key a study of that name, else one of this
 * connection. */
struct grange_options {
    const char *key, *study;
    const char *cwd;       /* where a command runs; NULL: where its worker was started */
    uint32_t retries;      /* further attempts after a failure */
    int64_t timeout_ms;    /* of one attempt; 0: none */
    int32_t priority;      /* of the study: higher first */
    uint32_t cores;        /* slots that it takes; 0: 1 */
    uint32_t memory_mib;   /* that it takes */
    const char *resources; /* that it takes: "gpus=1,licences=2" */
    const char *require;   /* labels that the worker must have: "site=north,big" */
    int64_t least_ms;      /* takes at least so long: does not start on a worker that ends sooner */
    const char *policy;    /* further words of a study file, as a JSON object: exit {"3":"warn"},
                              halt "10%", backoff "1s..60s", weight 3, max_running 7, speculate
                              true, restart "CMD" (of commands: later attempts, the command is
                              $1); one that is not known is refused */
    const struct grange_array *arrays; /* wait for these, and for */
    size_t n_arrays;
    const struct grange_future *after;
    size_t n_after;
    unsigned rule; /* of after: see above */
};

struct grange_bytes {
    const void *data;
    size_t bytes;
};

/* grange_call - submits one call of a function that engines of the farm offer, with these bytes (at
 * most 1 GiB; copied, so that they are the caller's again when it returns). grange_command - one
 * command line for sh. *f is its future (f may be NULL).
 *
 * They return at once, before the scheduler has heard of it, and many calls go in one message; they
 * wait only while 64 MiB are on their way to the scheduler (GRANGE_ERR_LOST when it is not there to
 * take them). What the scheduler refuses - options that make no sense, a cycle, another study's
 * future - ends the future with the outcome GRANGE_REFUSED. */
int grange_call(struct grange *g, const char *function, const void *data, size_t bytes,
                const struct grange_options *o, struct grange_future *f);
int grange_command(struct grange *g, const char *command, const struct grange_options *o,
                   struct grange_future *f);
/* grange_batch - n calls of a function (commands when function is NULL), whose futures are
 * grange_nth(*first, 0) .. grange_nth(*first, n - 1). o->after holds for each of them. */
int grange_batch(struct grange *g, const char *function, const struct grange_bytes *items, size_t n,
                 const struct grange_options *o, struct grange_future *first);
/* grange_sweep - grange_submit, and futures for the points: grange_nth(*first, i) is point i of
 * reply->counts.n. Those that ended before are ready soon. */
int grange_sweep(struct grange *g, const char *json, size_t bytes, unsigned flags,
                 int64_t timeout_ms, struct grange_submitted *reply, struct grange_future *first);
/* grange_key_close - no further calls under this key, which this connection has used: what waits
 * for the whole array can go on, and its study can end. Waits until it is durable. Keys that were
 * not given are closed with the connection. */
int grange_key_close(struct grange *g, const char *key, int64_t timeout_ms);
/* grange_flush - waits until everything that was submitted is durable at the scheduler. */
int grange_flush(struct grange *g, int64_t timeout_ms);

/* grange_future_key - writes the name with which any program can open the future again, at any
 * time: "fit:7". key_bytes should be GRANGE_KEY_BYTES. grange_future_open - does that, waiting
 * until the scheduler has found it: GRANGE_ERR_NOT_FOUND when it has no such task. Several threads
 * may open the same one at once; a timeout of one is nothing to the others. */
#define GRANGE_KEY_BYTES 224
int grange_future_key(struct grange *g, struct grange_future f, char *key, size_t key_bytes);
int grange_future_open(struct grange *g, const char *key, int64_t timeout_ms,
                       struct grange_future *f);

/* grange_ready - whether it has ended. grange_wait - until it has, however it ended.
 * grange_wait_all - until all have. grange_wait_any - until one has: *which is its place in f
 * (the earliest in f when several have). */
bool grange_ready(struct grange *g, struct grange_future f);
int grange_wait(struct grange *g, struct grange_future f, int64_t timeout_ms);
int grange_wait_all(struct grange *g, const struct grange_future *f, size_t n, int64_t timeout_ms);
int grange_wait_any(struct grange *g, const struct grange_future *f, size_t n, int64_t timeout_ms,
                    size_t *which);

enum grange_outcome {
    GRANGE_DONE,        /* succeeded */
    GRANGE_FAILED,      /* for good: error says why */
    GRANGE_CANCELLED,   /* by somebody */
    GRANGE_SKIPPED,     /* what it waited for did not come */
    GRANGE_QUARANTINED, /* several workers in a row were lost under it */
    GRANGE_REFUSED      /* the scheduler did not take it: error says why */
};
const char *grange_outcome_name(enum grange_outcome outcome); /* "done", "failed", ..; static */

/* All pointers live until the future is forgotten or the connection closed; none is NULL, and a
 * zero byte follows what they point to. */
struct grange_result {
    enum grange_outcome outcome;
    int exit_code;      /* of a command; -1 when it did not exit */
    int signal;         /* that ended it; 0: none */
    const char *reason; /* in words: "exit 3", "killed by SIGSEGV", "timed out after 30 s" */
    const char *error;  /* first line of stderr of a failure, or what the function said, or what
                           did not end as a skipped call needed it; "" */
    struct grange_future because; /* skipped: that one; id 0: not known here */
    const void *data;             /* what the function gave back */
    size_t bytes;                 /* at most 1 GiB */
    const char *out;              /* what was printed, the first MiB of it */
    const char *err;
    size_t out_bytes, err_bytes;   /* that are here */
    uint64_t out_total, err_total; /* that were printed */
    const char *worker, *host;     /* that ran it last; "" when it never ran */
    uint32_t attempts;             /* that count; 0 when it never ran */
    int64_t submitted_ms;         /* wall clock, since 1970-01-01 UTC; 0: not known. Of the call: */
    int64_t started_ms, ended_ms; /* of the last attempt */
    uint64_t wall_us;             /* of the last attempt */
    uint64_t user_us, system_us;  /* processor time, of a command with its children */
    uint64_t max_rss_kib;         /* of a call: of its engine so far. These three are 0 of a call of
                                     a function that took less than a millisecond */
};
/* grange_get - what came of it; GRANGE_ERR_STATE when it has not ended. */
int grange_get(struct grange *g, struct grange_future f, struct grange_result *r);

/* grange_on_end - calls back once, when the future has ended; at once, in this call, when it has.
 * Callbacks run one at a time, in the order of the ends, on the thread that takes what arrives: one
 * that waits, or the library's. They may call everything that does not wait (what does wait returns
 * GRANGE_ERR_STATE): submit further calls, get the result, forget the future. */
typedef void grange_callback(struct grange *g, struct grange_future f, void *context);
int grange_on_end(struct grange *g, struct grange_future f, grange_callback *fn, void *context);

/* grange_future_progress - how far a call is that runs, as its function said last (grange_progress
 * of grange_engine.h); share 0 before it said anything, 1 once it succeeded. grange_on_progress -
 * calls back when any of n futures of one batch, from first on, said something new, until they
 * end: as grange_on_end does, but only with what was said last, at most ten times a second of a
 * call. With fn NULL grange_progress_next has it: the next future that said something new, for
 * event loops (grange_fd is readable); GRANGE_ERR_TIMEOUT when there is none. Each of them asks
 * the farm to tell of the calls that share an array with the future; about a quarter of a second
 * later what was said is here. An attempt that was lost or failed starts anew. */
#define GRANGE_PROGRESS_BYTES 101
struct grange_future_progress {
    double share;                     /* 0 to 1 */
    char text[GRANGE_PROGRESS_BYTES]; /* what it does; "" */
};
int grange_future_progress(struct grange *g, struct grange_future f,
                           struct grange_future_progress *p);
typedef void grange_progress_callback(struct grange *g, struct grange_future f,
                                      const struct grange_future_progress *p, void *context);
int grange_on_progress(struct grange *g, struct grange_future first, uint64_t n,
                       grange_progress_callback *fn, void *context);
int grange_progress_next(struct grange *g, int64_t timeout_ms, struct grange_future *f,
                         struct grange_future_progress *p);

/* grange_future_cancel - asks that n futures of one batch, from first on, do not run, or are
 * stopped; waits until the scheduler has heard it. The outcome of each tells whether that came in
 * time. grange_forget - gives back the memory of a result; its end is no longer known to this
 * connection, and the task itself is not touched. Only after it has ended. */
int grange_future_cancel(struct grange *g, struct grange_future first, uint64_t n,
                         int64_t timeout_ms);
int grange_forget(struct grange *g, struct grange_future f);

/* ---- sets: many futures, as they complete
 *
 * A set belongs to its connection, which ends it when it closes. A future may be in several sets;
 * one that has ended already is the next to complete. */
struct grange_set;
int grange_set_new(struct grange *g, struct grange_set **set);
void grange_set_free(struct grange_set *set); /* its futures stay; may be NULL */
/* grange_set_add - n futures, from first on. */
int grange_set_add(struct grange_set *set, struct grange_future first, uint64_t n);
/* grange_set_next - the next one that completed, in the order in which they did, each once;
 * GRANGE_ERR_NOT_FOUND when all of the set were given out. */
int grange_set_next(struct grange_set *set, int64_t timeout_ms, struct grange_future *f);
/* grange_set_wait - until all have ended, whether or not they were given out. */
int grange_set_wait(struct grange_set *set, int64_t timeout_ms);

struct grange_tally {
    uint64_t n, ended;      /* futures in the set; of those */
    uint64_t by_outcome[6]; /* by enum grange_outcome */
    uint64_t serial_us;     /* sum of their wall_us: what one slot would have needed */
    uint64_t cpu_us;        /* sum of user and system time */
    int64_t wall_ms;        /* from the first submission to the last end so far */
};
void grange_set_tally(struct grange_set *set, struct grange_tally *t);

/* ---- map
 *
 * grange_map - calls `function` (NULL: commands) for items 0..n-1 and hands over each result: in
 * the order of the items, or with GRANGE_UNORDERED as they complete. item(context, i) gives the
 * bytes of item i, valid until the next call of item; result(context, i, r) takes its result, which
 * is forgotten afterwards. Both run on the caller's thread, without locks. result returns 0 to go
 * on; anything else ends the map with GRANGE_ERR_STATE, and so do an item that failed when
 * GRANGE_STOP is given (result is called for it first) and every other error: what has not ended
 * then is cancelled. Of the items GRANGE_MAP_AHEAD are submitted before their turn, and
 * what stays of one is 16 bytes. o->key should be used by nothing else. The deadline is for the
 * whole. */
enum { GRANGE_UNORDERED = 1, GRANGE_STOP = 2 };
#define GRANGE_MAP_AHEAD 20000
typedef struct grange_bytes grange_map_item(void *context, uint64_t i);
typedef int grange_map_result(void *context, uint64_t i, const struct grange_result *r);
int grange_map(struct grange *g, const char *function, uint64_t n, grange_map_item *item,
               grange_map_result *result, void *context, unsigned flags,
               const struct grange_options *o, int64_t timeout_ms);

/* ---- engines
 *
 * An engine is a process of a worker that stays: it runs calls one after the other and keeps named
 * values between them. It has an id, counted from 0 in the order in which engines joined the farm;
 * an engine that died is started again with the same id, without its values; ids are not used again
 * while the scheduler lives. What follows addresses engines by their ids, directly: nothing of it
 * is stored, retried or load-balanced; it is done once or fails with what happened to its engine.
 * What one connection asks of one engine is done in that order. Calls that wait in the farm's queue
 * (grange_call) take turns with it.
 *
 * grange_engines - those that are there, by id; *engines is the caller's to free(), texts included.
 * Waits until at_least of them are idle or busy (0: does not wait), since a farm that has just
 * begun may have none yet. */
enum grange_engine_state {
    GRANGE_ENGINE_STARTING,
    GRANGE_ENGINE_IDLE,
    GRANGE_ENGINE_BUSY,
    GRANGE_ENGINE_DOWN /* it died, and is started again after a while */
};
struct grange_engine {
    uint64_t id;
    enum grange_engine_state state;
    uint32_t slot, pid, restarts;
    const char *worker, *host;
    const char *reason;    /* why it was started again, or is down; "" */
    const char *functions; /* their names, one a line */
};
int grange_engines(struct grange *g, size_t at_least, int64_t timeout_ms,
                   struct grange_engine **engines, size_t *n);

/* grange_farm_look - the farm as it is now: workers, engines, and the studies that the scheduler
 * has loaded. *farm is one block, with all its lists and texts, that the caller gives to free().
 * Times are wall clock, in ms since 1970. */
enum grange_worker_state {
    GRANGE_WORKER_UP,
    GRANGE_WORKER_AWAY,       /* its connection is lost; it may come back */
    GRANGE_WORKER_DRAINING,   /* it gets nothing new, and ends */
    GRANGE_WORKER_QUARANTINED /* it gets nothing new: `why` */
};
struct grange_farm_worker {
    uint32_t id;
    enum grange_worker_state state;
    const char *name, *host;
    const char *labels, *resources; /* one a line: "os=linux", "gpus=2" */
    const char *why;
    uint32_t pid, slots, slots_busy;
    uint32_t queued; /* tasks that wait there */
    uint64_t memory_mib;
    uint64_t n_ended;         /* attempts that ended there */
    int64_t since_ms, end_ms; /* end_ms: when it will end; 0: not known */
};
struct grange_farm_study {
    const char *name;
    enum grange_study_state state;
    int32_t priority;
    uint32_t weight, running_max;
    int64_t submitted_ms;
    struct grange_counts counts;
};
struct grange_farm {
    int64_t since_ms; /* the scheduler's start */
    uint32_t n_clients;
    uint64_t n_leases; /* tasks that workers have */
    uint64_t n_ended;  /* attempts that ended at the workers that are there */
    const struct grange_farm_worker *workers;
    size_t n_workers;
    const struct grange_engine *engines;
    size_t n_engines;
    const struct grange_farm_study *studies;
    size_t n_studies;
};
int grange_farm_look(struct grange *g, int64_t timeout_ms, struct grange_farm **farm);

/* grange_direct_call - calls `function` with these bytes (at most 1 GiB) on each of the n engines
 * listed; the same payload for all. grange_direct_call_within: a function that runs longer than
 * limit_ms (1 or more) is told (grange_cancelled), its engine is killed after the grace period, and
 * its answer is GRANGE_ERR_TIMEOUT; the engine is started again. grange_direct_put - gives each a
 * named value (a name has 1 to 100 bytes); grange_direct_get - asks for it; grange_direct_drop -
 * drops it: GRANGE_ERR_NOT_FOUND where there is none. grange_direct_scatter - divides n_items items
 * of item_bytes among the engines in blocks, the first n_items % n engines get one more, and puts
 * each its block as a named value; an engine may get none, which is a value of no bytes.
 *
 * They return without waiting for an engine: *d stands for all of it, and is the caller's to
 * grange_direct_free. An engine may be listed more than once, n may be any number, and 0 has ended
 * at once. The payload must stay as it is until *d has ended or is freed: on the way to another
 * machine it leaves from there, in parts. Over 256 KiB and on the machine of the engine it is
 * copied once, into a file that the engine maps, before this returns; one for all engines of a
 * call, who only read it, and one for each of a put, who may change it. 256 MiB, or one payload,
 * may be on their way so; what is more goes in parts, or is copied when it is its turn. A long
 * result is copied once out of its file. What does not fit the bounds of the scheduler (1,024
 * operations of a client, 64 MiB on their way) waits here for its turn. */
struct grange_direct;
int grange_direct_call(struct grange *g, const uint64_t *engines, size_t n, const char *function,
                       const void *data, size_t bytes, struct grange_direct **d);
int grange_direct_call_within(struct grange *g, const uint64_t *engines, size_t n,
                              const char *function, const void *data, size_t bytes,
                              int64_t limit_ms, struct grange_direct **d);
int grange_direct_put(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                      const void *data, size_t bytes, struct grange_direct **d);
int grange_direct_get(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                      struct grange_direct **d);
int grange_direct_drop(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                       struct grange_direct **d);
int grange_direct_scatter(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                          const void *items, uint64_t n_items, size_t item_bytes,
                          struct grange_direct **d);

/* grange_direct_ready - whether all engines have answered or failed. grange_direct_wait - until
 * then: 0 when all succeeded, else the code of the first in the list that failed; when the deadline
 * was over first, GRANGE_ERR_TIMEOUT, and *d goes on. grange_direct_next - waits for the next to
 * end, in the order of the ends, each once: *i is its place in the list; GRANGE_ERR_NOT_FOUND when
 * all were given out. */
bool grange_direct_ready(struct grange_direct *d);
int grange_direct_wait(struct grange_direct *d, int64_t timeout_ms);
int grange_direct_next(struct grange_direct *d, int64_t timeout_ms, size_t *i);
/* grange_direct_on_end - calls back once, when all have ended, as grange_on_end does; it may free
 * *d. A second one takes the place of one that was not called yet. */
typedef void grange_direct_callback(struct grange *g, struct grange_direct *d, void *context);
int grange_direct_on_end(struct grange_direct *d, grange_direct_callback *fn, void *context);

/* Of place i of the list. Pointers live until *d is freed. */
struct grange_answer {
    uint64_t engine;
    int code;         /* 0: succeeded. GRANGE_ERR_NOT_FOUND: no such engine, function or value;
                         GRANGE_ERR_LOST: the engine, its worker or the scheduler went away;
                         GRANGE_ERR_TIMEOUT: it ran longer than it was allowed to;
                         GRANGE_ERR_STATE: the function failed; and others */
    const void *data; /* what the function gave back, or the value */
    size_t bytes;
    int exit_code;      /* what a function that failed gave back; 0 */
    int signal;         /* that killed the engine under it; 0: none */
    const char *reason; /* in words: "killed by SIGSEGV" */
    const char *error;  /* what the function or the farm said; "" */
    uint64_t wall_us;   /* that the engine took */
};
/* grange_direct_answer - GRANGE_ERR_STATE when it has not ended. grange_direct_gather - all
 * answers, one after the other in the order of the list: with to NULL *bytes becomes their size,
 * else they are copied to `to`, which has room for *bytes. GRANGE_ERR_STATE when one has not ended,
 * the code of the first that failed. */
int grange_direct_answer(struct grange_direct *d, size_t i, struct grange_answer *a);
int grange_direct_gather(struct grange_direct *d, void *to, size_t *bytes);
/* grange_direct_free - what has not ended is cancelled: it does not run, or is stopped as a task
 * would be. May be NULL. grange_close frees those that are left. */
void grange_direct_free(struct grange_direct *d);

/* grange_scatter, grange_gather - the same and waited for: the values of one name, one after the
 * other in the order of the list. *data is the caller's to free(). grange_gather_into puts them
 * into memory that the caller has, `room` bytes at `to`: nothing is allocated, and pages that were
 * written before need not be had anew, which is most of what a gather costs. *bytes becomes the
 * size of all. GRANGE_ERR_LIMIT when that is more than `room`: *bytes is what is needed, and
 * nothing was written (`to` may be NULL with a room of 0, to ask for the size). After another error
 * `to` may hold some of the values, and *bytes is 0. Nothing is written to it after the return. */
int grange_scatter(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                   const void *items, uint64_t n_items, size_t item_bytes, int64_t timeout_ms);
int grange_gather(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                  int64_t timeout_ms, void **data, size_t *bytes);
int grange_gather_into(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                       int64_t timeout_ms, void *to, size_t room, size_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
