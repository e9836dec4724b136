#ifndef GRANGE_PROTO_LINK_H
#define GRANGE_PROTO_LINK_H
/* link - connections, over nng byte streams; the only user of nng.
 *
 * A link owns any number of connections: those it accepted and those it dialled. nng's threads only
 * move bytes between sockets and queues here; everything else happens in link_take and link_send on
 * the caller's one thread. They take no signals. link_fd is an eventfd that is readable while
 * link_take has something, so a loop polls it beside its other descriptors.
 *
 * Frames are a 4-byte little-endian length and that many bytes, at most FRAME_BYTES_MAX; a peer
 * that announces more is dropped. Per connection, frames arrive in order and whole; when a
 * connection ends a suffix of what was sent is lost and LINK_GONE comes once, after the last frame.
 *
 * Addresses are ipc://PATH, tcp://HOST:PORT and tls+tcp://HOST:PORT; an IPv6 host stands in square
 * brackets. Over TLS both sides show a certificate that the other side's authority has signed, and
 * the one that listens shows one for GRANGE_SERVER_NAME (base/names.h).
 *
 * A connection that was accepted is nothing to the owner until it has proven itself: over TLS by
 * the handshake, else by a first whole frame. Until then it costs a descriptor and a small buffer,
 * has GREET_MS, and the oldest makes room when there are too many: no LINK_UP, no LINK_GONE.
 *
 * Sending never blocks: frames queue per connection up to a bound (LINK_QUEUE_BYTES_MAX); a peer
 * that does not read is dropped when it is reached. Frames sent in one turn leave in one write. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ids.h"

enum { LINK_QUEUE_BYTES_MAX = 256 << 20 };

struct buf;
struct link;

enum link_event_kind { LINK_UP, LINK_FRAME, LINK_GONE };
struct link_event {
    enum link_event_kind kind;
    peer_id peer;     /* unique within the link, never reused */
    bool dialled;     /* by us */
    unsigned roles;   /* UP, accepted: what its listener was given; else 0 */
    const void *data; /* FRAME: valid until the next link_take */
    size_t n;
    enum err reason; /* GONE: ERR_NONE (closed), ERR_LOST, ERR_MALFORMED, ERR_LIMIT;
                        ERR_PERMISSION: one side did not like the other's certificate */
};

/* link_credentials - PEM texts: who must have signed the other side's certificate, and our own. */
struct link_credentials {
    const char *ca, *cert, *key;
};

struct link *link_new(void);
void link_free(struct link *l); /* closes all; what is queued is flushed for up to half a second */
int link_fd(const struct link *l);

/* link_listen - at one more address, up to LISTENERS_MAX; port 0: any, see link_url. `roles` is
 * given back in the LINK_UP of each connection that comes this way. The credentials are for
 * tls+tcp://, copied, and NULL for others. ERR_BUSY when the address is taken. A stale socket file
 * of a dead listener is replaced. PATH may be long: it is not bound by sun_path. */
enum { LISTENERS_MAX = 16 };
enum err link_listen(struct link *l, const char *url, unsigned roles,
                     const struct link_credentials *credentials, struct fault *f);
/* link_url - the i-th address that was bound, port filled in; "" when there is none. */
const char *link_url(const struct link *l, size_t i);
/* link_turned_away - connections that went, or had to go, before they had proven themselves. */
uint64_t link_turned_away(struct link *l);

/* link_dial - keeps dialling until it is connected, and again whenever the connection ends: at
 * once, then every 10, 20, .. 500 ms. Each success is a LINK_UP with a new peer. Called again (up
 * to TARGETS_MAX) it adds an address of the same peer: they are tried in turn, the last good one
 * first. */
enum { TARGETS_MAX = 8 };
enum err link_dial(struct link *l, const char *url, const struct link_credentials *credentials,
                   struct fault *f);
/* link_trouble - why the last dial failed ("tcp://a:1: connection refused"), into `text`; "" when
 * it did not. */
void link_trouble(struct link *l, char *text, size_t size);

/* link_take - the next event, or false. Never blocks. */
bool link_take(struct link *l, struct link_event *ev);
/* link_send - copies the frame into the peer's queue; a peer that is gone is ignored. */
void link_send(struct link *l, peer_id peer, const void *data, size_t n);
/* link_begin, link_end - the same without that copy: what is appended to the buffer in between is
 * the frame. NULL: the peer is gone, and there is nothing to end. Nothing else is done with the
 * link meanwhile. */
struct buf *link_begin(struct link *l, peer_id peer);
void link_end(struct link *l);
/* link_queued - bytes that this peer has not been sent yet; 0 when it is gone. */
size_t link_queued(struct link *l, peer_id peer);
/* link_flush - starts writing what was queued since the last flush: call at the end of a turn. */
void link_flush(struct link *l);
void link_close_peer(struct link *l,
                     peer_id peer); /* after what is queued was written; LINK_GONE follows */

#endif
