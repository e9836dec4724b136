#include "cli/session.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cli/display.h"
#include "cli/local.h"
#include "cli/pace.h"
#include "cli/signals.h"
#include "cli/summary.h"
#include "client/grange.h"

enum {
    CONNECT_MS = 10000,
    SUBMIT_MS = 600000,    /* a spec of the largest size, joined with a store of the largest */
    ASK_MS = 3000,         /* a short request */
    LOST_MAX_MS = 30000,   /* a daemon that went away may come back within this */
    SILENT_MAX_MS = 10000, /* our own scheduler, once lost (LOST_AFTER_MS), may be busy that long */
    TURN_MS = 1000,        /* between two looks at everything, at the most */
    TERM_GRACE_MS = 2000,  /* SIGTERM and SIGHUP leave less time than Ctrl-C */
    STOPPED_WITHIN_MS =
        10000,           /* after running points were told to stop: TERM, grace, KILL and some */
    HELD_MS = 2000,      /* a study that nobody here holds is held that long: it is meant */
    NO_WORKER_MS = 3000, /* then say that a daemon has no worker */
};

struct session {
    const struct session_plan *plan;
    const struct control *control;
    char name[NAME_BYTES_MAX + 1];
    struct buf json;
    struct local local;
    struct grange *g;
    int signal_fd;
    struct grange_submitted submitted;
    struct grange_counts counts; /* newest */
    struct grange_progress news;
    bool have_news;
    bool halted;  /* by --halt: stays so when the scheduler is started again, which forgets it */
    ms_t held_ms; /* since when it says held; 0: it does not */
    uint64_t ended_before;
    uint64_t sum_before_us;
    ms_t since_ms, started_ms; /* wall clock, monotonic */
    ms_t lost_ms;              /* since when the connection is lost; 0: it is there */
    bool said_no_worker;
    struct display display;
    struct pace pace;
    /* stopping */
    int level;        /* how often we were asked to stop: 0, 1, 2, 3 */
    ms_t stop_now_ms; /* when running points are stopped; MS_NEVER */
    ms_t give_up_ms;  /* when waiting for that ends; MS_NEVER */
    bool hold_failed; /* the scheduler was away: ask again */
    uint64_t ended_at_stop, n_stopped;
    char note[160];
};

static enum err begin(struct session *s, struct fault *f);
static enum err follow(struct session *s, struct fault *f);
static int finish(struct session *s);
static int fail(struct session *s, const struct fault *f);
static void say(void *ctx, const char *text);

static uint64_t ended(const struct grange_counts *c)
{
    return c->done + c->failed + c->cancelled + c->quarantined;
}

/* Points that ended since then; another command may have given ended points a new attempt. */
static uint64_t ended_since(const struct session *s, uint64_t before)
{
    uint64_t now = ended(&s->counts);
    return now > before ? now - before : 0;
}

static uint64_t to_do(const struct grange_counts *c)
{
    return c->ready + c->waiting + c->running;
}

