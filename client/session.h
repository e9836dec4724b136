#ifndef GRANGE_CLIENT_SESSION_H
#define GRANGE_CLIENT_SESSION_H
/* session - what is behind a struct grange: one link that keeps dialling, the requests that wait
 * for their answers, the studies that are followed, the calls and their futures (calls.h).
 *
 * One lock guards all of it, the link's receiving side included. Whoever waits takes what arrives
 * (pump.h), so that a call and its result pass through one thread; when nobody waits, and once
 * there are futures, a thread of our own does. Functions here want the lock held. */

#include <pthread.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "client/calls.h"
#include "client/direct.h"
#include "client/grange.h"
#include "client/pump.h"
#include "proto/link.h"
#include "proto/message.h"

enum {
    FOLLOWS_MAX = 64,       /* studies that one connection follows; refused */
    PATIENCE_MS = 1000,     /* a request whose connection was lost waits this long for its return */
    EMBEDDED_LOOK_MS = 250, /* without a scheduler: whether ours died */
    FILE_LOOK_MS = 1000,    /* or the connection file is another one */
    OWNER_BYTES_MAX = NAME_BYTES_MAX,
};

/* wait - the time that a public function has. */
struct wait {
    ms_t entered, until;
};

struct follow {
    uint64_t request; /* of the last time it was asked for */
    bool news, reconnected, refused;
    struct grange_progress progress;
    struct fault fault; /* refused: why the scheduler no longer tells of it */
};

/* request - of a call that waits, and on its stack. Its bytes are kept, so that it can be sent once
 * more. */
struct request {
    struct request *next;
    uint64_t number;
    struct buf bytes;
    bool answered;
    struct fault fault; /* of the answer */
    uint64_t touched;
    struct grange_submitted submitted;
    struct grange_farm *farm; /* malloc'd */
    struct looked *looked;    /* where a page goes; NULL: none was asked for */
};

struct grange {
    pthread_mutex_t lock;
    struct pump pump;
    struct link *link;
    peer_id peer;      /* 0: not connected */
    bool welcomed;     /* and the scheduler has answered our hello */
    bool was_welcomed; /* ever */
    bool lost;         /* grange_next has to say so */
    bool bye;          /* the scheduler said that it ends, */
    bool down;         /* and its farm too; it has not come back */
    ms_t down_ms;      /* when it said that last */
    bool refused;      /* our hello, for good: refusal says why */
    bool not_accepted; /* that was the handshake: a matter of certificates */
    ms_t heard_ms, beat_ms, lost_ms;
    ms_t turn_ms; /* when the pump last looked */
    uint64_t instance, number;
    char owner[OWNER_BYTES_MAX + 1];
    struct request *requests;
    struct follow *follows[FOLLOWS_MAX];
    size_t n_follows;
    int epoll_fd, news_fd; /* grange_fd: the link's, or news_fd when something is here already */
    bool news_marked;      /* news_fd is readable */
    struct fault refusal;
    struct calls calls;
    struct directs directs;
    char *file;                /* the connection file; NULL: there is none */
    uint64_t file_mark;        /* as it was read */
    ms_t look_ms;              /* whether there is another */
    struct embedded *embedded; /* the farm that came with the connection; NULL */
};

struct connection;
/* session_open - a session that dials address i of the connection. */
enum err session_open(const struct connection *c, unsigned i, struct grange **g, struct fault *f);
void session_close(struct grange *g); /* without the lock: the last call */

/* session_take - everything that arrived; false when that was nothing. */
bool session_take(struct grange *g, ms_t now);
void session_beat(struct grange *g, ms_t now);
/* session_refresh - without a connection, when another connection file is there: dials as that
 * says. */
void session_refresh(struct grange *g, ms_t now);
/* session_silent - gives up a connection whose scheduler was silent for LOST_AFTER_MS. Silence
 * counts across calls as long as they follow each other within 2 * BEAT_MS. */
bool session_silent(struct grange *g, ms_t now);
/* session_due - until, or when a heartbeat or the end of our patience with silence comes first. */
ms_t session_due(const struct grange *g, ms_t until);
void session_put(struct grange *g, const struct message *m); /* leaves with the next link_flush */
void session_send(struct grange *g, const struct message *m);
void session_mark_news(struct grange *g);  /* before a call returns: grange_fd tells the truth */
uint64_t session_number(struct grange *g); /* of the next request */

struct follow *session_find_follow(const struct grange *g, const char *name);
struct follow *session_add_follow(struct grange *g, const char *name); /* NULL at FOLLOWS_MAX */
void session_drop_follow(struct grange *g, const char *name);

/* connect_to - the same, until it is welcomed: its addresses in turn. */
enum err connect_to(const struct connection *c, struct wait w, struct grange **g, struct fault *f);

/* ---- what the public functions have in common */

struct wait wait_for(int64_t timeout_ms);
bool wait_over(const struct wait *w);
/* wait_patience - until when a call waits for a connection that was lost: it may come back at once.
 */
ms_t wait_patience(const struct grange *g, const struct wait *w);
/* wait_end - whether there is no use in waiting longer for what has not come; the reason is in
 * *err, and in words in session_fault. */
bool wait_end(struct grange *g, const struct wait *w, const char *what, enum err *err);

enum err wait_lost(const struct grange *g); /* ERR_LOST, in words: what is known of it */

struct counts;
struct grange_counts session_counts(const struct counts *c);
void farm_on_message(struct grange *g, const struct message *m); /* MSG_FARM */
void look_on_message(struct grange *g, const struct message *m); /* MSG_LOOKED */

struct fault *session_fault(void);             /* of this thread: what grange_message says */
void session_enter(struct grange *g);          /* takes the lock */
int session_leave(struct grange *g, int code); /* gives it back */
int session_wrong(struct grange *g, enum err code, const char *text);
/* session_ask - sends m, whose request number is r->number, and waits for the answer; leaves. */
int session_ask(struct grange *g, const struct message *m, struct request *r, struct wait w);

#endif
