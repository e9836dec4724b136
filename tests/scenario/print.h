#ifndef GRANGE_TESTS_PRINT_H
#define GRANGE_TESTS_PRINT_H
/* print - changes, sends and acts as short readable text: what scenarios expect after '>' and what
 * the simulator's trace shows. t7 is a task, 2.5 a lease (epoch.sequence), a1 an array, s1 a study,
 * #3 a worker row. Peers are named by the caller. */

#include "base/buf.h"
#include "scheduler/core.h"
#include "worker/agent.h"

/* print_peer_fn - appends the name of a peer. */
typedef void (*print_peer_fn)(void *ctx, struct buf *b, peer_id peer);

void print_lease(struct buf *b, task_id task,
                 lease_id lease); /* t1/1.1; without the task when it is 0 */
void print_change(struct buf *b, const struct change *c);
void print_send(struct buf *b, const struct send *s, const struct outbox *out, print_peer_fn peer,
                void *ctx);
void print_act(struct buf *b, const struct act *a);

#endif
