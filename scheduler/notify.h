#ifndef GRANGE_SCHEDULER_NOTIFY_H
#define GRANGE_SCHEDULER_NOTIFY_H
/* notify - tells a service manager how the daemon is: a datagram to the socket that NOTIFY_SOCKET
 * names, as described in sd_notify(3). A name that begins with '@' is an abstract one. */

#include <stdbool.h>

/* notify_send - "READY=1", "STOPPING=1". False: nobody asked to be told, or it could not be. */
bool notify_send(const char *text);

#endif
