#ifndef GRANGE_CLI_SUMMARY_H
#define GRANGE_CLI_SUMMARY_H
/* summary - what is said when a run is over, for people on stderr or as JSON on stdout. */

#include "base/ids.h"
#include "cli/control.h"
#include "client/grange.h"
#include "study/study.h"

enum summary_end { SUMMARY_ENDED, SUMMARY_HALTED, SUMMARY_HELD, SUMMARY_INTERRUPTED };

struct summary {
    const struct control *control;
    struct grange *g; /* NULL: its scheduler does not answer */
    const struct study *study;
    const char *name;
    enum summary_end end;
    struct grange_counts counts; /* at the end */
    uint64_t ended_here;         /* points that ended in this run */
    uint64_t wall_us;            /* from when on points could start */
    uint32_t slots;              /* 0: no worker was needed */
    uint64_t end_before;         /* tally_last_end when this run began */
};

/* summary_print - with what the store says of times, failures and metrics
                            (cli/tally.h). */
void summary_print(const struct summary *s);

/* summary_resume - "grange resume NAME --dir DIR" */
void summary_resume(const struct control *c, const char *name, struct buf *out);
/* summary_not_done - "grange results NAME --dir DIR --where ...": those that did not succeed. */
void summary_not_done(const struct where *w, const char *name, struct buf *out);

#endif
