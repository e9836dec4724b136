#include "cli/part.h"

#include <stdio.h>

enum { HELD_MS = 2000 }; /* a study that nobody here holds is held that long: it is meant */

void part_init(struct part *p, const struct study *study, bool resume)
{
    *p = (struct part){ .study = study, .resume = resume };
    snprintf(p->name, sizeof p->name, "%s", study_name(study));
}

void part_fini(struct part *p)
{
    buf_fini(&p->json);
}

int part_submit(struct part *p, struct grange *g, unsigned flags, ms_t timeout_ms,
                struct grange_submitted *reply)
{
    if (p->resume)
        return grange_resume(g, p->name, flags, timeout_ms, reply);
    if (!p->json.n)
        study_to_json(p->study, &p->json);
    return grange_submit(g, buf_text(&p->json), p->json.n, flags, timeout_ms, reply);
}

void part_submitted(struct part *p)
{
    snprintf(p->name, sizeof p->name, "%s", p->submitted.name);
    p->counts = p->submitted.counts;
    p->ended_before = part_ended(&p->counts);
}

void part_reopened(struct part *p, uint64_t touched)
{
    struct grange_counts *c = &p->submitted.counts;
    c->ready += touched;
    c->reused -= touched < c->reused ? touched : c->reused;
    /* Of which kind those were that were named does not matter here: their sum does. */
    uint64_t *const from[] = { &c->failed, &c->quarantined, &c->cancelled, &c->done };
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        uint64_t n = touched < *from[i] ? touched : *from[i];
        *from[i] -= n;
        touched -= n;
    }
}

void part_news(struct part *p, const struct grange_progress *news, ms_t now)
{
    p->news = *news;
    p->counts = news->counts;
    p->have_news = true;
    p->halted = news->state == GRANGE_HALTED;
    if (news->state != GRANGE_HELD || news->reconnected)
        p->held_ms = 0;
    else if (!p->held_ms)
        p->held_ms = now;
}

/* Held by somebody else is over only when it stays so: a scheduler that has just come back holds
 * everything until it is told again. */
enum part_state part_state(const struct part *p, bool lost, bool stopping, ms_t now)
{
    if (part_to_do(&p->counts) == 0 && !p->have_news)
        return PART_OVER; /* it was not followed: there was nothing to do */
    if (!p->have_news || p->counts.running > 0)
        return PART_RUNS;
    if (p->news.state == GRANGE_HELD && !stopping)
        return p->held_ms && now - p->held_ms > HELD_MS && !lost ? PART_OVER : PART_RUNS;
    if (p->news.state != GRANGE_ACTIVE)
        return PART_OVER;
    return p->counts.ready + p->counts.waiting == 0 ? PART_WAITS : PART_RUNS;
}

uint64_t part_ended(const struct grange_counts *c)
{
    return c->done + c->failed + c->cancelled + c->quarantined + c->unmet;
}

uint64_t part_points(const struct grange_counts *c)
{
    return c->n - (c->skipped - c->unmet);
}

uint64_t part_to_do(const struct grange_counts *c)
{
    return c->ready + c->blocked + c->waiting + c->running;
}

void part_add(struct grange_counts *sum, const struct grange_counts *c)
{
    sum->n += c->n;
    sum->ready += c->ready;
    sum->waiting += c->waiting;
    sum->running += c->running;
    sum->done += c->done;
    sum->failed += c->failed;
    sum->cancelled += c->cancelled;
    sum->blocked += c->blocked;
    sum->skipped += c->skipped;
    sum->unmet += c->unmet;
    sum->warned += c->warned;
    sum->quarantined += c->quarantined;
    sum->reused += c->reused;
    sum->lost += c->lost;
}

void part_view(const struct grange_counts *c, const struct pace *pace, ms_t now,
               struct progress_view *v)
{
    v->n = part_points(c);
    v->done = c->done;
    v->failed = c->failed;
    v->other = c->cancelled + c->quarantined + c->unmet;
    v->running = c->running;
    v->left = c->ready + c->blocked + c->waiting;
    v->rate = pace_rate(pace, now);
    v->left_ms = pace_left_ms(pace, now, v->left + v->running);
    v->use = pace_use(pace);
}

void part_warned(uint64_t warned, struct buf *out)
{
    if (!warned)
        return;
    buf_adds(out, " (");
    progress_count(warned, out);
    buf_adds(out, " with a warning)");
}
