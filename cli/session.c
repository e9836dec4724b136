#include "cli/session_inner.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"
#include "cli/points.h"
#include "cli/signals.h"
#include "cli/stored.h"
#include "cli/summary.h"
#include "cli/tally.h"
#include "client/grange.h"

enum {
    CONNECT_MS = 10000,
    SUBMIT_MS = 600000,    /* a spec of the largest size, joined with a store of the largest */
    ASK_MS = 3000,         /* a short request */
    SILENT_MAX_MS = 10000, /* our own scheduler, once lost (LOST_AFTER_MS), may be busy that long */
    TURN_MS = 1000,        /* between two looks at everything, at the most */
    TERM_GRACE_MS = 2000,  /* SIGTERM and SIGHUP leave less time than Ctrl-C */
    STOPPED_WITHIN_MS =
        10000, /* after running points were told to stop: TERM, grace, KILL and some */
};

static enum err begin(struct session *s, struct fault *f);
static enum err follow(struct session *s, struct fault *f);
static void say(void *ctx, const char *text);

static void count(struct session *s)
{
    s->counts = (struct grange_counts){ 0 };
    for (size_t i = 0; i < s->n_parts; i++)
        part_add(&s->counts, &s->parts[i].counts);
}

static void make_parts(struct session *s)
{
    const struct session_plan *plan = s->plan;
    s->n_parts = plan->n_stages ? plan->n_stages : 1;
    s->parts = calloc(s->n_parts, sizeof *s->parts);
    must(s->parts != NULL);
    for (size_t i = 0; i < s->n_parts; i++)
        part_init(&s->parts[i], plan->n_stages ? plan->stages[i] : plan->study, plan->resume);
    s->name = plan->n_stages ? plan->stages_name : s->parts[0].name;
}

int session_run(const struct session_plan *plan)
{
    static struct session s; /* large */
    s = (struct session){ .plan = plan, .control = plan->control, .signal_fd = -1 };
    s.stop_now_ms = s.give_up_ms = MS_NEVER;
    make_parts(&s);
    signals_early();
    local_init(&s.local, plan->control->dir, plan->control->sync, plan->control->slots);
    s.local.say = say;
    s.local.ctx = &s;
    struct fault f;
    enum err err = begin(&s, &f);
    if (!err && part_to_do(&s.counts) > 0)
        err = follow(&s, &f);
    int rc = err ? session_fail(&s, &f) : session_finish(&s);
    grange_close(s.g);
    /* Those who were asked three times, or who have nobody to report to, need no patience. */
    local_stop(&s.local, s.level < 3 && err != ERR_DISK_FULL);
    local_fini(&s.local);
    for (size_t i = 0; i < s.n_parts; i++)
        part_fini(&s.parts[i]);
    free(s.parts);
    if (s.signal_fd >= 0)
        close(s.signal_fd);
    return rc;
}

static void say(void *ctx, const char *text)
{
    struct session *s = ctx;
    display_say(&s->display, text);
}

/* ---- begin ---- */

static int ask_submit(struct session *s, struct part *p)
{
    return part_submit(p, s->g, s->control->flags, SUBMIT_MS, &p->submitted);
}

static int ask_retry(struct session *s, struct part *p)
{
    uint64_t touched = 0;
    int rc = grange_retry(s->g, p->name, s->plan->index, s->plan->n_index, SUBMIT_MS, &touched);
    if (rc == GRANGE_OK)
        part_reopened(p, touched);
    s->n_retried += touched;
    return rc;
}

static int ask_follow(struct session *s, struct part *p)
{
    return grange_follow(s->g, p->name, SUBMIT_MS);
}

/* One request before points run. When the scheduler is lost over it, it is looked after and asked
 * again: requests are idempotent. */
static enum err ask(struct session *s, struct part *p,
                    int (*request)(struct session *, struct part *), struct fault *f)
{
    for (int tries = 0;; tries++) {
        signals_let(true);
        int rc = request(s, p);
        signals_let(false);
        if (rc == GRANGE_OK)
            return ERR_NONE;
        if (rc != GRANGE_ERR_LOST || tries > RESTARTS_MAX || s->local.joined)
            return fault_set(f, (enum err)rc, "%s", grange_message(s->g));
        child_reap(&s->local.scheduler, ASK_MS); /* it is about to end, if that was the reason */
        enum err err = local_tend(&s->local, NULL, f);
        if (err)
            return err;
    }
}

static void say_where(const struct session *s)
{
    const struct where *w = &s->control->where;
    struct buf name = { 0 };
    where_name(w, &name);
    cli_say("using %s%s", buf_text(&name),
            w->farm[0] || w->connect[0] ? "" : " (that of `grange up` or `grange scheduler`)");
    buf_fini(&name);
}

