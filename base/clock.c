#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

ms_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

ms_t clock_mono_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t clock_mono_us(void)
{
    return (uint64_t)(read_ns(CLOCK_MONOTONIC) / 1000);
}

ms_t clock_farm_ms(void)
{
    static ms_t offset;

    if (!offset)
        offset = clock_wall_ms() - clock_mono_ms();
    return clock_mono_ms() + offset;
}

ms_t clock_patience_ms(ms_t ms)
{
    static _Atomic int percent;

    if (!percent) {
        const char *text = getenv("GRANGE_PATIENCE_PERCENT");
        int n = text ? atoi(text) : 100;
        percent = n >= 1 && n <= 100 ? n : 100;
    }
    return ms * percent / 100;
}
