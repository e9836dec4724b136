#ifndef GRANGE_STUDY_CALLS_H
#define GRANGE_STUDY_CALLS_H
/* calls - the spec of an array of calls: what runs them, and how.
 *
 *   {"calls":{"function":"collatz"}}      a function of an engine, the payload its argument
 *   {"calls":{"commands":true}}           each payload is a command line for sh; "cwd" is where;
 *                                         second and later attempts run "restart" instead, for sh,
 *                                         to which that command line is $1
 *
 * and beside it, all of them optional, the words of a study file: "retries", "timeout",
 * "exit" {"3":"warn"} or "exits" "3:warn", "halt", "memory", "cores", "priority", "weight",
 * "max_running" or "running" (at once), "least" (a time), "resources" {"gpus":2},
 * "require" ["fast"], "speculate", "backoff" "least..most" or [least, most] (times), and
 * "after": [{"key":K, "each":bool, "any":bool, "on":"success"|"failure"|"either"}]: other arrays
 * of calls, by their keys. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/rows.h"

enum { CALLS_AFTER_MAX = 64 }; /* arrays that one waits for; refused */

struct calls_after {
    char *key;
    uint8_t rule; /* RULE_* */
    bool element;
};
struct calls_spec {
    char *function; /* NULL: commands */
    char *cwd;      /* NULL: where the worker is */
    char *restart;  /* of commands; NULL: the command again */
    struct policy policy;
    struct calls_after after[CALLS_AFTER_MAX];
    size_t n_after;
};

/* calls_spec_is - whether this is the spec of an array of calls, and not of a study. */
bool calls_spec_is(const void *json, size_t bytes);
/* calls_spec_read - trusts nothing; on success *c is the caller's to calls_spec_fini. A function is
 * among what the policy requires, as the label "fn:NAME". */
enum err calls_spec_read(const void *json, size_t bytes, struct calls_spec *c, struct fault *f);
/* calls_spec_check - of a new one: whether it has words that calls_spec_read would pass over. One
 * that is in the store may, as it was taken once. */
enum err calls_spec_check(const void *json, size_t bytes, struct fault *f);
void calls_spec_fini(struct calls_spec *c);

#endif
