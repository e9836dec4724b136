#ifndef GRANGE_CLIENT_EMBED_H
#define GRANGE_CLIENT_EMBED_H
/* embed - a farm of one's own: a scheduler and a worker as children of this program, which end when
 * their lifelines close: with the connection, or with the program, however that ends. */

#include "base/err.h"
#include "base/ids.h"

struct embedded;
struct grange;

/* embedded_tend - a child that died is started again, up to AGAIN_MAX times in a row. Cheap: looks
 * at most every TEND_MS. Under the lock of the connection. */
void embedded_tend(struct embedded *e, ms_t now);
/* embedded_stop - ends both; a temporary directory goes. NULL is none. */
void embedded_stop(struct embedded *e);

#endif
