#ifndef GRANGE_CLI_LOOK_H
#define GRANGE_CLI_LOOK_H
/* look - what the verbs that only look have in hand: the store of a directory, one study of it, and
 * which of its points --where leaves out (the store has no rows for those). */

#include <stdbool.h>
#include <stdint.h>

#include "cli/late.h"
#include "store/reader.h"
#include "study/study.h"

struct look {
    const char *dir; /* borrowed */
    struct reader *reader;
    struct reader_study row;
    struct study *study; /* NULL: it is one of calls */
    struct late_metrics late;
    struct filter *filter; /* of study_where, once it was asked for */
};

/* look_open - the study of that name; NULL: the only one there is, else ERR_USAGE with their names.
 * look_close may be called after a failure too. */
enum err look_open(struct look *l, const char *dir, const char *name, struct fault *f);
void look_close(struct look *l);
/* look_calls - opens the study of that name (NULL: the one submitted last) if it is one of calls.
 */
enum err look_calls(struct look *l, const char *dir, const char *name, bool *calls,
                    struct fault *f);
static inline bool look_of_calls(const struct look *l)
{
    return l->row.array.kind == ARRAY_CALLS;
}

/* look_needs_farm - what to say of a study of calls that nothing runs here: ERR_STATE. */
const struct fault *look_needs_farm(const struct look *l, struct fault *f);

/* look_task - the task of the point or call that was named. */
enum err look_task(struct look *l, const char *text, task_id *task, struct fault *f);

/* look_left_out - whether --where leaves out a point. look_count_left_out - how many; it looks at
 * each point when there is a --where: a million take about a second. */
enum err look_left_out(struct look *l, const struct point *p, bool *out, struct fault *f);
enum err look_count_left_out(struct look *l, uint64_t *n, struct fault *f);

/* look_point_dir - where the files of a point are, or will be, relative to where this process is.
 */
void look_point_dir(const struct look *l, const struct point *p, struct buf *out);

#endif