static void say_what_there_is(const struct session *s, const struct part *p)
{
    const struct grange_submitted *r = &p->submitted;
    if (s->control->quiet)
        return;
    if (r->template_changed)
        cli_say("the command or its input files differ from those of earlier points of this study: "
                "these are new points; the earlier ones stay in the store");
    if (part_to_do(&r->counts) == 0) /* the summary says the rest */
        return;
    uint64_t n = part_points(&r->counts), left_out = r->counts.n - n;
    struct buf b;
    buf_init(&b);
    buf_addf(&b, "%s: ", p->name);
    progress_count(n, &b);
    buf_adds(&b, n == 1 ? " point, " : " points, ");
    if (r->counts.reused) {
        progress_count(r->counts.reused, &b);
        buf_adds(&b, " ended before, ");
    }
    progress_count(part_to_do(&r->counts), &b);
    buf_adds(&b, " to run");
    if (left_out) {
        buf_adds(&b, " (--where left out ");
        progress_count(left_out, &b);
        buf_adds(&b, ")");
    }
    cli_say("%s", buf_text(&b));
    buf_fini(&b);
    if (s->local.joined && p == s->parts)
        say_where(s);
}

static enum err connect_scheduler(struct session *s, struct fault *f)
{
    if (s->control->where.connect[0])
        return where_connect(&s->control->where, &s->g, f);
    char why[FAULT_TEXT_MAX];
    int rc = grange_connect(buf_text(&s->local.url), CONNECT_MS, &s->g, why, sizeof why);
    return rc ? fault_set(f, (enum err)rc, "cannot connect to the scheduler in %s: %s",
                          s->control->dir, why)
              : ERR_NONE;
}

/* Ours, or that of the farm that was chosen. */
static enum err have_scheduler(struct session *s, struct fault *f)
{
    const struct control *c = s->control;
    if (!c->where.connect[0])
        return local_start(&s->local, false, f);
    s->local.joined = true;
    if (c->slots_given)
        return fault_set(f, ERR_USAGE,
                         "-j starts a worker beside those of the farm, here; with "
                         "--connect the farm has only its own");
    return ERR_NONE;
}

/* Stages are submitted in their order, so that each finds those that it waits for. */
static enum err begin_part(struct session *s, struct part *p, struct fault *f)
{
    enum err err = ask(s, p, ask_submit, f);
    if (!err && s->plan->retry)
        err = ask(s, p, ask_retry, f);
    if (err)
        return err;
    part_submitted(p);
    say_what_there_is(s, p);
    return err;
}

static enum err follow_part(struct session *s, struct part *p, struct fault *f)
{
    if (part_to_do(&p->counts) == 0)
        return ERR_NONE;
    return ask(s, p, ask_follow, f);
}

static enum err begin(struct session *s, struct fault *f)
{
    enum err err = have_scheduler(s, f);
    if (!err)
        err = connect_scheduler(s, f);
    if (!err && (!s->control->quiet || s->control->json)) /* there will be a summary */
        s->end_before = tally_last_end(s->control->dir, s->g);
    signals_let(false);
    signals_asked(s->local.joined ? SIGNALS_FARM : SIGNALS_STORING);
    if (s->local.joined) /* its workers do not wait for us */
        s->begun_us = clock_mono_us();
    for (size_t i = 0; i < s->n_parts && !err; i++)
        err = begin_part(s, &s->parts[i], f);
    if (err)
        return err;
    if (s->plan->retry && !s->n_retried && !s->control->quiet)
        points_say_none(s->name, s->plan->n_index > 0);
    s->store = s->control->dir[0] ? stored_inode(s->control->dir) : 0;
    count(s);
    s->ended_before = part_ended(&s->counts);
    for (size_t i = 0; i < s->n_parts && !err; i++)
        err = follow_part(s, &s->parts[i], f);
    return err;
}

/* ---- stop ---- */

static void hold(struct session *s, bool now)
{
    s->hold_failed = false;
    if (now)
        s->n_stopped = 0;
    for (size_t i = 0; i < s->n_parts; i++) {
        uint64_t touched = 0;
        int rc = grange_hold(s->g, s->parts[i].name, now, ASK_MS, &touched);
        s->hold_failed = s->hold_failed || rc != GRANGE_OK;
        if (rc == GRANGE_OK && now)
            s->n_stopped += touched;
    }
}

static void stop_now(struct session *s, ms_t now)
{
    s->stop_now_ms = MS_NEVER;
    s->give_up_ms = now + STOPPED_WITHIN_MS;
    snprintf(s->note, sizeof s->note, "stopping the running points");
    hold(s, true);
}

