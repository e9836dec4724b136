#ifndef GRANGE_CLIENT_SESSION_H
#define GRANGE_CLIENT_SESSION_H
/* session - what is behind a struct grange: one link that keeps dialling, the request that is
 * waiting for its answer, and the studies that are followed. Everything happens inside calls:
 * session_turn takes what arrived, answers with heartbeats and waits. Nothing runs between two
 * calls but the link's threads, which only queue. */

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "client/grange.h"
#include "proto/link.h"
#include "proto/message.h"

enum {
    FOLLOWS_MAX = 64,   /* studies that one connection follows; refused */
    PATIENCE_MS = 1000, /* a request whose connection was lost waits this long for its return */
    OWNER_BYTES_MAX = NAME_BYTES_MAX,
};

struct follow {
    uint64_t request; /* of the last time it was asked for */
    bool news, reconnected, refused;
    struct grange_progress progress;
    struct fault fault; /* refused: why the scheduler no longer tells of it */
};

/* request - the one call that waits. Its bytes are kept, so that it can be sent once more. */
struct request {
    uint64_t number; /* 0: nobody waits */
    struct buf bytes;
    bool answered;
    enum err code; /* of the answer; its text is in grange.fault */
    uint64_t touched;
    struct grange_submitted submitted;
};

struct grange {
    struct link *link;
    peer_id peer;      /* 0: not connected */
    bool welcomed;     /* and the scheduler has answered our hello */
    bool was_welcomed; /* ever */
    bool lost;         /* grange_next has to say so */
    bool bye;          /* the scheduler said that it ends */
    bool refused;      /* our hello, for good: refusal says why */
    ms_t heard_ms, beat_ms, lost_ms;
    ms_t turn_ms; /* when session_turn last looked */
    uint64_t instance, number;
    char owner[OWNER_BYTES_MAX + 1];
    struct request request;
    struct follow *follows[FOLLOWS_MAX];
    size_t n_follows;
    int epoll_fd, news_fd; /* grange_fd: the link's, or news_fd when something is here already */
    struct fault fault;    /* of the last error */
    struct fault refusal;
    struct buf scratch;
};

/* session_open - a session that dials url. */
enum err session_open(const char *url, struct grange **g, struct fault *f);
void session_close(struct grange *g);

/* session_turn - takes everything that arrived; when that was nothing waits until something arrives
 * or `until` (clock_mono_ms) passes, whatever comes first, and takes that. A scheduler that was
 * silent for LOST_AFTER_MS is lost; silence counts across calls as long as they follow each other
 * within 2 * BEAT_MS. */
void session_turn(struct grange *g, ms_t until);
void session_send(struct grange *g, const struct message *m);
void session_mark_news(struct grange *g); /* before a call returns: grange_fd tells the truth */

struct follow *session_find_follow(const struct grange *g, const char *name);
struct follow *session_add_follow(struct grange *g, const char *name); /* NULL at FOLLOWS_MAX */
void session_drop_follow(struct grange *g, const char *name);

#endif
