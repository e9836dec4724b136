#ifndef GRANGE_SCHEDULER_LOOP_H
#define GRANGE_SCHEDULER_LOOP_H
/* loop - the doing around the core: take what arrived, step, commit once, send. Internal to the
 * scheduler's shell. */

#include <stdbool.h>
#include <stdint.h>

#include "base/must.h"
#define uthash_fatal(message) must_fail(__FILE__, __LINE__, message)
#include <uthash.h>

#include "base/buf.h"
#include "proto/link.h"
#include "proto/message.h"
#include "scheduler/core.h"
#include "scheduler/scheduler.h"
#include "store/store.h"

struct study;
struct peer;
struct direct;
struct calls_table;
struct look;

/* A study whose current array the core has loaded. */
struct loaded {
    study_id id;
    array_id array;
    char name[NAME_BYTES_MAX + 1];
};

/* A study whose views are to be made once the commit is through. */
struct view_due {
    study_id study;
    struct study *spec;
};

struct scheduler {
    const struct scheduler_options *opt;
    struct store *store;
    struct link *link;
    struct core *core;
    struct direct *direct; /* what goes to engines past the core */
    struct calls_table *calls;
    struct look *looks; /* of clients on other machines */
    size_t n_looks;
    uint64_t look_id;
    struct outbox out;
    struct store_next next;
    struct peer *peers; /* hash by peer id */
    struct loaded *loaded;
    size_t n_loaded, cap_loaded;
    struct message *messages; /* of this turn: bodies point into them until the commit */
    size_t n_messages, cap_messages;
    struct buf **texts; /* of this turn: specs that changes point into */
    size_t n_texts, cap_texts;
    struct view_due *views;
    size_t n_views, cap_views;
    ms_t now, next_beat_ms;
    uint32_t epoch;
    uint64_t turned_away; /* connections, as last logged */
    bool swept;           /* directories of old attempts were looked after */
    bool stopping;
    int lock_fd;     /* DIR/lock */
    bool going_down; /* a client asked for the end: once all workers have left */
    bool down_asked; /* they have not been told yet */
    ms_t down_by, since_ms;
    bool dismissing; /* a client asked for the end: of the workers too */
    int failed;      /* exit code of a commit that failed in the middle of a turn */
    int signal_fd;
};

/* Beside the roles of a listener: who comes this way is of this machine and user. */
enum { PEER_LOCAL = 1 << 8 };

/* What is known of a connection. */
struct peer {
    uint64_t id;
    enum role role; /* 0: has not said hello */
    unsigned roles; /* that it may have: what its listener is for; PEER_LOCAL */
    ms_t since_ms;
    bool left;       /* it took its leave */
    array_id *specs; /* arrays whose spec a worker has */
    size_t n_specs, cap_specs;
    UT_hash_handle hh;
};

/* loop.c */
int loop_run(struct scheduler *s); /* until it is told to stop: an exit code */
/* commits what the outbox holds, makes views, sends, clears; an exit code, 0 when well */
int loop_commit_and_send(struct scheduler *s);
/* the same in the middle of a turn, before something reads the store; false: it failed, give up */
bool loop_flush(struct scheduler *s);
struct buf *loop_text(struct scheduler *s); /* an empty buf that lives until the end of the turn */
void loop_turn_end(struct scheduler *s);    /* forgets what lives until then */
void loop_die(struct scheduler *s, const struct fault *f); /* logs; says it on stderr */
int loop_exit_code(const struct fault *f);

/* request.c */
void request_handle(struct scheduler *s, struct peer *p, struct message *m);
void request_step(struct scheduler *s, const struct event *ev);
/* loads a study that is only in the store; false: refused */
bool request_load(struct scheduler *s, peer_id from, uint64_t request, const char *name,
                  study_id *id);
void request_refuse(struct scheduler *s, peer_id to, uint64_t request, enum err code,
                    const char *text);

/* submit.c */
enum err submit_spec(struct scheduler *s, peer_id from, const struct message *m, struct fault *f);
enum err submit_resume(struct scheduler *s, peer_id from, const struct message *m, struct fault *f);
/* loads the current array of a study into the core as it is in the store, unless it is loaded */
enum err submit_load(struct scheduler *s, const char *name, study_id *id, struct fault *f);
struct loaded *loaded_find(struct scheduler *s, study_id id);
struct loaded *loaded_name(struct scheduler *s, const char *name);
void loaded_forget(struct scheduler *s, study_id id); /* the core has forgotten it */
void loaded_set(struct scheduler *s, study_id id, array_id array, const char *name);

/* stages.c: row->after, from the spec; what it names is loaded */
enum err stages_edges(struct scheduler *s, const struct study *spec, struct array_row *row,
                      struct fault *f);

/* known.c: which points of an array have ended, own, adopted, left out */
struct known {
    uint8_t *states;       /* [n] or NULL when all are ready */
    struct change *adopts; /* what is adopted anew, after the ends that give way */
    size_t n_adopts, cap_adopts;
    bool template_changed; /* other arrays had points of another command, and none had this one */
    bool template_kept;
    uint64_t *durations_us;
    size_t n_durations, cap_durations;
    uint64_t n_skipped;
};
enum err known_find(struct scheduler *s, const struct study *spec, const struct array_row *row,
                    bool is_new, bool adopt_ends, struct known *k, struct fault *f);
void known_fini(struct known *k);

/* order.c: the points, those that take longest first, as far as that is known; *order is NULL when
 * it is not, malloc'd else */
enum err order_points(struct scheduler *s, const struct study *spec, const struct array_row *row,
                      const struct known *k, uint32_t **order, struct fault *f);

/* history.c: how long points of these factors take, by what the study's points took so far; NULL:
 * too little is known, or it says nothing. predict_free. */
struct predict;
enum err history_of(struct scheduler *s, const struct study *spec, const struct array_row *row,
                    struct predict **p, struct fault *f);

/* restore.c */
enum err restore(struct scheduler *s, struct fault *f);

/* send.c */
void send_all(struct scheduler *s);
/* send_forget_spec - an array's spec may be another one: workers get it again */
void send_forget_spec(struct scheduler *s, array_id array);
void send_message(struct scheduler *s, peer_id to, const struct message *m);

/* what the core counts and says of a study, as messages have it */
struct counts send_counts(const struct core_counts *c);
enum study_state send_study_state(const struct core_study *st);

/* control.c */
void control_handle(struct scheduler *s, peer_id from, const struct message *m);
/* control_turn - while the farm goes down: sees to it that all workers leave; true once it is done
 */
bool control_turn(struct scheduler *s);
ms_t control_deadline(const struct scheduler *s); /* when control_turn is due; MS_NEVER */

/* farmstate.c */
void farmstate_send(struct scheduler *s, peer_id to, uint64_t request);

/* sweep.c: attempts/LEASE of leases that are over */
void sweep_attempts(struct scheduler *s);
/* sweep_committed - long streams of attempts that did not become the result, once that is durable
 */
void sweep_committed(struct scheduler *s);

#endif
