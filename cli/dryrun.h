#ifndef GRANGE_CLI_DRYRUN_H
#define GRANGE_CLI_DRYRUN_H
/* dryrun - `grange run --dry-run`: what would run, as commands, how many are done, how long it
 * takes. */

#include "cli/control.h"
#include "study/study.h"

int dryrun(const struct control *c, const struct study *s); /* returns an exit code */

#endif
