#ifndef GRANGE_CLI_SESSION_H
#define GRANGE_CLI_SESSION_H
/* session - one study from submit to end, as `grange run`, `resume` and `retry` do it: have a
 * scheduler, submit, have a worker, follow and show, mend what dies, stop when asked, sum up. */

#include "cli/control.h"
#include "study/study.h"

struct session_plan {
    const struct control *control;
    const struct study *study;   /* run: to submit; otherwise as the store has it */
    struct study *const *stages; /* instead of it: stages, each behind those that it waits for */
    size_t n_stages;
    const char *stages_name; /* of all together */
    bool resume;             /* the store knows it: by its name */
    bool retry;              /* then these points again; with n_index 0 all that failed */
    const uint64_t *index;
    size_t n_index;
};

int session_run(const struct session_plan *plan); /* returns an exit code */

#endif
