#ifndef GRANGE_SCHEDULER_DIRECT_H
#define GRANGE_SCHEDULER_DIRECT_H
/* direct - operations on one engine that are not stored: which engines there are, and who waits for
 * which of them. Routes messages between clients and workers by ticket; keeps no payload, decides
 * nothing about queued work, and waits for no commit. docs/protocol.md, Direct calls.
 *
 * An engine is a slot of a worker process. It gets its id when its worker first tells of it, 0.. in
 * that order, and keeps it until that process is gone for good: over lost connections and over the
 * restarts of the engine itself. No id is given twice.
 *
 * Each operation ends exactly once towards its client, at the latest when the connection of the
 * engine's worker is lost. What a worker or a client says about tickets that are not its own is
 * ignored. Messages go out through a function, so that tests need no connections. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/limits.h"
#include "proto/message.h"

typedef void direct_send(void *context, peer_id to, const struct message *m);

struct direct;

struct direct *direct_new(direct_send *send, void *context);
void direct_free(struct direct *d);

/* direct_hello - a worker said hello on this connection. Its engines, when it was known, are there
 * again; those of another process that had its name are gone. */
void direct_hello(struct direct *d, peer_id worker, uint64_t instance, const char *name,
                  const char *host);
/* direct_engines - all engines of the worker on this connection, as MSG_ENGINES tells. */
void direct_engines(struct direct *d, peer_id worker, const struct engine_info *engines, size_t n);

/* direct_from_client - MSG_DIRECT or MSG_DIRECT_ACK; direct_from_worker - MSG_DIRECT_END or
 * MSG_DIRECT_ACK. */
void direct_from_client(struct direct *d, peer_id client, const struct message *m);
void direct_from_worker(struct direct *d, peer_id worker, const struct message *m);

/* direct_gone - a connection ended, of a client or of a worker. A worker that took its leave will
 * not come back: its engines are gone. */
void direct_gone(struct direct *d, peer_id peer, bool took_leave, ms_t now);
/* direct_forget - workers that were away for ORPHAN_AFTER_MS have ended. Call now and then. */
void direct_forget(struct direct *d, ms_t now);

/* direct_list - the engines whose workers are connected, by id; info.worker is 0. At most cap are
 * filled in; returns how many there are. Texts are valid until the next call of any function but
 * this. */
struct direct_engine {
    struct engine_info info;
    peer_id worker;
    const char *worker_name, *host;
};
size_t direct_list(const struct direct *d, struct direct_engine *list, size_t cap);

/* What was passed on since the start: for tests of fairness and for people. */
struct direct_counts {
    uint64_t started, ended, lost, refused;
    size_t tickets; /* now */
};
struct direct_counts direct_counts(const struct direct *d);

#endif