static void say_stopping(struct session *s, ms_t grace)
{
    char text[200];
    uint64_t n = s->counts.running;
    struct buf time;
    buf_init(&time);
    progress_duration(grace, &time);
    if (n) /* as far as we have heard */
        snprintf(text, sizeof text,
                 "no new points start; %" PRIu64 " running %s may finish within %s (Ctrl-C again "
                 "stops %s now)",
                 n, n == 1 ? "point" : "points", buf_text(&time), n == 1 ? "it" : "them");
    else
        snprintf(text, sizeof text,
                 "no new points start; those that run may finish within %s (Ctrl-C again stops "
                 "them now)",
                 buf_text(&time));
    buf_fini(&time);
    display_say(&s->display, text);
    snprintf(s->note, sizeof s->note, "no new points start; Ctrl-C stops the running ones now");
}

static void asked_to_stop(struct session *s, int sig, ms_t now)
{
    if (s->lost_ms && s->local.joined)
        s->level = 2; /* there is nobody to tell */
    s->level++;
    ms_t grace = s->control->grace_ms;
    if (sig != SIGINT && grace > TERM_GRACE_MS)
        grace = TERM_GRACE_MS;
    if (s->level == 1) {
        s->ended_at_stop = part_ended(&s->counts);
        say_stopping(s, grace);
        s->stop_now_ms = now + grace;
        hold(s, false);
    } else if (s->level == 2) {
        display_say(&s->display, "stopping the running points now; they will run again");
        stop_now(s, now);
    }
}

/* ---- follow ---- */

/* The scheduler is back: it must hear again what we want of it. */
static enum err renew(struct session *s, struct part *p, struct fault *f)
{
    if (s->level > 0) {
        hold(s, s->stop_now_ms == MS_NEVER);
        return ERR_NONE;
    }
    struct grange_submitted again;
    int rc = grange_resume(s->g, p->name, GRANGE_AGAIN, SUBMIT_MS, &again);
    p->have_news = false; /* what it said before it heard this again does not count */
    if (rc == GRANGE_OK || rc == GRANGE_ERR_LOST || rc == GRANGE_ERR_TIMEOUT)
        return ERR_NONE; /* lost once more: `reconnected` will come once more */
    return fault_set(f, (enum err)rc, "%s", grange_message(s->g));
}

static struct part *part_named(struct session *s, const char *name)
{
    for (size_t i = 0; i < s->n_parts; i++)
        if (strcmp(s->parts[i].name, name) == 0)
            return &s->parts[i];
    return NULL;
}

static enum err take_one(struct session *s, struct part *part, const struct grange_progress *p,
                         ms_t now, struct fault *f)
{
    if (s->lost_ms && s->local.joined)
        display_say(&s->display, "the scheduler is back");
    s->lost_ms = 0;
    part_news(part, p, now);
    count(s);
    s->have_news = true;
    s->slots = p->slots;
    s->slots_busy = p->slots_busy;
    s->n_workers = p->n_workers;
    pace_add(&s->pace, now, part_ended(&s->counts), p->slots_busy, p->slots);
    return p->reconnected || s->hold_failed ? renew(s, part, f) : ERR_NONE;
}

static enum err take_news(struct session *s, ms_t now, struct fault *f)
{
    for (;;) {
        struct grange_progress p;
        int rc = grange_next(s->g, 0, &p);
        if (rc == GRANGE_ERR_TIMEOUT)
            return ERR_NONE;
        if (rc == GRANGE_ERR_LOST) {
            if (!s->lost_ms && s->local.joined && !grange_is_down(s->g))
                display_say(&s->display, "the scheduler went away; waiting for it to come back");
            s->lost_ms = s->lost_ms ? s->lost_ms : now;
            return ERR_NONE;
        }
        if (rc != GRANGE_OK)
            return fault_set(f, (enum err)rc, "%s", grange_message(s->g));
        struct part *part = part_named(s, p.name);
        enum err err = part ? take_one(s, part, &p, now, f) : ERR_NONE;
        if (err)
            return err;
    }
}

/* Over when every part is, or waits for one that was stopped: one that waits for parts that all
 * came to their end will hear so. */
static bool is_over(const struct session *s, ms_t now)
{
    bool waits = false, stopped = false;
    for (size_t i = 0; i < s->n_parts; i++) {
        const struct part *p = &s->parts[i];
        enum part_state state = part_state(p, s->lost_ms != 0, s->level > 0, now);
        if (state == PART_RUNS)
            return false;
        waits = waits || state == PART_WAITS;
        stopped = stopped || (state == PART_OVER && part_to_do(&p->counts) > 0);
    }
    return !waits || stopped;
}

