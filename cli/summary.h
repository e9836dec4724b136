#ifndef GRANGE_CLI_SUMMARY_H
#define GRANGE_CLI_SUMMARY_H
/* summary - what is said when a run is over, for people on stderr or as JSON on stdout. */

#include "base/ids.h"
#include "cli/control.h"
#include "client/grange.h"
#include "study/study.h"

enum summary_end { SUMMARY_ENDED, SUMMARY_HALTED, SUMMARY_HELD, SUMMARY_INTERRUPTED };

enum { FAILURES_SHOWN = 10 };

struct summary {
    const struct control *control;
    const struct study *study;
    const char *name;
    enum summary_end end;
    struct grange_counts counts; /* at the end */
    uint64_t ended_here;         /* points that ended in this run */
    ms_t wall_ms;                /* from the first point that could start */
    uint32_t slots;              /* 0: no worker was needed */
    uint64_t end_before;         /* summary_last_end when this run began */
};

/* summary_last_end - of the store: the number of the end that was recorded last; 0 when it has none
 * or cannot say. */
uint64_t summary_last_end(const char *dir);

/* summary_print - reads the store for failures and metrics; what it cannot read it leaves out. */
void summary_print(const struct summary *s);

/* summary_resume - "grange resume NAME --dir DIR" */
void summary_resume(const struct control *c, const char *name, struct buf *out);

#endif
