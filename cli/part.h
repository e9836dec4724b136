#ifndef GRANGE_CLI_PART_H
#define GRANGE_CLI_PART_H
/* part - one of the studies that a session runs: the only one, or a stage of a study file. What was
 * submitted, and what has been heard of it since. */

#include "base/buf.h"
#include "base/ids.h"
#include "base/limits.h"
#include "cli/pace.h"
#include "cli/progress.h"
#include "client/grange.h"
#include "study/study.h"

struct part {
    const struct study *study; /* to submit; with resume as the store has it */
    bool resume;               /* the store knows it: by its name */
    char name[NAME_BYTES_MAX + 1];
    struct buf json;
    struct grange_submitted submitted;
    struct grange_counts counts; /* newest */
    struct grange_progress news;
    bool have_news;
    bool halted;  /* by --halt */
    ms_t held_ms; /* since when it says held; 0: it does not */
    uint64_t ended_before;
};

void part_init(struct part *p, const struct study *study, bool resume);
void part_fini(struct part *p);

/* part_submit - asks for it, by its JSON or its name; a code of grange.h. */
int part_submit(struct part *p, struct grange *g, unsigned flags, ms_t timeout_ms,
                struct grange_submitted *reply);
/* part_submitted - takes the reply to the first submission as what there is. */
void part_submitted(struct part *p);
/* part_reopened - the counts of the reply after `touched` points were given new attempts. */
void part_reopened(struct part *p, uint64_t touched);
void part_news(struct part *p, const struct grange_progress *news, ms_t now);

enum part_state {
    PART_RUNS,
    PART_WAITS, /* nothing of it can start before another stage goes on */
    PART_OVER   /* ended, halted, or held by somebody else for a while */
};
/* part_state - `lost`: the connection is; `stopping`: this session holds it itself. */
enum part_state part_state(const struct part *p, bool lost, bool stopping, ms_t now);

uint64_t part_points(const struct grange_counts *c); /* without those that --where left out */
uint64_t part_ended(const struct grange_counts *c);
uint64_t part_to_do(const struct grange_counts *c);
/* part_warned - " (3 with a warning)", behind how many are done; nothing when there are none. */
void part_warned(uint64_t warned, struct buf *out);
void part_add(struct grange_counts *sum, const struct grange_counts *c);
/* part_view - the counts and how fast they change, for who draws them. */
void part_view(const struct grange_counts *c, const struct pace *pace, ms_t now,
               struct progress_view *v);

#endif
