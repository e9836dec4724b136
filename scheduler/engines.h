#ifndef GRANGE_SCHEDULER_ENGINES_H
#define GRANGE_SCHEDULER_ENGINES_H
/* engines - the table behind direct.h: workers by their process, engines by their id. Internal to
 * direct.c and engines.c. */

#include "base/must.h"
#define uthash_fatal(message) must_fail(__FILE__, __LINE__, message)
#include <uthash.h>
#include <utlist.h>

#include "scheduler/direct.h"

struct ticket;

struct engine {
    uint64_t id;
    uint32_t slot, pid, restarts;
    enum engine_state state;
    char *reason, *functions;
    struct host *host;
    struct ticket *tickets; /* in the order in which they came */
    uint64_t bytes;         /* on their way to it */
    UT_hash_handle hh;      /* engines.by_id */
};

/* host - a worker process. */
struct host {
    uint64_t instance;
    uint64_t peer; /* 0: away */
    ms_t away_ms;
    char name[NAME_BYTES_MAX + 1], host[NAME_BYTES_MAX + 1];
    struct engine **engines; /* by slot; NULL: not told of yet */
    size_t n_engines;
    UT_hash_handle hh, hh_peer;
};

struct engines {
    struct engine *by_id;
    struct host *hosts, *by_peer;
    uint64_t next_id;
};

void engines_fini(struct engines *t);
struct engine *engines_find(const struct engines *t, uint64_t id);
struct host *engines_host(const struct engines *t, peer_id peer);
struct host *engines_host_of(const struct engines *t, uint64_t instance);
struct host *engines_add_host(struct engines *t, uint64_t instance, const char *name,
                              const char *host);
/* engines_connect - peer 0: it is away. */
void engines_connect(struct engines *t, struct host *h, peer_id peer);
void engines_tell(struct engines *t, struct host *h, const struct engine_info *info);
void engines_drop_host(struct engines *t, struct host *h); /* its engines have no tickets */

#endif
