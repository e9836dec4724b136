#ifndef GRANGE_CLI_WHERE_H
#define GRANGE_CLI_WHERE_H
/* where - which farm a verb means: that of a directory on this machine, or one that a connection
 * file or URL leads to.
 *
 * The first of these that is there:
 *   --connect FILE|URL, --farm NAME, --dir DIR   as they were given
 *   $GRANGE_CONNECT, $GRANGE_FARM
 *   ./.grange, when a scheduler has it
 *   this user's farm named "default", when it is up
 *   ./.grange, with nobody in it: embedded */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "client/grange.h"

enum {
    WHERE_DIR_MAX = 4096,
    WHERE_CONNECT_MS = 10000,
    WHERE_LOST_MS = 10000 /* a scheduler that went away may come back within this */
};
#define WHERE_FARM_DEFAULT "default"

struct where_args { /* what was typed; NULL: not given */
    const char *dir, *connect, *farm;
};

struct where {
    char dir[WHERE_DIR_MAX];       /* the grange directory; "": it is not on this machine */
    char connect[WHERE_DIR_MAX];   /* what grange_connect takes; "": the socket in dir */
    char farm[NAME_BYTES_MAX + 1]; /* its name; "": none, or not known */
    bool up;                       /* a daemon serves there: nothing is embedded */
};

/* Rows of an argp table, and what takes them (ARGP_ERR_UNKNOWN for others). Keys are from 390, so
 * that they fit beside those of control.h. */
enum { OPT_WHERE_CONNECT = 390, OPT_WHERE_FARM };
#define WHERE_ROWS(group)                                                                          \
    { "dir", 'd', "DIR", 0, "the grange directory, where everything is kept (.grange)", group },   \
        { "connect",                                                                               \
          OPT_WHERE_CONNECT,                                                                       \
          "FILE|URL",                                                                              \
          0,                                                                                       \
          "the farm that this connection file or URL leads to ($GRANGE_CONNECT)",                  \
          group },                                                                                 \
    {                                                                                              \
        "farm", OPT_WHERE_FARM, "NAME", 0, "one of your farms, see grange farms ($GRANGE_FARM)",   \
            group                                                                                  \
    }
error_t where_option(int key, char *arg, struct where_args *a);

/* where_find - asks nobody but the file system. ERR_USAGE when two were given, ERR_NOT_FOUND for a
 * farm that is not there or not up. */
enum err where_find(const struct where_args *a, struct where *w, struct fault *f);
/* where_own - ERR_PERMISSION when ./.grange, which nobody named, is another user's: who enters a
 * directory of somebody else does not mean to work for him. */
enum err where_own(struct fault *f);
/* where_look - the same for verbs that look at a store, which will do without a scheduler too;
 * w->dir is "" when it is not on this machine: then its scheduler is asked. */
enum err where_look(const struct where_args *a, struct where *w, struct fault *f);
/* where_of - where_look for a verb's main: *w lives for ever. -1: go on; else what it
 * returns. */
int where_of(const struct where_args *a, const struct where **w);
/* where_up - the same for verbs that need a farm that stays up: ERR_LOST when none is there, which
 * says how to have one. */
enum err where_up(const struct where_args *a, struct where *w, struct fault *f);
/* where_connect - to a farm that is up. signals_early must have been called: it makes threads. */
enum err where_connect(const struct where *w, struct grange **g, struct fault *f);

/* where_open - connects to the scheduler that is there, also to that of a `grange run`; signals end
 * this process as usual. ERR_LOST when none is there. where_open_farm - where_up and the same: for
 * what has to outlive a run. */
enum err where_open(const struct where_args *a, struct where *w, struct grange **g,
                    struct fault *f);
enum err where_open_farm(const struct where_args *a, struct where *w, struct grange **g,
                         struct fault *f);

/* where_lost - ERR_LOST: it did not come back in that time, or it was shut down; and what the
 * person may do then. */
enum err where_lost(const struct where *w, bool shut_down, const char *then, struct fault *f);

/* where_flag - " --dir DIR" or " --connect FILE", quoted for sh, or "" when nothing need be said:
 * for commands that are printed. where_name - "the farm NAME in DIR", for sentences. */
void where_flag(const struct where *w, struct buf *out);
void where_name(const struct where *w, struct buf *out);

#endif
