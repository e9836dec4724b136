#include "scheduler/engines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct engine *engines_find(const struct engines *t, uint64_t id)
{
    struct engine *e;

    HASH_FIND(hh, t->by_id, &id, sizeof id, e);
    return e;
}

struct host *engines_host(const struct engines *t, peer_id peer)
{
    struct host *h;

    HASH_FIND(hh_peer, t->by_peer, &peer.n, sizeof peer.n, h);
    return h;
}

struct host *engines_host_of(const struct engines *t, uint64_t instance)
{
    struct host *h;

    HASH_FIND(hh, t->hosts, &instance, sizeof instance, h);
    return h;
}

struct host *engines_add_host(struct engines *t, uint64_t instance, const char *name,
                              const char *host)
{
    struct host *h = calloc(1, sizeof *h);

    must(h != NULL);
    h->instance = instance;
    snprintf(h->name, sizeof h->name, "%s", name);
    snprintf(h->host, sizeof h->host, "%s", host);
    HASH_ADD(hh, t->hosts, instance, sizeof h->instance, h);
    return h;
}

void engines_connect(struct engines *t, struct host *h, peer_id peer)
{
    if (h->peer)
        HASH_DELETE(hh_peer, t->by_peer, h);
    h->peer = peer.n;
    if (h->peer)
        HASH_ADD(hh_peer, t->by_peer, peer, sizeof h->peer, h);
}

static struct engine *at_slot(struct engines *t, struct host *h, uint32_t slot)
{
    if (slot >= h->n_engines) {
        h->engines = realloc(h->engines, (slot + 1) * sizeof(struct engine *));
        must(h->engines != NULL);
        memset(h->engines + h->n_engines, 0, (slot + 1 - h->n_engines) * sizeof(struct engine *));
        h->n_engines = slot + 1;
    }
    if (!h->engines[slot]) {
        struct engine *e = calloc(1, sizeof *e);
        must(e != NULL);
        e->id = t->next_id++;
        e->slot = slot;
        e->host = h;
        HASH_ADD(hh, t->by_id, id, sizeof e->id, e);
        h->engines[slot] = e;
    }
    return h->engines[slot];
}

static void replace(char **text, const char *with)
{
    if (*text && strcmp(*text, with) == 0)
        return;
    free(*text);
    *text = strdup(with);
    must(*text != NULL);
}

void engines_tell(struct engines *t, struct host *h, const struct engine_info *info)
{
    if (info->slot >= SLOTS_MAX)
        return;
    struct engine *e = at_slot(t, h, info->slot);
    e->pid = info->pid;
    e->restarts = info->restarts;
    e->state = info->state;
    replace(&e->reason, info->reason ? info->reason : "");
    replace(&e->functions, info->functions ? info->functions : "");
}

void engines_drop_host(struct engines *t, struct host *h)
{
    engines_connect(t, h, (peer_id){ 0 });
    for (size_t i = 0; i < h->n_engines; i++) {
        struct engine *e = h->engines[i];
        if (!e)
            continue;
        must(!e->tickets);
        HASH_DELETE(hh, t->by_id, e);
        free(e->reason);
        free(e->functions);
        free(e);
    }
    HASH_DELETE(hh, t->hosts, h);
    free(h->engines);
    free(h);
}

void engines_fini(struct engines *t)
{
    struct host *h, *next;

    HASH_ITER(hh, t->hosts, h, next)
    {
        engines_drop_host(t, h);
    }
}
