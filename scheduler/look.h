#ifndef GRANGE_SCHEDULER_LOOK_H
#define GRANGE_SCHEDULER_LOOK_H
/* look - what clients on other machines want to see of the store: this program does it here, as a
 * child (`grange results --dir DIR ..`), so that the verbs are the same everywhere and a long query
 * stops nobody. A child is a *look*. Its output goes to its client in pages, one for each that is
 * asked for; so a client that reads slowly costs a pipe. */

#include <poll.h>

#include "scheduler/loop.h"

void look_request(struct scheduler *s, peer_id from, const struct message *m);
/* look_fds - what to poll for; at most LOOKS_MAX. look_turn - sends what is there and was asked
 * for. */
size_t look_fds(const struct scheduler *s, struct pollfd *fds);
void look_turn(struct scheduler *s);
/* look_idle - ends those that nobody asks for; now and then. look_gone - those of this client. */
void look_idle(struct scheduler *s);
void look_gone(struct scheduler *s, peer_id peer);
void look_end_all(struct scheduler *s);

#endif
