#ifndef GRANGE_PROTO_LINK_INNER_H
#define GRANGE_PROTO_LINK_INNER_H
/* link_inner - what the files of link share. Only they know nng.
 *
 * nng calls back on its own threads. Such a callback moves bytes between a stream and the queues
 * here, under the link's one lock, and returns. Rules that keep this safe:
 *   - nng is called without the lock, so that nng's locks and ours never nest.
 *   - Peers are freed by the owner's thread alone, after their LINK_GONE was taken or in link_free,
 *     and nng_aio_free waits for callbacks: a callback may use its peer until it returns.
 *   - A receive or send that is started after the stream was closed never completes in nng 1.5.2.
 *     Whoever starts one looks at `closed` afterwards and cancels it; `starting` counts those who
 * have still to look, because the peer may have come to its end meanwhile.
 *
 * A frame of length 0 says "I am done": the one that gets it closes the connection, so the one that
 * sent it knows that all before it has arrived. It is how link_close_peer and link_free lose
 * nothing; nng drops what it has not read when the other end closes. */

#include <pthread.h>

#include "base/buf.h"
#include "base/limits.h"
#include "proto/link.h"

enum {
    PEERS_MAX = CONNECTIONS_MAX, /* a power of two: see peer_id */
    BLOCK_BYTES = 64 << 10,      /* of one read, unless a frame is larger */
    BLOCK_GROW_BYTES =
        1 << 20, /* a large frame's block grows to this, then doubles, as it arrives */
    WAITING_BYTES_MAX = 64 << 20, /* frames of one peer that nobody took: reading stops */
    WAITING_BYTES_LOW = 16 << 20, /* reading goes on */
    OUT_KEPT_BYTES = 1 << 20,     /* a send buffer larger than this is given back */
    LINGER_MS = 500,              /* without progress, when a connection is closed in good order */
    REDIAL_MIN_MS = 10,
    REDIAL_MAX_MS = 500,
    DIAL_TIMEOUT_MS = 5000,
    ACCEPT_RETRY_MS = 100,       /* no descriptors left */
    SWEEP_MS = 1000,             /* between two looks at connections that are late or dead */
    FIRST_BLOCK_BYTES = 4 << 10, /* of the first read of an accepted connection */
    SPARE_FDS = 64,              /* descriptors that are not for connections */
};

struct peer;

/* arrival - what one callback brought: whole frames, or word that a peer came or went. */
struct arrival {
    struct arrival *next;
    enum link_event_kind kind;
    struct peer *peer;
    enum err reason;
    size_t n, cap; /* of data: bytes that are filled; room */
    char data[];
};

struct peer {
    struct link *link;
    peer_id id;
    bool dialled, tls;
    unsigned roles;
    struct nng_stream *stream;
    struct nng_aio *receive, *send, *linger;

    struct arrival *block; /* being filled; touched by the one receive callback only */

    /* The rest is under the link's lock. */
    struct peer *prev, *next; /* among l->greeting, oldest first; while not proven */
    ms_t since_ms;
    size_t greeting;   /* bytes of `block` that count into l->greeting_bytes */
    bool greets;       /* is in l->greeting */
    bool proven;       /* LINK_UP was queued */
    unsigned starting; /* receives and sends; and whoever else uses it outside the lock */
    bool receiving, paused, heard; /* heard: a frame came, so the other end is well */
    size_t waiting;                /* bytes of arrivals that are not taken yet */
    struct buf out, inflight;
    size_t sent; /* of inflight */
    bool sending, flushed, dirty;
    uint64_t progress, progress_seen; /* sends completed; as the linger timer last saw it */
    bool ending; /* link_close_peer: out ends with the empty frame, what arrives is dropped */
    bool closed; /* the stream is */
    bool ended;  /* LINK_GONE is queued */
    enum err reason;
};

/* place - an address that nng understands. The path of a socket may be longer than the 108 bytes of
 * sun_path: then it is named through a descriptor of its directory. */
