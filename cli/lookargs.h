#ifndef GRANGE_CLI_LOOKARGS_H
#define GRANGE_CLI_LOOKARGS_H
/* lookargs - what the verbs that only look are told: [STUDY], or STUDY POINT, and which farm. */

#include "cli/where.h"

struct look_args {
    struct where_args at;
    const char *dir, *study, *point;
    const char *pointed; /* the verb, when it wants a point too; NULL: a study at most */
    bool json;           /* for those that have it among their options */
};

/* lookargs_option - for their argp parsers: words and WHERE_ROWS, and -J. */
error_t lookargs_option(int key, char *arg, struct look_args *a);

/* lookargs_near - finds the farm. -1: its directory is on this machine, and in a->dir. Otherwise
 * the verb, with the option when it is not NULL, is done by its scheduler and printed here: what to
 * exit with. */
int lookargs_near(struct look_args *a, const char *verb, const char *option);

#endif
