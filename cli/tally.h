#ifndef GRANGE_CLI_TALLY_H
#define GRANGE_CLI_TALLY_H
/* tally - what the store adds to the counts of a run that is over: how long its points took, which
 * failed first and why, which metrics were not found. The store is read where it is: here, or on
 * the scheduler's machine, which is asked for it (a look; its verb, `grange tally`, is not for
 * people). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "client/grange.h"
#include "study/study.h"

enum { TALLY_FAILURES = 10 };

struct tally {
    bool known;      /* the store could be read */
    uint64_t sum_us; /* of the points that ended since */
    struct tally_failure {
        uint64_t index;
        char *reason; /* in words, with the first line that it wrote to stderr */
    } failures[TALLY_FAILURES];
    size_t n_failures;
    uint64_t missing[METRICS_MAX]; /* points that succeeded without that metric */
};

/* Which of it is asked for; the rest costs nothing. */
struct tally_ask {
    const char *name;
    const struct study *study;
    uint64_t after; /* tally_last_end when the run began */
    bool took, failures, metrics;
    bool late; /* metrics are looked for in what is kept of earlier points, too */
};

/* tally_last_end - of the store: the number of the end that was recorded last; 0 when it has none
 * or cannot say. dir: the grange directory, "" when it is on another machine, that of the scheduler
 * of g. tally_read - what cannot be read is left out. */
uint64_t tally_last_end(const char *dir, struct grange *g);
void tally_read(const struct tally_ask *ask, const char *dir, struct grange *g, struct tally *t);
void tally_fini(struct tally *t);

/* tally_main - what a scheduler has a child do for a client elsewhere. */
int tally_main(int argc, char **argv);

#endif
