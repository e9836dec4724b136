#include "cli/pace.h"

void pace_init(struct pace *p)
{
    *p = (struct pace){ .step_ms = PACE_STEP_MS };
}

static void thin_out(struct pace *p)
{
    for (unsigned i = 0; 2 * i < p->n; i++)
        p->samples[i] = p->samples[2 * i];
    p->n = (p->n + 1) / 2;
    p->step_ms *= 2;
}

void pace_add(struct pace *p, ms_t now, uint64_t ended, uint32_t busy, uint32_t slots)
{
    if (ended < p->ended) /* some were given a new attempt: the rate begins anew */
        p->n = 0;
    p->busy_ms += (double)(now - p->last_ms) * p->busy; /* 0 the first time: no slots yet */
    p->slot_ms += (double)(now - p->last_ms) * p->slots;
    p->last_ms = now;
    p->ended = ended;
    p->busy = busy;
    p->slots = slots;
    if (p->n > 0 && now - p->samples[p->n - 1].at < p->step_ms)
        return;
    if (p->n == PACE_SAMPLES)
        thin_out(p);
    p->samples[p->n++] = (struct pace_sample){ now, ended };
}

double pace_rate(const struct pace *p, ms_t now)
{
    if (p->n == 0 || p->ended <= p->samples[0].ended)
        return -1;
    unsigned i = p->n - 1;
    while (i > 0 &&
           (now - p->samples[i].at < PACE_WINDOW_MS || p->ended - p->samples[i].ended < PACE_ENDS))
        i--;
    ms_t span = now - p->samples[i].at;
    return span > 0 ? (double)(p->ended - p->samples[i].ended) * 1000 / (double)span : -1;
}

ms_t pace_left_ms(const struct pace *p, ms_t now, uint64_t left)
{
    double rate = pace_rate(p, now);
    return rate > 0 ? (ms_t)((double)left * 1000 / rate) : -1;
}

double pace_use(const struct pace *p)
{
    return p->slot_ms > 0 ? p->busy_ms / p->slot_ms : 0;
}
