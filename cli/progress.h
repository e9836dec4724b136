#ifndef GRANGE_CLI_PROGRESS_H
#define GRANGE_CLI_PROGRESS_H
/* progress - what a person sees of a run while it goes on, as text. Pure: display.h writes it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ids.h"

enum { PROGRESS_RUNNING_MAX = 8, PROGRESS_LABEL_BYTES = 256 };

struct progress_view {
    const char *name;
    uint64_t n;                   /* points, without those that --where left out */
    uint64_t done, failed, other; /* ended; other: cancelled and quarantined */
    uint64_t running, left;       /* left: to be done and not running */
    double rate;                  /* points a second; negative: not known */
    ms_t left_ms;                 /* negative: not known */
    uint32_t slots, busy;
    double use;       /* mean share of busy slots */
    const char *note; /* "stopping: ..." or NULL */
    size_t n_slow;    /* running points, slowest first */
    struct progress_slow {
        char label[PROGRESS_LABEL_BYTES];
        ms_t elapsed_ms;
    } slow[PROGRESS_RUNNING_MAX];
};

/* progress_slow - the place of a point that has run for so long among the slowest, for its label;
 * NULL when there is none. */
struct progress_slow *progress_slow(struct progress_view *v, ms_t elapsed_ms);

/* progress_line - one line, for logs and pipes, without a newline. */
void progress_line(const struct progress_view *v, struct buf *out);

/* progress_frame - lines for a terminal of this size, each ended by "\n", none wider than width - 1
 * columns and fewer of them than height. Returns how many. utf8: draw the bar with block
 * characters. */
unsigned progress_frame(const struct progress_view *v, unsigned width, unsigned height, bool utf8,
                        struct buf *out);

/* "350 ms", "12.3 s", "4 min 10 s", "2 h 5 min", "3 d 4 h" */
void progress_duration(ms_t ms, struct buf *out);
/* "0.25", "12.3", "2,900": a rate or a count in few digits */
void progress_rate(double rate, struct buf *out);
void progress_count(uint64_t n, struct buf *out); /* with commas */
/* progress_part - ", 12 failed"; nothing when n is 0. */
void progress_part(uint64_t n, const char *word, struct buf *out);
/* progress_fit - text cut to at most `columns` columns, control characters as '?'. */
void progress_fit(const char *text, unsigned columns, struct buf *out);

#endif
