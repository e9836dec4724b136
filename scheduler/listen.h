#ifndef GRANGE_SCHEDULER_LISTEN_H
#define GRANGE_SCHEDULER_LISTEN_H
/* listen - where a scheduler is reached: its socket, which is always there, and what --listen adds.
 *
 * Over TLS which listener took a connection is who it is, so one tls+tcp://HOST:PORT is two: the
 * clients' at PORT, the workers' at PORT + 1 (PORT 0: those of the last start when they are free,
 * else any two). The first such start makes keys (farm/certs.h). DIR/client.json and
 * DIR/worker.json say where and with what; a host that stands for all of this machine's addresses
 * (0.0.0.0, [::]) becomes those addresses in there.
 *
 * What is accepted elsewhere, ipc:// and tcp://, may be either role. tcp:// is warned about. */

#include "base/err.h"

struct scheduler;

/* listen_start - makes s->link, listens everywhere, writes the connection files. */
enum err listen_start(struct scheduler *s, struct fault *f);
/* listen_room - lets this process have as many descriptors as it may: a connection is one. */
void listen_room(void);

#endif
