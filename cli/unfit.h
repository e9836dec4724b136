#ifndef GRANGE_CLI_UNFIT_H
#define GRANGE_CLI_UNFIT_H
/* unfit - whether any worker that is connected can run the points of a study, and if not, why. */

#include <stdbool.h>

#include "base/buf.h"
#include "base/rows.h"
#include "client/grange.h"

enum { LOOK_MS = 2000 };
/* unfit_needs - asks for more than any worker has by itself: only then is it worth looking. */
bool unfit_needs(const struct needs *n);
/* unfit_why - appends why no worker of the farm can run them: "needs gpus=1, has none (worker n17,
 * and 3 others)". False, and nothing, when one can. A worker that is draining cannot. */
bool unfit_why(const struct needs *n, const struct grange_farm *farm, int64_t now_ms,
               struct buf *out);
/* unfit_look - workers and studies as the scheduler that has this directory knows them, also that
 * of a `grange run`; NULL when it does not answer within LOOK_MS. The caller's to free(). */
struct grange_farm *unfit_look(const char *dir);

#endif
