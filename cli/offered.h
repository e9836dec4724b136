#ifndef GRANGE_CLI_OFFERED_H
#define GRANGE_CLI_OFFERED_H
/* offered - what a worker says that it has, on the command line of `grange worker`, and of `grange
 * up`, which hands it on. 0, or EINVAL and it is said what is wrong. */

#include <argp.h>
#include <stdint.h>

#include "base/buf.h"

/* offered_label, offered_resource - one more behind the others in `all`, separated by commas. */
error_t offered_label(struct buf *all, const char *arg);
error_t offered_resource(struct buf *all, const char *arg);
error_t offered_memory(const char *arg, uint64_t *mib);

#endif
