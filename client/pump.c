#include "client/pump.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "client/session.h"

enum { POLL_MAX_MS = 60000, PAUSE_MS = 20 };

static void *run(void *arg);

void pump_init(struct pump *p)
{
    pthread_condattr_t attr;

    *p = (struct pump){ .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    must(p->wake_fd >= 0);
    must(pthread_condattr_init(&attr) == 0);
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    must(pthread_cond_init(&p->changed, &attr) == 0);
    must(pthread_cond_init(&p->idle, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

void pump_fini(struct pump *p)
{
    pthread_cond_destroy(&p->changed);
    pthread_cond_destroy(&p->idle);
    close(p->wake_fd);
}

/* wait_on - gives up the lock until someone signals c or `until` passes. */
static void wait_on(struct grange *g, pthread_cond_t *c, ms_t until)
{
    ms_t most = clock_mono_ms() + POLL_MAX_MS;

    until = until < most ? until : most;
    pthread_cond_timedwait(c, &g->lock, &(struct timespec){ until / 1000, until % 1000 * 1000000 });
}

static bool is_ours(const struct pump *p)
{
    return p->has_thread && pthread_equal(p->thread, pthread_self());
}

bool pump_in_callback(const struct grange *g)
{
    const struct pump *p = &g->pump;

    return p->in_callbacks && pthread_equal(p->callback_thread, pthread_self());
}

void pump_callbacks(struct grange *g)
{
    struct pump *p = &g->pump;
    struct callback c;

    if (p->in_callbacks)
        return;
    p->in_callbacks = true;
    p->callback_thread = pthread_self();
    while (calls_next_callback(g, &c)) {
        struct grange_future_progress progress;
        if (c.on_progress && !progress_call(g, c.future, &progress))
            continue;
        pthread_mutex_unlock(&g->lock);
        if (c.on_progress)
            c.on_progress(g, c.future, &progress, c.context);
        else if (c.on_direct)
            c.on_direct(g, c.direct, c.context);
        else if (c.fn)
            c.fn(g, c.future, c.context);
        pthread_mutex_lock(&g->lock);
    }
    p->in_callbacks = false;
}

/* look - one turn of the one who leads: what is here, or else what comes before `until`. */
static void look(struct grange *g, ms_t until, uint64_t lead)
{
    struct pump *p = &g->pump;
    ms_t now = clock_mono_ms();

    session_beat(g, now);
    session_refresh(g, now);
    calls_flush(g);
    if (session_take(g, now) || session_silent(g, now))
        return;
    until = session_due(g, until);
    struct pollfd fds[] = { { .fd = link_fd(g->link), .events = POLLIN },
                            { .fd = p->wake_fd, .events = POLLIN } };
    if (until > now) {
        pthread_mutex_unlock(&g->lock);
        poll(fds, is_ours(p) ? 2 : 1, until - now < POLL_MAX_MS ? (int)(until - now) : POLL_MAX_MS);
        pthread_mutex_lock(&g->lock);
    }
    if (p->lead == lead)
        session_take(g, clock_mono_ms());
}

/* follow - until the one who leads says that something changed. */
static void follow(struct grange *g, ms_t until)
{
    g->pump.n_waiting++;
    wait_on(g, &g->pump.changed, until);
    g->pump.n_waiting--;
}

void pump_pause(struct grange *g)
{
    follow(g, clock_mono_ms() + PAUSE_MS);
}

void pump_turn(struct grange *g, ms_t until)
{
    struct pump *p = &g->pump;
    bool ours = is_ours(p);

    if (p->lead && (ours || !p->lead_is_ours)) {
        calls_flush(g);
        follow(g, until);
        return;
    }
    uint64_t lead = p->lead = ++p->leads;
    p->lead_is_ours = ours;
    p->since_ms = clock_mono_ms();
    look(g, until, lead);
    if (p->lead == lead)
        p->lead = 0;
    if (!ours) {
        p->led_ms = clock_mono_ms();
        if (p->parked)
            pthread_cond_signal(&p->idle);
        p->parked = false;
    }
    directs_read(g);
    pump_callbacks(g);
    pump_wake(g);
}

void pump_wake(struct grange *g)
{
    if (g->pump.has_thread)
        session_mark_news(g);
    if (g->pump.n_waiting)
        pthread_cond_broadcast(&g->pump.changed);
}

/* ---- the library's thread */

void pump_start(struct grange *g)
{
    sigset_t all, before;

    if (g->pump.has_thread)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the program's */
    must(pthread_create(&g->pump.thread, NULL, run, g) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    g->pump.has_thread = true;
}

void pump_stop(struct grange *g)
{
    uint64_t one = 1;

    pthread_mutex_lock(&g->lock);
    bool has_thread = g->pump.has_thread;
    g->pump.closing = true;
    pthread_cond_signal(&g->pump.idle);
    pthread_mutex_unlock(&g->lock);
    if (!has_thread)
        return;
    must(write(g->pump.wake_fd, &one, sizeof one) == sizeof one);
    pthread_join(g->pump.thread, NULL);
    g->pump.has_thread = false;
}

static void *run(void *arg)
{
    struct grange *g = arg;
    struct pump *p = &g->pump;

    pthread_mutex_lock(&g->lock);
    while (!p->closing) {
        ms_t now = clock_mono_ms();
        if (p->lead && now - p->since_ms >= IDLE_MS) {
            p->parked = true; /* a caller waits for long: it wakes us when it leaves */
            wait_on(g, &p->idle, MS_NEVER);
        } else if (p->lead || now - p->led_ms < IDLE_MS) {
            wait_on(g, &p->idle, now + IDLE_MS);
        } else {
            pump_turn(g, MS_NEVER);
        }
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}
