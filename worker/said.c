/* said - what running calls say of themselves (grange_progress), for the scheduler: all of it
 * in one beat, when something is new and SHARES_MS after the last such beat. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "worker/crew.h"

void said_note(struct worker *w, struct call *c, const struct engine_frame *f)
{
    double share;

    if (c->direct || f->bytes < sizeof share)
        return;
    memcpy(&share, f->body, sizeof share);
    size_t n = f->bytes - sizeof share;
    free(c->said);
    c->said = strndup(f->body + sizeof share, n < SHARE_TEXT_MAX ? n : SHARE_TEXT_MAX);
    must(c->said != NULL);
    c->said[strcspn(c->said, "\n")] = '\0';
    c->share = share >= 1 ? 1 : share > 0 ? share : 0; /* what is no number becomes 0 too */
    w->crew->shares_new = true;
}

void said_tell(struct worker *w)
{
    struct crew *all = w->crew;
    struct message m = { .kind = MSG_BEAT };

    if (!all->shares_new || !w->welcomed || w->now < all->shares_at + SHARES_MS)
        return;
    all->shares_new = false;
    all->shares_at = w->now;
    struct call_share *shares = calloc(all->n + 1, sizeof *shares);
    must(shares != NULL);
    for (uint32_t i = 0; i < all->n; i++) {
        const struct call *c = all->engines[i].first;
        if (c && c->said)
            shares[m.beat.n_shares++] = (struct call_share){ c->id.n, c->share, c->said };
    }
    m.beat.shares = shares;
    if (m.beat.n_shares)
        worker_send(w, &m);
    free(shares);
}

int said_wait_ms(const struct worker *w)
{
    ms_t left = w->crew->shares_at + SHARES_MS - w->now;

    if (!w->crew->shares_new || !w->welcomed)
        return -1;
    return left > 0 ? (int)left : 0;
}
