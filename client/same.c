/* same - what the public header repeats is what the rest of Grange means. */
#include "base/err.h"
#include "client/grange.h"
#include "proto/message.h"

_Static_assert((int)GRANGE_OK == ERR_NONE, "");
_Static_assert((int)GRANGE_ERR_USAGE == ERR_USAGE, "");
_Static_assert((int)GRANGE_ERR_NOT_FOUND == ERR_NOT_FOUND, "");
_Static_assert((int)GRANGE_ERR_EXISTS == ERR_EXISTS, "");
_Static_assert((int)GRANGE_ERR_BUSY == ERR_BUSY, "");
_Static_assert((int)GRANGE_ERR_LIMIT == ERR_LIMIT, "");
_Static_assert((int)GRANGE_ERR_VERSION == ERR_VERSION, "");
_Static_assert((int)GRANGE_ERR_DAMAGED == ERR_DAMAGED, "");
_Static_assert((int)GRANGE_ERR_DISK_FULL == ERR_DISK_FULL, "");
_Static_assert((int)GRANGE_ERR_IO == ERR_IO, "");
_Static_assert((int)GRANGE_ERR_PERMISSION == ERR_PERMISSION, "");
_Static_assert((int)GRANGE_ERR_MALFORMED == ERR_MALFORMED, "");
_Static_assert((int)GRANGE_ERR_TIMEOUT == ERR_TIMEOUT, "");
_Static_assert((int)GRANGE_ERR_LOST == ERR_LOST, "");
_Static_assert((int)GRANGE_ERR_STATE == ERR_STATE, "");

_Static_assert(sizeof(struct grange_counts) == sizeof(struct counts), "a state is missing");
_Static_assert((int)GRANGE_ACTIVE == STUDY_ACTIVE && (int)GRANGE_HELD == STUDY_HELD, "");
_Static_assert((int)GRANGE_HALTED == STUDY_HALTED && (int)GRANGE_ENDED == STUDY_ENDED, "");
_Static_assert(sizeof((struct grange_submitted *)0)->name == NAME_BYTES_MAX + 1, "");
_Static_assert(sizeof((struct grange_progress *)0)->name == NAME_BYTES_MAX + 1, "");
_Static_assert(sizeof((struct grange_progress *)0)->running ==
                   RUNNING_SHOWN_MAX * sizeof(struct grange_running),
               "");
_Static_assert(sizeof GRANGE_VERSION == sizeof GRANGE_PROGRAM_VERSION, "");
