#ifndef GRANGE_CLI_LOOKARGS_H
#define GRANGE_CLI_LOOKARGS_H
/* lookargs - what the verbs that only look are told: [STUDY], or STUDY POINT, and which farm. */

#include "cli/where.h"
#include "client/inside.h"

struct look_args {
    struct where_args at;
    const char *dir, *study, *point;
    const char *pointed;  /* the verb, when it wants a point too; NULL: a study at most */
    bool json;            /* for those that have it among their options */
    const char *words[2]; /* lookargs_look points to them */
};

/* lookargs_option - for their argp parsers: words and WHERE_ROWS, and -J. */
error_t lookargs_option(int key, char *arg, struct look_args *a);

/* lookargs_where - finds the farm. -1: it is in *w, and its directory, "" when that is on another
 * machine, in a->dir. Otherwise it was said why not: what to exit with. */
int lookargs_where(struct look_args *a, const struct where **w);
/* lookargs_look - a verb, with *option when that is not NULL, as its scheduler is asked for it. */
struct client_look lookargs_look(struct look_args *a, const char *verb, const char *const *option);
/* lookargs_near - finds the farm. -1: its directory is on this machine, and in a->dir. Otherwise
 * the verb, with the option when it is not NULL, is done by its scheduler and printed here: what to
 * exit with. */
int lookargs_near(struct look_args *a, const char *verb, const char *option);

#endif
