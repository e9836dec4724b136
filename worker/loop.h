#ifndef GRANGE_WORKER_LOOP_H
#define GRANGE_WORKER_LOOP_H
/* loop - the worker proper. A turn: take what processes and the connection have to say, feed it to
 * the agent, do what it answers, send what there is to send in as few messages as possible, wait
 * until agent_deadline. loop.c turns the crank, inbox.c reads messages, deeds.c does what the agent
 * says and writes messages. Private to these files. */

#include <limits.h>

#include "base/buf.h"
#include "farm/connection.h"
#include "proto/link.h"
#include "proto/message.h"
#include "worker/agent.h"
#include "worker/ahead.h"
#include "worker/attempt.h"
#include "worker/offer.h"
#include "worker/payload.h"
#include "worker/worker.h"

#define uthash_fatal(text) must_fail(__FILE__, __LINE__, text)
#include <uthash.h>

/* What an epoll event is about: kind, and of a pipe its slot, which stream, and whose turn in that
 * slot it was, so that an event that comes late is told apart from the next attempt's. */
enum source {
    SOURCE_LINK = 1,
    SOURCE_SIGNAL,
    SOURCE_LIFELINE,
    SOURCE_PIPE,
    SOURCE_ENGINE,
    SOURCE_ENGINE_ROOM,
    SOURCE_ENGINE_PRINT
};
enum { SLOT_BITS = 20 };

struct slot {
    struct attempt *attempt;
    uint32_t generation;
};

struct known {
    struct attempt *attempt;
    lease_id lease;
    UT_hash_handle hh;
};

struct leases {
    lease_id *ids;
    size_t n, cap;
};

struct worker {
    const struct worker_options *opt;
    char name[NAME_BYTES_MAX + 1], host[NAME_BYTES_MAX + 1];
    uint64_t instance;
    uint32_t n_slots;
    uint64_t memory_mib;

    char file[PATH_MAX]; /* the connection file; "": there is none */
    uint64_t file_mark;  /* as it was read */
    char *stale;         /* what to say when the scheduler does not accept it */
    ms_t look_at;        /* whether there is another */
    struct link *link;
    peer_id peer; /* the scheduler; 0: not connected */
    struct agent *agent;
    struct acts acts;
    struct workplace place;
    int kept_fd;   /* kept.h; -1: none */
    char *scratch; /* for engines: the grange directory, or one under $TMPDIR that goes with us */
    struct ahead *ahead; /* what goes ahead of results, the first one moves */
    uint64_t n_blobs;    /* drawn so far */
    struct payloads *payloads;
    struct known *attempts; /* by lease */
    struct order *orders;   /* order.c */
    struct slot *slots;     /* [n_slots] */
    struct crew *crew;      /* worker/crew.h */
    int epoll_fd, signal_fd;
    ms_t now;
    bool draining, welcomed, running;
    bool ever_welcomed;
    bool grace_over; /* draining, without patience */
    int asked;       /* how many signals told us to end */
    bool was_ready;  /* and has said so */
    ms_t lonely_at;  /* to say that no scheduler has answered; MS_NEVER: said, or one has */
    int exit_code;

    struct offer offer;
    ms_t end_at; /* on the monotonic clock: then it leaves; MS_NEVER: not known, or it has begun to
                  */

    struct leases ended; /* this turn: to be concluded */
    struct leases
        results;      /* to be sent at the end of the turn, or of later ones when they are large */
    size_t bytes_out; /* of results that were sent on this connection and not acknowledged */
    struct leases returned;
    struct agent_held *held;
    size_t held_cap;
};

/* worker_run - until it is told to end; returns the exit code. */
int worker_run(const struct worker_options *opt);

/* worker_feed - one event to the agent; what it answers is done by deeds_do, not here. */
void worker_feed(struct worker *w, const struct agent_event *ev);
/* worker_end - ends the loop after this turn. */
void worker_end(struct worker *w, int exit_code);
/* worker_send - to the scheduler; nothing without a connection. */
void worker_send(struct worker *w, const struct message *m);
struct attempt *worker_attempt(const struct worker *w, lease_id lease);

void leases_add(struct leases *l, lease_id id);

/* order.c: the command line of a call, until it starts. order_take - malloc'd; NULL: none. */
void order_put(struct worker *w, lease_id lease, const void *text, size_t n);
char *order_take(struct worker *w, lease_id lease);
void order_drop(struct worker *w, lease_id lease);
void order_drop_all(struct worker *w);

/* place.c. place_open - w->place and w->scratch; 0, or -1 with the exit code set. place_dialled -
 * whether the place is the farm's own directory. place_close - what nobody can want any more goes;
 * says where the rest is. */
int place_open(struct worker *w);
void place_dialled(struct worker *w, const struct connection *c);
void place_close(struct worker *w);

/* streams.c. streams_sent - whether the result may be sent: long streams go ahead of it where the
 * scheduler does not find their files. streams_drop - the attempt is forgotten. streams_gone - the
 * connection is. */
bool streams_sent(struct worker *w, struct attempt *a);
void streams_drop(struct worker *w, struct attempt *a);
void streams_gone(struct worker *w);

/* dial.c. dial_open - makes w->link, which dials, and tells children where (GRANGE_PARENT).
 * dial_again - without a connection, when another connection file is there: a new w->link dials as
 * that says; true. dial_due - when it is to be called next. */
enum err dial_open(struct worker *w, struct fault *f);
bool dial_again(struct worker *w);
ms_t dial_due(const struct worker *w);

/* inbox_take - a frame of the scheduler. */
void inbox_take(struct worker *w, const void *data, size_t n);

/* deeds_do - what the agent decided; deeds_send - what is to be sent after a turn;
 * deeds_more - there is more that may be sent in the next one. */
void deeds_do(struct worker *w);
void deeds_send(struct worker *w);
bool deeds_more(const struct worker *w);

#endif
