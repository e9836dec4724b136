#ifndef GRANGE_CLI_CLI_H
#define GRANGE_CLI_CLI_H
/* cli - what the verbs of `grange` share: exit codes, messages, options, where things are.
 *
 * A verb is one file with one `const struct verb`: its options as an argp table (from which
 * parsing, help, suggestions and shell completion are made) and a function that does it. main.c has
 * the list of verbs. Messages for people go to stderr as "grange: TEXT"; what was asked for goes to
 * stdout. */

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ids.h"

/* What `grange` exits with; `grange help exit-codes` prints this for people. */
enum cli_exit {
    CLI_OK = 0,            /* what was asked for was done; all points succeeded */
    CLI_SOME_FAILED = 1,   /* it ran, and some points failed, were cancelled or are left (halted) */
    CLI_USAGE = 2,         /* wrong usage: nothing was started, nothing was stored */
    CLI_ERROR = 3,         /* the world failed: store, disk full, directory in use, no scheduler */
    CLI_TIMED_OUT = 4,     /* grange wait, call: not ended when the time was over */
    CLI_INTERRUPTED = 130, /* by Ctrl-C or a signal; what was done is recorded */
};

struct verb {
    const char *name;
    const char *summary;     /* one line for the list of verbs */
    const struct argp *argp; /* options, args_doc, doc ("TEXT\vEXAMPLES" as argp has it) */
    bool command_follows;    /* options end at the first argument that is none */
    int (*main)(int argc, char **argv); /* argv[0] is the verb; returns an exit code */
};
/* cli_verbs - all of them, ends with NULL. cli_verb - by name, or NULL. */
extern const struct verb *const cli_verbs[];
const struct verb *cli_verb(const char *name);

extern const struct verb verb_run, verb_submit, verb_wait, verb_resume, verb_retry, verb_cancel;
extern const struct verb verb_status, verb_results, verb_log, verb_explain;
extern const struct verb verb_graph;
extern const struct verb verb_scheduler, verb_worker, verb_completion;
extern const struct verb verb_call;
extern const struct verb verb_up, verb_down, verb_farms, verb_workers, verb_drain, verb_top;
extern const struct verb verb_hold, verb_release, verb_priority;

/* cli_parse - the options of a verb. Returns -1 when the verb may go on, or the exit code to return
 * at once: --help was asked for and printed (CLI_OK), or something was wrong and said (CLI_USAGE).
 * `input` reaches the argp parser as state->input; a parser that does not like a value returns
 * cli_bad("..."). */
int cli_parse(const struct verb *v, int argc, char **argv, void *input);
/* cli_first_argument - the index of the first argument that is neither an option nor the value of
 * one; argc when there is none, or something is wrong that cli_parse will say. */
int cli_first_argument(const struct verb *v, int argc, char **argv);
/* cli_option - the option of a verb that is spelled so in full ("--dir", "--dir=x"), or NULL. */
const struct argp_option *cli_option(const struct verb *v, const char *arg);
/* cli_bad - says "grange: TEXT" and returns EINVAL, for parsers. */
__attribute__((format(printf, 1, 2))) error_t cli_bad(const char *format, ...);
/* cli_number - a whole number in min..max, or cli_bad with `what` ("-j") and the bounds. 0 or
 * EINVAL. */
error_t cli_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *n);

/* cli_duration - "30s", "5m", "2h", "1d", "500ms", or seconds, within min..max; 0 or EINVAL. */
error_t cli_duration(const char *what, const char *text, ms_t min, ms_t max, ms_t *ms);

/* cli_listen - whether a URL behind --listen is one: 0 or EINVAL. */
error_t cli_listen(const char *url);

/* cli_fail - says "grange: TEXT" and returns the exit code: CLI_USAGE for ERR_USAGE, ERR_NOT_FOUND
 * and ERR_LIMIT, else CLI_ERROR. */
int cli_fail(const struct fault *f);
/* cli_put - to stdout, at once; false when it, or anything before it, could not be written.
 * cli_put_flush - the same of what was printed, so that it comes before what is said. cli_put_gone
 * - nobody reads stdout any more, or something could not be written. cli_put_end - the end of a
 * verb that returned `rc`: what to exit with. That nothing went wrong includes that what was asked
 * for was written; else it is said and CLI_ERROR, or, where a reader of a pipe has gone, SIGPIPE.
 */
bool cli_put(const void *data, size_t n);
bool cli_put_flush(void);
bool cli_put_gone(void);
int cli_put_end(int rc);
/* cli_say - "grange: TEXT" on stderr. */
__attribute__((format(printf, 1, 2))) void cli_say(const char *format, ...);
void cli_help(const struct verb *v, FILE *to); /* the help of one verb */

/* The option that every verb has which looks at a store: use as a row of the argp table. */
#define CLI_DIR_DEFAULT ".grange"
#define CLI_OPTION_DIR                                                                             \
    {                                                                                              \
        "dir", 'd', "DIR", 0, "the grange directory, where everything is kept (default .grange)",  \
            0                                                                                      \
    }
#define CLI_OPTION_JSON                                                                            \
    {                                                                                              \
        "json", 'J', 0, 0, "print JSON", 0                                                         \
    }

/* cli_dir_flag - " --dir DIR" quoted for sh, or "" for the default: for commands that are printed.
 */
void cli_dir_flag(const char *dir, struct buf *out);
/* cli_url - the address of the scheduler of a directory. */
void cli_url(const char *dir, struct buf *out);

/* suggest - the nearest of `names` (n of them) to what was typed, or NULL when none is near. */
size_t cli_distance(const char *a, const char *b);
const char *cli_suggest(const char *typed, const char *const *names, size_t n);

#endif
