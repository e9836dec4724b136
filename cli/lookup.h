#ifndef GRANGE_CLI_LOOKUP_H
#define GRANGE_CLI_LOOKUP_H
/* lookup - whether the command of a study can be found, before anything is started or stored. */

#include "study/study.h"

/* lookup_command - ERR_USAGE when the program of the first point can neither be found in PATH nor
 * executed. A program that differs from point to point is looked up when its point runs. */
enum err lookup_command(const struct study *s, struct fault *f);

#endif
