#ifndef GRANGE_CLI_PACE_H
#define GRANGE_CLI_PACE_H
/* pace - how fast points end, over a window that slides, and how busy the slots are on average.
 *
 * The rate is taken over the last PACE_WINDOW_MS, or longer until PACE_ENDS points have ended in
 * it, so that it follows changes where points are short and is steady where they are long. Memory
 * is bounded: when the samples are full every second one goes and they are taken half as often. */

#include <stdint.h>

#include "base/ids.h"

enum { PACE_SAMPLES = 128, PACE_STEP_MS = 250, PACE_WINDOW_MS = 10000, PACE_ENDS = 10 };

struct pace {
    struct pace_sample {
        ms_t at;
        uint64_t ended;
    } samples[PACE_SAMPLES];
    unsigned n;
    ms_t step_ms;
    ms_t last_ms;            /* of the newest news */
    uint64_t ended;          /* at last_ms */
    double busy_ms, slot_ms; /* integrals of busy slots and of slots */
    uint32_t busy, slots;    /* at last_ms */
};

void pace_init(struct pace *p);
/* pace_add - what is so at `now`: points ended since the run began, slots and how many are busy. */
void pace_add(struct pace *p, ms_t now, uint64_t ended, uint32_t busy, uint32_t slots);
double pace_rate(const struct pace *p, ms_t now); /* points a second; negative: not known yet */
ms_t pace_left_ms(const struct pace *p, ms_t now, uint64_t left); /* negative: not known yet */
double pace_use(const struct pace *p); /* mean share of the slots that was busy, 0..1 */

#endif
