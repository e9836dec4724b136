#ifndef GRANGE_WORKER_AHEAD_H
#define GRANGE_WORKER_AHEAD_H
/* ahead - bytes that are too many for a message of results go ahead of it, as a blob, in parts of
 * which a bounded number is on its way: a long result of a call, a long stream of a point. One goes
 * at a time. Lost connections cost at most what was on its way. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ids.h"

struct worker;
struct message;

struct ahead {
    lease_id lease;         /* whose result waits for it */
    uint64_t blob;          /* drawn when it goes first; 0: not yet */
    int fd;                 /* where the bytes are, borrowed */
    uint64_t offset, bytes; /* in there */
    uint64_t sent, acked;
    bool listed;     /* it goes, or waits for the ones before it */
    bool unsure;     /* how much the scheduler has, since a connection was lost */
    bool there;      /* all of it is, and durable */
    enum err failed; /* the scheduler, or the disk, has refused it for good */
    char *why;       /* what was said then, malloc'd */
    struct ahead *prev, *next;
};

/* ahead_fini - of one that is not listed. */
void ahead_fini(struct ahead *a);
/* ahead_draw - a number for a blob, which nobody else has. */
uint64_t ahead_draw(struct worker *w);
/* ahead_done - whether it is there or has failed. Else it goes, and its lease is among the results
 * again once it has. */
bool ahead_done(struct worker *w, struct ahead *a);
void ahead_drop(struct worker *w, struct ahead *a); /* it is not to go any more */
/* ahead_acked - an acknowledgement of a blob, if it is of this. */
void ahead_acked(struct worker *w, const struct message *m);
/* ahead_lost - the connection is: nothing goes. ahead_again: of each that began and whose result
 * was not acknowledged; one part then asks how much of it is there. */
void ahead_lost(struct worker *w);
void ahead_again(struct ahead *a);

#endif