struct place {
    char *url;  /* for nng */
    char *dir;  /* reopened before each dial, since it may be made anew; NULL when not needed */
    int dir_fd; /* -1 or the N of /proc/self/fd/N/NAME */
};

struct listener {
    struct link *link;
    struct nng_stream_listener *stream;
    struct nng_aio *accept, *retry;
    struct place place;
    struct nng_tls_config *tls; /* NULL: not over TLS */
    unsigned roles;
    char *url; /* as bound */
};

struct target {
    struct nng_stream_dialer *stream;
    struct place place;
    struct nng_tls_config *tls;
    char *url;
};

struct link {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* n_live or some peer's `starting` became 0 */
    int fd;
    bool signalled; /* fd is readable */
    bool stopping;
    struct arrival *head, **tail;
    struct peer **slots; /* by the low bits of peer_id */
    uint32_t n_slots;
    uint64_t serial; /* of the last peer; upper bits of its id */
    size_t n_live;
    struct peer *greeting; /* accepted and not proven, oldest first */
    size_t n_greeting, greeting_max, greeting_bytes;
    uint64_t turned_away;

    /* The owner's thread alone. */
    struct arrival *taken, *current; /* current: whose frames are being given out */
    size_t current_at;
    peer_id *dirty;
    size_t n_dirty, cap_dirty;
    struct peer *framing; /* between link_begin and link_end, */
    size_t frame_at;      /* and where in its queue */

    struct listener listeners[LISTENERS_MAX];
    size_t n_listeners;
    struct nng_aio *sweep; /* NULL until there is a listener or a target */

    struct target targets[TARGETS_MAX];
    size_t n_targets, target; /* under the lock; target: dialled now, or connected */
    struct nng_aio *dial, *redial;
    int redial_ms;
    char trouble[160];
};

/* link_push - lock held. Takes the arrival. */
void link_push(struct link *l, struct arrival *a);
struct peer *link_find(struct link *l, peer_id id); /* lock held */

/* peer_new - a connection that nng has just made, by this listener or (NULL) by dialling; when
 * there are too many it is closed at once, or the oldest that has not proven itself is. Any thread.
 */
void peer_new(struct link *l, struct nng_stream *stream, const struct listener *by, bool tls);
void peer_free(struct peer *p);                   /* the owner's thread, without the lock */
void peer_close(struct peer *p, enum err reason); /* at once; LINK_GONE follows */
void peer_end(struct peer *p);                    /* in good order: after what is queued */
void peer_flush(struct peer *p);
void peer_resume(struct peer *p); /* reads again when paused and little is waiting */

void link_redial(struct link *l, bool at_once);
/* link_note_trouble - lock held. Of the connection that was dialled. */
void link_note_trouble(struct link *l, enum err reason);

/* link_greet.c: connections that were accepted and have not proven themselves. Lock held for
 * greet_begin, greet_end and peer_pin. */
void greet_init(struct link *l);
struct peer *greet_begin(struct link *l, struct peer *p); /* who must go instead: for greet_drop */
void greet_drop(struct peer *p);                          /* may be NULL */
void greet_drop_oldest(struct link *l);                   /* descriptors ran out */
void greet_prove(struct peer *p, struct arrival *up);     /* takes `up` */
void greet_end(struct link *l, struct peer *p);
bool greet_room(struct peer *p, size_t more); /* whether its first frame may have that much */
/* peer_pin - the peer is not freed before peer_unpin: for threads that are not its callbacks. */
void peer_pin(struct peer *p);
void peer_unpin(struct peer *p);
/* peer_sweep - closes those that took too long to prove themselves, or are dead. */
void peer_sweep(struct link *l);

/* link_tls.c */
enum err tls_config(const struct link_credentials *c, bool listens, struct nng_tls_config **to,
                    const char *url, struct fault *f);
void tls_config_free(struct nng_tls_config *config);
void link_stop_places(struct link *l); /* no more connections */
void link_free_places(struct link *l);

#endif
