/* progress - who follows a study, and when they are told how it goes. */

#include <stdlib.h>

#include "base/must.h"
#include "scheduler/state.h"

void on_follow(struct core *c, const struct event *ev)
{
    for (size_t i = 0; i < c->n_followers; i++)
        if (c->followers[i].peer.n == ev->from.n && c->followers[i].study.n == ev->study.n) {
            c->followers[i].due = true;
            return;
        }
    if (c->n_followers == c->cap_followers) {
        c->cap_followers = c->cap_followers ? 2 * c->cap_followers : 8;
        c->followers = realloc(c->followers, c->cap_followers * sizeof *c->followers);
        must(c->followers != NULL);
    }
    c->followers[c->n_followers++] =
        (struct follower){ .peer = ev->from, .study = ev->study, .due = true };
}

void followers_drop(struct core *c, peer_id peer)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->n_followers; i++)
        if (c->followers[i].peer.n != peer.n)
            c->followers[kept++] = c->followers[i];
    c->n_followers = kept;
}

void followers_due(struct core *c)
{
    for (size_t i = 0; i < c->n_followers; i++)
        c->followers[i].due = true;
}

/* News that a waiting person wants at once: the study has come to rest. */
static bool at_rest(const struct live *st)
{
    return live_ended(st) || (st->mode != MODE_ACTIVE && !st->count[TASK_LEASED]);
}

static ms_t follower_due(const struct core *c, const struct follower *f)
{
    const struct live *st = live_find(c, f->study);

    if (!st || !(f->due || st->progress_dirty))
        return MS_NEVER;
    return !f->sent_ms || at_rest(st) ? c->now : f->sent_ms + PROGRESS_MS;
}

ms_t progress_deadline(const struct core *c)
{
    ms_t least = MS_NEVER;

    for (size_t i = 0; i < c->n_followers; i++) {
        ms_t at = follower_due(c, &c->followers[i]);
        if (at < least)
            least = at;
    }
    return least;
}

void progress_tell(struct core *c, struct outbox *out)
{
    for (size_t i = 0; i < c->n_followers; i++) {
        const struct live *st = live_find(c, c->followers[i].study);
        c->followers[i].due |= st && st->progress_dirty;
    }
    for (size_t i = 0; i < c->n_followers; i++) {
        struct follower *f = &c->followers[i];
        struct live *st = live_find(c, f->study);
        if (st)
            st->progress_dirty = false; /* each of its followers has taken note */
        if (follower_due(c, f) > c->now)
            continue;
        out_send(out, SEND_PROGRESS, f->peer)->study = f->study;
        f->due = false;
        f->sent_ms = c->now;
    }
}
