#include <inttypes.h>

#include "base/clock.h"
#include "cli/progress.h"
#include "cli/session_inner.h"
#include "cli/stored.h"
#include "cli/summary.h"

/* Points that ended since then; another command may have given ended points a new attempt. */
static uint64_t ended_since(const struct grange_counts *c, uint64_t before)
{
    uint64_t now = part_ended(c);
    return now > before ? now - before : 0;
}

static bool halted(const struct session *s)
{
    for (size_t i = 0; i < s->n_parts; i++)
        if (s->parts[i].halted)
            return true;
    return false;
}

/* The farm was away when it should have heard that we are to stop. */
static void say_unheard(const struct session *s)
{
    struct buf name = { 0 }, flag = { 0 };
    where_name(&s->control->where, &name);
    where_flag(&s->control->where, &flag);
    cli_say("interrupted, but %s did not answer: the points may go on\n"
            "  stop them with: grange hold %s%s",
            buf_text(&name), s->name, buf_text(&flag));
    buf_fini(&name);
    buf_fini(&flag);
}

static void say_stopped(struct session *s)
{
    if (s->local.joined && (s->hold_failed || s->lost_ms)) {
        say_unheard(s);
        return;
    }
    struct buf b;
    buf_init(&b);
    uint64_t after = ended_since(&s->counts, s->ended_at_stop);
    buf_adds(&b, "interrupted: ");
    progress_count(after, &b);
    buf_adds(&b, " finished after that, ");
    progress_count(s->n_stopped, &b);
    buf_adds(&b, " stopped (they will run again), ");
    progress_count(part_to_do(&s->counts), &b);
    buf_adds(&b, " left\n  resume with: ");
    summary_resume(s->control, s->name, &b);
    cli_say("%s", buf_text(&b));
    buf_fini(&b);
}

static void say_not_done(struct session *s)
{
    struct buf b;
    buf_init(&b);
    if (halted(s))
        buf_addf(&b, "halted by --halt at %" PRIu64 " failed %s", s->counts.failed,
                 s->counts.failed == 1 ? "point" : "points");
    else
        buf_adds(&b, "held by another command");
    buf_adds(&b, "; ");
    progress_count(part_to_do(&s->counts), &b);
    buf_adds(&b, part_to_do(&s->counts) == 1 ? " point left" : " points left");
    buf_adds(&b, "\n  go on with: ");
    summary_resume(s->control, s->name, &b);
    cli_say("%s", buf_text(&b));
    buf_fini(&b);
}

static void sum_up(const struct session *s, const struct part *p)
{
    bool all_ended = part_to_do(&p->counts) == 0;
    struct summary sum = {
        .control = s->control,
        .g = s->lost_ms ? NULL : s->g,
        .study = p->study,
        .name = p->name,
        .end = SUMMARY_ENDED,
        .counts = p->counts,
        .ended_here = ended_since(&p->counts, p->ended_before),
        .end_before = s->end_before,
        .wall_us = s->started_ms ? clock_mono_us() - s->begun_us : 0,
        .slots = s->have_news && s->n_parts == 1 ? s->slots : 0, /* one stage has no speed-up */
    };
    if (!all_ended)
        sum.end = s->level ? SUMMARY_INTERRUPTED : halted(s) ? SUMMARY_HALTED : SUMMARY_HELD;
    sum.counts.reused = p->submitted.counts.reused; /* a scheduler that came later counts more */
    summary_print(&sum);
}

int session_finish(struct session *s)
{
    bool all_ended = part_to_do(&s->counts) == 0;
    for (size_t i = 0; i < s->n_parts && s->level < 3; i++)
        sum_up(s, &s->parts[i]);
    if (!all_ended && s->level) {
        say_stopped(s);
        return CLI_INTERRUPTED;
    }
    if (!all_ended)
        say_not_done(s);
    const struct grange_counts *c = &s->counts;
    return all_ended && c->failed + c->cancelled + c->quarantined + c->unmet == 0 ? CLI_OK
                                                                                  : CLI_SOME_FAILED;
}

bool session_lost_store(const struct session *s)
{
    return stored_gone(s->control->dir, s->store);
}

int session_fail(struct session *s, const struct fault *f)
{
    int rc = cli_fail(f);
    if (!s->started_ms) {
        if (f->code == ERR_DISK_FULL)
            cli_say("there is no space left for %s; nothing was started", s->control->dir);
        return rc;
    }
    if (session_lost_store(s)) {
        cli_say("what was recorded there is gone; the same command runs all points anew");
        return CLI_ERROR;
    }
    struct buf b;
    buf_init(&b);
    buf_adds(&b, f->code == ERR_DISK_FULL ? "make room, then go on with: " : "go on with: ");
    summary_resume(s->control, s->name, &b);
    cli_say("nothing that was recorded is lost\n  %s", buf_text(&b));
    buf_fini(&b);
    return rc == CLI_USAGE ? CLI_ERROR : rc;
}
