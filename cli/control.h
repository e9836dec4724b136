#ifndef GRANGE_CLI_CONTROL_H
#define GRANGE_CLI_CONTROL_H
/* control - the options that every verb has which runs points: run, resume, retry. */

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "cli/cli.h"
#include "cli/where.h"

struct control {
    struct where_args at; /* as typed */
    struct where where;   /* what that means: control_find */
    const char *dir;      /* where.dir */
    uint32_t slots;       /* -j; the number of cores when it was not given */
    bool slots_given;
    const char *sync; /* "full", "normal", "off" */
    ms_t grace_ms;    /* that running points get to finish after Ctrl-C */
    const char *here; /* the last of -j, --grace and --sync that was given; NULL: none */
    bool quiet, json;
    unsigned flags; /* GRANGE_RETRY_FAILED, GRANGE_FRESH */
};

enum { GRACE_DEFAULT_S = 10, GRACE_MAX_S = 86400 };

/* Keys of options without a letter. Those of a verb itself start at OPT_VERB. */
enum { OPT_SYNC = 300, OPT_GRACE, OPT_RETRY_FAILED, OPT_FRESH, OPT_VERB = 400 };

/* Rows of an argp table. */
#define CONTROL_OPTIONS                                                                            \
    { 0, 0, 0, 0, "How it is run:", 20 },                                                          \
        { "jobs", 'j', "N", 0, "points at a time (default: the cores of this machine)", 20 },      \
        WHERE_ROWS(20),                                                                            \
        { "grace",                                                                                 \
          OPT_GRACE,                                                                               \
          "SECONDS",                                                                               \
          0,                                                                                       \
          "time that running points get to finish after Ctrl-C (default 10)",                      \
          20 },                                                                                    \
        { "sync",                                                                                  \
          OPT_SYNC,                                                                                \
          "full|normal|off",                                                                       \
          0,                                                                                       \
          "how results are written: full (default) survives a power cut",                          \
          20 },                                                                                    \
        { "quiet", 'q', 0, 0, "no progress and no summary, only errors", 20 },                     \
    {                                                                                              \
        "json", 'J', 0, 0, "print the summary as JSON on stdout", 20                               \
    }

void control_init(struct control *c);
/* control_option - takes the options above; ARGP_ERR_UNKNOWN for others. */
error_t control_option(int key, char *arg, struct control *c);
/* control_find - which farm, or none: fills where and dir. `look`: see where_look. */
enum err control_find(struct control *c, bool look, struct fault *f);
uint32_t control_cores(void); /* that this process may use */

#endif
