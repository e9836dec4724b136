#ifndef GRANGE_BASE_CLOCK_H
#define GRANGE_BASE_CLOCK_H
/* clock - the only place that reads one. Loops read it once a turn and pass `now` on. */

#include "base/ids.h"

ms_t clock_wall_ms(void); /* since 1970-01-01 UTC; may jump */
ms_t clock_mono_ms(void); /* never goes back */
uint64_t clock_mono_us(void);

/* clock_farm_ms - wall clock at the first call plus monotonic time since: never goes back within a
 * process and means something to the next one. What the scheduler's core gets as `now`. */
ms_t clock_farm_ms(void);

/* clock_patience_ms - how long to wait for somebody else before giving them up: `ms`, or that part
 * of it which GRANGE_PATIENCE_PERCENT (1..100) says. With that, tests see what happens then without
 * waiting for it. */
ms_t clock_patience_ms(ms_t ms);

#endif
