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
    ms_t since_ms;               /* wall clock when this run began */
    uint32_t slots;              /* 0: no worker was needed */
    uint64_t sum_before_us;      /* summary_sum_us when this run began */
};

/* summary_sum_us - the wall times of all points of the study that are done, together; 0 when the
 * store cannot say. */
uint64_t summary_sum_us(const char *dir, const char *name);

/* summary_print - reads the store for failures and metrics; what it cannot read it leaves out. */
void summary_print(const struct summary *s);

/* summary_resume - "grange resume NAME --dir DIR" */
void summary_resume(const struct control *c, const char *name, struct buf *out);

#endif
