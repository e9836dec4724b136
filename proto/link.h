#ifndef GRANGE_PROTO_LINK_H
#define GRANGE_PROTO_LINK_H
/* link - connections, over nng byte streams; the only user of nng.
 *
 * A link owns any number of connections: those it accepted and those it dialled. nng's threads only
 * move bytes between sockets and queues here; everything else happens in link_take and link_send on
 * the caller's one thread. link_fd is an eventfd that is readable while link_take has something, so
 * a loop polls it beside its other descriptors.
 *
 * Frames are a 4-byte little-endian length and that many bytes, at most FRAME_BYTES_MAX; a peer
 * that announces more is dropped. Per connection, frames arrive in order and whole; when a
 * connection ends a suffix of what was sent is lost and LINK_GONE comes once, after the last frame.
 *
 * Sending never blocks: frames queue per connection up to a bound (LINK_QUEUE_BYTES_MAX); a peer
 * that does not read is dropped when it is reached. Frames sent in one turn leave in one write. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ids.h"

enum { LINK_QUEUE_BYTES_MAX = 256 << 20 };

struct link;

enum link_event_kind { LINK_UP, LINK_FRAME, LINK_GONE };
struct link_event {
    enum link_event_kind kind;
    peer_id peer;     /* unique within the link, never reused */
    bool dialled;     /* by us */
    const void *data; /* FRAME: valid until the next link_take */
    size_t n;
    enum err reason; /* GONE: ERR_NONE (closed), ERR_LOST, ERR_MALFORMED, ERR_LIMIT */
};

struct link *link_new(void);
void link_free(struct link *l); /* closes all; what is queued is flushed for up to half a second */
int link_fd(const struct link *l);

/* link_listen - once a link: "ipc://PATH", "tcp://127.0.0.1:PORT" (0: any; see link_url). ERR_BUSY
 * when taken. A stale socket file of a dead listener is replaced. PATH may be long: it is not bound
 * by sun_path. */
enum err link_listen(struct link *l, const char *url, struct fault *f);
/* link_url - the url that was bound, port filled in. */
const char *link_url(const struct link *l);

/* link_dial - keeps dialling until it is connected, and again whenever the connection ends: at
 * once, then every 10, 20, .. 500 ms. Each success is a LINK_UP with a new peer. One dialled url a
 * link. */
enum err link_dial(struct link *l, const char *url, struct fault *f);

/* link_take - the next event, or false. Never blocks. */
bool link_take(struct link *l, struct link_event *ev);
/* link_send - copies the frame into the peer's queue; a peer that is gone is ignored. */
void link_send(struct link *l, peer_id peer, const void *data, size_t n);
/* link_flush - starts writing what was queued since the last flush: call at the end of a turn. */
void link_flush(struct link *l);
void link_close_peer(struct link *l,
                     peer_id peer); /* after what is queued was written; LINK_GONE follows */

#endif