static void label(const struct part *part, uint64_t index, char *text, size_t bytes)
{
    if (index >= study_n_points(part->study)) {
        snprintf(text, bytes, "point %" PRIu64, index);
        return;
    }
    struct point p;
    point_init(&p);
    struct buf b;
    buf_init(&b);
    study_point(part->study, index, &p);
    study_point_label(part->study, &p, &b);
    snprintf(text, bytes, "%s", buf_text(&b));
    buf_fini(&b);
    point_fini(&p);
}

static void add_slow(const struct part *p, struct progress_view *v)
{
    for (size_t k = 0; k < p->news.n_running; k++) {
        struct progress_slow *slow = progress_slow(v, p->news.running[k].elapsed_ms);
        if (!slow)
            return;
        label(p, p->news.running[k].index, slow->label, sizeof slow->label);
    }
}

static void show(struct session *s, ms_t now)
{
    if (now < display_due(&s->display))
        return;
    static struct progress_view v; /* large */
    v = (struct progress_view){ .name = s->name };
    part_view(&s->counts, &s->pace, now, &v);
    v.note = s->note[0] ? s->note : NULL;
    v.slots = s->have_news ? s->slots : s->control->slots;
    v.busy = s->slots_busy;
    for (size_t i = 0; i < s->n_parts; i++)
        add_slow(&s->parts[i], &v);
    display_show(&s->display, &v, now);
}

static enum err check_store(const struct session *s, struct fault *f)
{
    return session_lost_store(s)
               ? fault_set(f, ERR_NOT_FOUND,
                           "%s/grange.db was deleted, moved or replaced while the points ran",
                           s->control->dir)
               : ERR_NONE;
}

static enum err tend(struct session *s, struct fault *f)
{
    bool again = false;
    enum err err = check_store(s, f); /* no scheduler goes on in a new one */
    err = err ? err : local_tend(&s->local, &again, f);
    if (again && s->lost_ms)
        s->lost_ms = clock_mono_ms(); /* it is another one whose silence counts from here */
    return err;
}

static enum err take_signals(struct session *s, ms_t now, struct fault *f)
{
    enum err err = ERR_NONE;
    for (int sig; (sig = signals_read(s->signal_fd)) != 0 && !err;) {
        if (sig == SIGCHLD)
            err = tend(s, f);
        else if (sig == SIGWINCH)
            display_resize(&s->display);
        else
            asked_to_stop(s, sig, now);
    }
    return err;
}

static enum err look_after(struct session *s, ms_t now, struct fault *f)
{
    if (s->level == 1 && now >= s->stop_now_ms)
        stop_now(s, now);
    if (s->lost_ms && s->local.joined &&
        (now - s->lost_ms > clock_patience_ms(WHERE_LOST_MS) || grange_is_down(s->g)))
        return where_lost(&s->control->where, grange_is_down(s->g),
                          "what ended is kept, and the same command goes on", f);
    if (s->lost_ms && now - s->lost_ms > clock_patience_ms(SILENT_MAX_MS) &&
        local_kill_scheduler(&s->local)) {
        display_say(&s->display, "the scheduler does not answer any more; killing it");
        s->lost_ms = now; /* SIGCHLD starts it again */
    }
    session_idle(s, now);
    return ERR_NONE;
}

static int sleep_ms(const struct session *s, ms_t now)
{
    ms_t until = now + TURN_MS;
    const ms_t others[] = { display_due(&s->display), s->stop_now_ms, s->give_up_ms };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        until = others[i] < until ? others[i] : until;
    return until > now ? (int)(until - now) : 0;
}

static enum err follow(struct session *s, struct fault *f)
{
    ms_t now = clock_mono_ms();
    s->started_ms = now;
    s->begun_us = s->begun_us ? s->begun_us : clock_mono_us();
    s->look_ms = MS_NEVER;
    display_open(&s->display, s->control->quiet, now);
    pace_init(&s->pace);
    s->signal_fd = signals_open();
    enum err err = ERR_NONE;
    if (!s->local.joined || s->control->slots_given)
        err = local_start_worker(&s->local, f);
    while (!err && !is_over(s, now) && s->level < 3 && now < s->give_up_ms &&
           !session_lost_store(s)) {
        show(s, now);
        struct pollfd fds[] = { { .fd = grange_fd(s->g), .events = POLLIN },
                                { .fd = s->signal_fd, .events = POLLIN } };
        poll(fds, 2, sleep_ms(s, now));
        now = clock_mono_ms();
        err = take_signals(s, now, f);
        now = clock_mono_ms(); /* starting a scheduler again takes a while */
        if (!err)
            err = take_news(s, now, f);
        if (!err)
            err = look_after(s, now, f);
    }
    display_close(&s->display);
    enum err gone = check_store(s, f); /* whatever else was noticed comes of that */
    return gone ? gone : err;
}
