/* farmstate - what the farm looks like now, for a client that asked with Watch: its engines and
 * their workers. */
#include <stdlib.h>

#include "scheduler/direct.h"
#include "scheduler/loop.h"

/* worker_of - the place of the engine's worker among the workers of the message; added when it is
 * not there. Engines are listed by id, so those of a worker mostly follow each other. */
static uint32_t worker_of(struct farm_worker *workers, size_t *n, peer_id *peers,
                          const struct direct_engine *e)
{
    for (size_t i = *n; i-- > 0;)
        if (peers[i].n == e->worker.n)
            return (uint32_t)i;
    peers[*n] = e->worker;
    workers[*n] = (struct farm_worker){
        .name = e->worker_name, .host = e->host, .state = WORKER_UP, .labels = "", .resources = ""
    };
    return (uint32_t)(*n)++;
}

void farmstate_send(struct scheduler *s, peer_id to, uint64_t request)
{
    size_t n = direct_list(s->direct, NULL, 0), n_workers = 0;
    struct direct_engine *list = calloc(n + 1, sizeof *list);
    struct engine_info *engines = calloc(n + 1, sizeof *engines);
    struct farm_worker *workers = calloc(n + 1, sizeof *workers);
    peer_id *peers = calloc(n + 1, sizeof *peers);
    struct message m = { .kind = MSG_FARM };

    must(list != NULL && engines != NULL && workers != NULL && peers != NULL);
    n = direct_list(s->direct, list, n);
    n = n < ENGINES_MAX ? n : ENGINES_MAX;
    for (size_t i = 0; i < n; i++) {
        engines[i] = list[i].info;
        engines[i].worker = worker_of(workers, &n_workers, peers, &list[i]);
    }
    m.farm.request = request;
    m.farm.engines = engines;
    m.farm.n_engines = n;
    m.farm.workers = workers;
    m.farm.n_workers = n_workers;
    send_message(s, to, &m);
    free(list);
    free(engines);
    free(workers);
    free(peers);
}