int session_run(const struct session_plan *plan)
{
    static struct session s; /* large */
    s = (struct session){ .plan = plan, .control = plan->control, .signal_fd = -1 };
    s.stop_now_ms = s.give_up_ms = MS_NEVER;
    snprintf(s.name, sizeof s.name, "%s", study_name(plan->study));
    signals_early();
    local_init(&s.local, plan->control->dir, plan->control->sync, plan->control->slots);
    s.local.say = say;
    s.local.ctx = &s;
    struct fault f;
    enum err err = begin(&s, &f);
    if (!err && to_do(&s.counts) > 0)
        err = follow(&s, &f);
    int rc = err ? fail(&s, &f) : finish(&s);
    grange_close(s.g);
    /* Those who were asked three times, or who have nobody to report to, need no patience. */
    local_stop(&s.local, s.level < 3 && err != ERR_DISK_FULL);
    local_fini(&s.local);
    buf_fini(&s.json);
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

static int ask_submit(struct session *s)
{
    unsigned flags = s->control->flags;
    if (s->plan->resume)
        return grange_resume(s->g, s->name, flags, SUBMIT_MS, &s->submitted);
    if (!s->json.n)
        study_to_json(s->plan->study, &s->json);
    return grange_submit(s->g, buf_text(&s->json), s->json.n, flags, SUBMIT_MS, &s->submitted);
}

static int ask_retry(struct session *s)
{
    uint64_t touched = 0;
    int rc = grange_retry(s->g, s->name, s->plan->index, s->plan->n_index, SUBMIT_MS, &touched);
    if (rc == GRANGE_OK) {
        struct grange_counts *c = &s->submitted.counts;
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
    return rc;
}

static int ask_follow(struct session *s)
{
    return grange_follow(s->g, s->name, SUBMIT_MS);
}

/* One request before points run. When the scheduler is lost over it, it is looked after and asked
 * again: requests are idempotent. */
static enum err ask(struct session *s, int (*request)(struct session *), struct fault *f)
{
    for (int tries = 0;; tries++) {
        signals_let(true);
        int rc = request(s);
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

static void say_what_there_is(const struct session *s)
{
    const struct grange_submitted *r = &s->submitted;
    if (s->control->quiet)
        return;
    if (r->template_changed)
        cli_say("the command or its input files differ from those of earlier points of this study: "
                "these are new points; the earlier ones stay in the store");
    if (to_do(&r->counts) == 0) /* the summary says the rest */
        return;
    uint64_t n = r->counts.n - r->counts.skipped;
    struct buf b;
    buf_init(&b);
    buf_addf(&b, "%s: ", s->name);
    progress_count(n, &b);
    buf_adds(&b, n == 1 ? " point, " : " points, ");
    if (r->counts.reused) {
        progress_count(r->counts.reused, &b);
        buf_adds(&b, " ended before, ");
    }
    progress_count(to_do(&r->counts), &b);
    buf_adds(&b, " to run");
    if (r->counts.skipped) {
        buf_adds(&b, " (--where left out ");
        progress_count(r->counts.skipped, &b);
        buf_adds(&b, ")");
    }
    cli_say("%s", buf_text(&b));
    buf_fini(&b);
    if (s->local.joined)
        cli_say("using the scheduler that runs in %s", s->control->dir);
}

static enum err connect_scheduler(struct session *s, struct fault *f)
{
    char why[FAULT_TEXT_MAX];
    int rc = grange_connect(buf_text(&s->local.url), CONNECT_MS, &s->g, why, sizeof why);
    return rc ? fault_set(f, (enum err)rc, "cannot connect to the scheduler in %s: %s",
                          s->control->dir, why)
              : ERR_NONE;
}

static enum err begin(struct session *s, struct fault *f)
{
    signals_let(true);
    enum err err = local_start(&s->local, false, f);
    signals_let(false); /* connecting makes threads */
    if (!err)
        err = connect_scheduler(s, f);
    if (!err)
        err = ask(s, ask_submit, f);
    if (err)
        return err;
    snprintf(s->name, sizeof s->name, "%s", s->submitted.name);
    if (s->plan->retry)
        err = ask(s, ask_retry, f);
    s->counts = s->submitted.counts;
    s->ended_before = ended(&s->counts);
    say_what_there_is(s);
    if (err || to_do(&s->counts) == 0)
        return err;
    if (s->ended_before)
        s->sum_before_us = summary_sum_us(s->control->dir, s->name);
    return ask(s, ask_follow, f);
}

/* ---- stop ---- */

static void hold(struct session *s, bool now)
{
    uint64_t touched = 0;
    int rc = grange_hold(s->g, s->name, now, ASK_MS, &touched);
    s->hold_failed = rc != GRANGE_OK;
    if (rc == GRANGE_OK && now)
        s->n_stopped = touched;
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
        s->ended_at_stop = ended(&s->counts);
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
static enum err renew(struct session *s, struct fault *f)
{
    if (s->level > 0) {
        hold(s, s->stop_now_ms == MS_NEVER);
        return ERR_NONE;
    }
    if (s->halted) { /* to submit would make it active */
        hold(s, false);
        return ERR_NONE;
    }
    struct grange_submitted again;
    int rc = s->plan->resume
                 ? grange_resume(s->g, s->name, 0, SUBMIT_MS, &again)
                 : grange_submit(s->g, buf_text(&s->json), s->json.n, 0, SUBMIT_MS, &again);
    s->have_news = false; /* what it said before it heard this again does not count */
    if (rc == GRANGE_OK || rc == GRANGE_ERR_LOST || rc == GRANGE_ERR_TIMEOUT)
        return ERR_NONE; /* lost once more: `reconnected` will come once more */
    return fault_set(f, (enum err)rc, "%s", grange_message(s->g));
}

static enum err take_news(struct session *s, ms_t now, struct fault *f)
{
    for (;;) {
        struct grange_progress p;
        int rc = grange_next(s->g, 0, &p);
        if (rc == GRANGE_ERR_TIMEOUT)
            return ERR_NONE;
        if (rc == GRANGE_ERR_LOST) {
            if (!s->lost_ms && s->local.joined)
                display_say(&s->display, "the scheduler went away; waiting for it to come back");
            s->lost_ms = s->lost_ms ? s->lost_ms : now;
            return ERR_NONE;
        }
        if (rc != GRANGE_OK)
            return fault_set(f, (enum err)rc, "%s", grange_message(s->g));
        s->lost_ms = 0;
        s->news = p;
        s->counts = p.counts;
        s->have_news = true;
        if (p.state == GRANGE_HALTED || !p.reconnected)
            s->halted = p.state == GRANGE_HALTED || (s->halted && p.state == GRANGE_HELD);
        s->held_ms = p.state != GRANGE_HELD || p.reconnected ? 0 : s->held_ms ? s->held_ms : now;
        pace_add(&s->pace, now, ended(&p.counts), p.slots_busy, p.slots);
        enum err err = p.reconnected || s->hold_failed ? renew(s, f) : ERR_NONE;
        if (err)
            return err;
    }
}

/* Held by somebody else is over only when it stays so: a scheduler that has just come back holds
 * everything until it is told again. */
static bool is_over(const struct session *s, ms_t now)
{
    if (!s->have_news || s->news.counts.running > 0)
        return false;
    if (s->news.state == GRANGE_HELD && s->level == 0 && !s->halted)
        return s->held_ms && now - s->held_ms > HELD_MS && !s->lost_ms;
    return s->news.state != GRANGE_ACTIVE;
}

static void label(const struct session *s, uint64_t index, char *text, size_t bytes)
{
    if (index >= study_n_points(s->plan->study)) {
        snprintf(text, bytes, "point %" PRIu64, index);
        return;
    }
    struct point p;
    point_init(&p);
    struct buf b;
    buf_init(&b);
    study_point(s->plan->study, index, &p);
    study_point_label(s->plan->study, &p, &b);
    snprintf(text, bytes, "%s", buf_text(&b));
    buf_fini(&b);
    point_fini(&p);
}

static void show(struct session *s, ms_t now)
{
    if (now < display_due(&s->display))
        return;
    static struct progress_view v; /* large */
    v = (struct progress_view){ .name = s->name, .left_ms = -1, .rate = -1 };
    v.n = s->counts.n - s->counts.skipped;
    v.done = s->counts.done;
    v.failed = s->counts.failed;
    v.other = s->counts.cancelled + s->counts.quarantined;
    v.running = s->counts.running;
    v.left = s->counts.ready + s->counts.waiting;
    v.note = s->note[0] ? s->note : NULL;
    v.slots = s->have_news ? s->news.slots : s->control->slots;
    v.busy = s->news.slots_busy;
    v.rate = pace_rate(&s->pace, now);
    v.left_ms = pace_left_ms(&s->pace, now, v.left + v.running);
    v.use = pace_use(&s->pace);
    for (; v.n_slow < s->news.n_running && v.n_slow < PROGRESS_RUNNING_MAX; v.n_slow++) {
        struct progress_slow *slow = &v.slow[v.n_slow];
        label(s, s->news.running[v.n_slow].index, slow->label, sizeof slow->label);
        slow->elapsed_ms = s->news.running[v.n_slow].elapsed_ms;
    }
    display_show(&s->display, &v, now);
}

static enum err tend(struct session *s, struct fault *f)
{
    bool again = false;
    enum err err = local_tend(&s->local, &again, f);
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
    if (s->lost_ms && s->local.joined && now - s->lost_ms > LOST_MAX_MS)
        return fault_set(f, ERR_LOST, "the scheduler in %s went away and did not come back",
                         s->control->dir);
    if (s->lost_ms && now - s->lost_ms > SILENT_MAX_MS && local_kill_scheduler(&s->local)) {
        display_say(&s->display, "the scheduler does not answer any more; killing it");
        s->lost_ms = now; /* SIGCHLD starts it again */
    }
    bool nobody = s->local.joined && s->have_news && s->news.n_workers == 0;
    if (nobody && !s->said_no_worker && now - s->started_ms > NO_WORKER_MS) {
        s->said_no_worker = true;
        struct buf b;
        buf_init(&b);
        buf_adds(&b, "no worker is connected to this scheduler; start one: grange worker");
        cli_dir_flag(s->control->dir, &b);
        display_say(&s->display, buf_text(&b));
        buf_fini(&b);
    }
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
    s->since_ms = clock_wall_ms();
    display_open(&s->display, s->control->quiet, now);
    pace_init(&s->pace);
    s->signal_fd = signals_open();
    enum err err = ERR_NONE;
    if (!s->local.joined || s->control->slots_given)
        err = local_start_worker(&s->local, f);
    while (!err && !is_over(s, now) && s->level < 3 && now < s->give_up_ms) {
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
    return err;
}

/* ---- end ---- */

static void say_stopped(struct session *s)
{
    struct buf b;
    buf_init(&b);
    uint64_t after = ended_since(s, s->ended_at_stop);
    buf_adds(&b, "interrupted: ");
    progress_count(after, &b);
    buf_adds(&b, " finished after that, ");
    progress_count(s->n_stopped, &b);
    buf_adds(&b, " stopped (they will run again), ");
    progress_count(to_do(&s->counts), &b);
    buf_adds(&b, " left\n  resume with: ");
    summary_resume(s->control, s->name, &b);
    cli_say("%s", buf_text(&b));
    buf_fini(&b);
}

static void say_not_done(struct session *s)
{
    struct buf b;
    buf_init(&b);
    if (s->halted)
        buf_addf(&b, "halted by --halt at %" PRIu64 " failed %s", s->counts.failed,
                 s->counts.failed == 1 ? "point" : "points");
    else
        buf_adds(&b, "held by another command");
    buf_adds(&b, "; ");
    progress_count(to_do(&s->counts), &b);
    buf_adds(&b, to_do(&s->counts) == 1 ? " point left" : " points left");
    buf_adds(&b, "\n  go on with: ");
    summary_resume(s->control, s->name, &b);
    cli_say("%s", buf_text(&b));
    buf_fini(&b);
}

static int finish(struct session *s)
{
    bool all_ended = to_do(&s->counts) == 0;
    enum summary_end end = SUMMARY_ENDED;
    if (!all_ended)
        end = s->level ? SUMMARY_INTERRUPTED : s->halted ? SUMMARY_HALTED : SUMMARY_HELD;
    struct summary sum = {
        .control = s->control,
        .study = s->plan->study,
        .name = s->name,
        .end = end,
        .counts = s->counts,
        .ended_here = ended_since(s, s->ended_before),
        .since_ms = s->since_ms,
        .sum_before_us = s->sum_before_us,
        .wall_ms = s->started_ms ? clock_mono_ms() - s->started_ms : 0,
        .slots = s->have_news ? s->news.slots : 0,
    };
    sum.counts.reused = s->submitted.counts.reused; /* a scheduler that came later counts more */
    if (s->level < 3)
        summary_print(&sum);
    if (end == SUMMARY_INTERRUPTED) {
        say_stopped(s);
        return CLI_INTERRUPTED;
    }
    if (!all_ended)
        say_not_done(s);
    const struct grange_counts *c = &s->counts;
    return all_ended && c->failed + c->cancelled + c->quarantined == 0 ? CLI_OK : CLI_SOME_FAILED;
}

static int fail(struct session *s, const struct fault *f)
{
    int rc = cli_fail(f);
    if (!s->started_ms) {
        if (f->code == ERR_DISK_FULL)
            cli_say("there is no space left for %s; nothing was started", s->control->dir);
        return rc;
    }
    struct buf b;
    buf_init(&b);
    buf_adds(&b, f->code == ERR_DISK_FULL ? "make room, then go on with: " : "go on with: ");
    summary_resume(s->control, s->name, &b);
    cli_say("nothing that was recorded is lost\n  %s", buf_text(&b));
    buf_fini(&b);
    return rc == CLI_USAGE ? CLI_ERROR : rc;
}
