#ifndef GRANGE_CLI_LATE_H
#define GRANGE_CLI_LATE_H
/* late - metrics that a study asks for now, of points that ended before: read from the output and
 * the directory that are kept of them, when results are looked at. */

#include "store/reader.h"
#include "study/study.h"

struct late_metrics {
    const struct study *study; /* borrowed, like dir */
    const char *dir;           /* the grange directory */
    const char *names[METRICS_MAX];
};

/* late_metrics - has the reader add them; *l must live as long as it. */
void late_metrics(struct late_metrics *l, const struct study *s, const char *dir, struct reader *r);

/* late_changed - says which metrics of s were written otherwise when the study was submitted last:
 * points that have a value keep it. Says nothing where the store cannot be read: others will. */
void late_changed(const struct study *s, const char *dir);

#endif
