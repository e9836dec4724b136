#include "worker/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "worker/crew.h"
#include "worker/supervise.h"
#include "worker/tree.h"

enum { EVENTS_A_TURN = 256, LONELY_MS = 3000 };

static int worker_open(struct worker *w);
static void worker_close(struct worker *w);
static void turn(struct worker *w);
static int watch_fd(struct worker *w, int fd, enum source source);

int worker_run(const struct worker_options *opt)
{
    struct worker w = {
        .opt = opt, .epoll_fd = -1, .signal_fd = -1, .kept_fd = -1, .running = true
    };

    if (worker_open(&w) == 0) {
        worker_feed(&w, &(struct agent_event){ .kind = AGENT_TIMEOUT });
        while (w.running)
            turn(&w);
        link_flush(w.link);
    }
    worker_close(&w);
    return w.exit_code;
}

void worker_end(struct worker *w, int exit_code)
{
    w->running = false;
    w->exit_code = exit_code;
}

void worker_feed(struct worker *w, const struct agent_event *ev)
{
    agent_step(w->agent, w->now, ev, &w->acts);
}

struct attempt *worker_attempt(const struct worker *w, lease_id lease)
{
    struct known *k;

    HASH_FIND(hh, w->attempts, &lease, sizeof lease, k);
    return k ? k->attempt : NULL;
}

void leases_add(struct leases *l, lease_id id)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->ids = realloc(l->ids, l->cap * sizeof *l->ids);
        must(l->ids != NULL);
    }
    l->ids[l->n++] = id;
}

/* --- a turn --- */

static void read_pipe(struct worker *w, uint64_t tag)
{
    struct slot *slot = &w->slots[tag >> 33 & ((1u << SLOT_BITS) - 1)];

    if (slot->attempt && slot->generation == (uint32_t)tag)
        run_read(&slot->attempt->run, tag >> 32 & 1);
}

static struct slot *slot_of(struct worker *w, pid_t pid)
{
    for (uint32_t i = 0; i < w->n_slots; i++)
        if (w->slots[i].attempt && w->slots[i].attempt->run.pid == pid)
            return &w->slots[i];
    return NULL;
}

/* reap - every child that ended: points, and what they left behind, which came to us. */
static void reap(struct worker *w)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return;
        struct slot *slot = slot_of(w, info.si_pid);
        if (!slot) {
            if (crew_reap(w, info.si_pid))
                deeds_do(w);
            else
                waitpid(info.si_pid, NULL, 0);
            continue;
        }
        struct attempt *a = slot->attempt;
        slot->attempt = NULL;
        attempt_reap(a);
        leases_add(&w->ended, a->lease);
        worker_feed(w, &(struct agent_event){ .kind = AGENT_EXITED, .lease = a->lease });
        deeds_do(w); /* the next one starts before this one's result is made */
    }
}

/* stop - with a grace the first time, without one the second time, at once the third time. */
static void stop(struct worker *w, int sig)
{
    bool patient = sig != SIGHUP && !w->draining && w->opt->grace_ms > 0;

    if (w->asked++ > 0 && w->grace_over) {
        worker_end(w, WORKER_OK);
        return;
    }
    log_info("event=drain signal=%d grace_ms=%lld", sig,
             patient ? (long long)w->opt->grace_ms : 0LL);
    w->draining = true;
    w->grace_over = !patient;
    worker_feed(w, &(struct agent_event){ .kind = AGENT_DRAIN,
                                          .grace_ms = patient ? w->opt->grace_ms : 0 });
}

static void take_signals(struct worker *w)
{
    struct signalfd_siginfo info[8];
    ssize_t n;

    while ((n = read(w->signal_fd, info, sizeof info)) > 0) {
        for (size_t i = 0; i < (size_t)n / sizeof *info; i++)
            if (info[i].ssi_signo != SIGCHLD)
                stop(w, (int)info[i].ssi_signo);
        if ((size_t)n < sizeof info)
            break;
    }
    reap(w);
}

/* not_accepted - the handshake failed for good: trying again changes nothing. A worker that was
 * welcome before goes on trying, since what it runs is worth more than our guess. */
static void not_accepted(struct worker *w)
{
    char why[200];

    link_trouble(w->link, why, sizeof why);
    log_error("event=not_accepted text=\"%s\"", why);
    if (w->ever_welcomed)
        return;
    fprintf(stderr, "grange: %s%s\n", why, w->stale ? w->stale : "");
    worker_end(w, WORKER_REFUSED);
}

static void take_link(struct worker *w)
{
    struct link_event ev;

    while (w->running && link_take(w->link, &ev)) {
        switch (ev.kind) {
        case LINK_UP:
            w->peer = ev.peer;
            w->results.n = w->returned.n = w->bytes_out = 0;
            w->crew->changed = w->crew->shares_new = true;
            worker_feed(w, &(struct agent_event){ .kind = AGENT_UP });
            break;
        case LINK_GONE:
            if (ev.peer.n != w->peer.n)
                break;
            log_info("event=gone reason=\"%s\"", err_text((int)ev.reason));
            if (ev.reason == ERR_PERMISSION)
                not_accepted(w);
            w->peer = (peer_id){ 0 };
            w->welcomed = false;
            w->results.n = w->returned.n = w->bytes_out = 0;
            ticket_gone(w);
            ahead_lost(w);
            parcel_gone(w);
            streams_gone(w);
            worker_feed(w, &(struct agent_event){ .kind = AGENT_GONE });
            break;
        case LINK_FRAME:
            if (ev.peer.n == w->peer.n)
                inbox_take(w, ev.data, ev.n);
            break;
        }
        deeds_do(w);
    }
}

/* lifeline_gone - the supervisor is: nothing waits for us, and nobody else cleans up. */
static void lifeline_gone(struct worker *w)
{
    char byte;

    if (read(w->opt->lifeline_fd, &byte, 1) > 0)
        return;
    log_error("event=supervisor-gone");
    reaper_kill_all(0);
    _exit(128 + SIGKILL);
}

static void take_event(struct worker *w, const struct epoll_event *ev)
{
    switch ((enum source)(ev->data.u64 >> 56)) {
    case SOURCE_LINK:
        take_link(w);
        break;
    case SOURCE_SIGNAL:
        take_signals(w);
        break;
    case SOURCE_LIFELINE:
        lifeline_gone(w);
        break;
    case SOURCE_PIPE:
        read_pipe(w, ev->data.u64);
        break;
    case SOURCE_ENGINE:
    case SOURCE_ENGINE_ROOM:
    case SOURCE_ENGINE_PRINT:
        crew_event(w, ev->data.u64);
        break;
    }
    deeds_do(w);
}

static int time_left(const struct worker *w)
{
    ms_t at = agent_deadline(w->agent);
    int wait = crew_wait_ms(w);

    at = at < w->end_at ? at : w->end_at;
    at = at < dial_due(w) ? at : dial_due(w);
    at = at < w->lonely_at ? at : w->lonely_at;
    if (deeds_more(w) || at <= w->now)
        return 0;
    if (at == MS_NEVER || (wait >= 0 && wait < at - w->now))
        return wait;
    return at - w->now > INT32_MAX ? INT32_MAX : (int)(at - w->now);
}

/* The time that it was given is over: what runs is stopped, and runs elsewhere. */
static void end_in_time(struct worker *w)
{
    if (w->now < w->end_at)
        return;
    log_info("event=end_time");
    w->end_at = MS_NEVER;
    w->draining = w->grace_over = true;
    worker_feed(w, &(struct agent_event){ .kind = AGENT_DRAIN });
}

/* Who started it by hand and named the wrong place would wait in silence. */
static void say_lonely(struct worker *w)
{
    if (w->ever_welcomed)
        w->lonely_at = MS_NEVER;
    if (w->now < w->lonely_at)
        return;
    char why[200];
    link_trouble(w->link, why, sizeof why);
    log_error("event=no_scheduler at=\"%s\" text=\"nobody answers there; waiting\"%s%s%s",
              w->opt->url, *why ? " error=\"" : "", why, *why ? "\"" : "");
    w->lonely_at = MS_NEVER;
}

static void turn(struct worker *w)
{
    struct epoll_event events[EVENTS_A_TURN];
    int n = epoll_wait(w->epoll_fd, events, EVENTS_A_TURN, time_left(w));

    w->now = clock_mono_ms();
    for (int i = 0; i < n && w->running; i++)
        take_event(w, &events[i]);
    end_in_time(w);
    say_lonely(w);
    crew_look(w);
    deeds_do(w);
    if (w->running && agent_deadline(w->agent) <= w->now) {
        worker_feed(w, &(struct agent_event){ .kind = AGENT_TIMEOUT });
        deeds_do(w);
    }
    if (dial_again(w))
        must(watch_fd(w, link_fd(w->link), SOURCE_LINK) == 0);
    crew_flush(w);
    crew_tell(w);
    said_tell(w);
    deeds_send(w);
    link_flush(w->link);
}

/* --- beginning and end --- */

static int trouble(struct worker *w, const char *what, int err)
{
    fprintf(stderr, "grange: worker: %s: %s\n", what, strerror(err));
    w->exit_code = WORKER_TROUBLE;
    return -1;
}

static int watch_fd(struct worker *w, int fd, enum source source)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = (uint64_t)source << 56 };

    return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static uint32_t cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

static void describe(struct worker *w)
{
    struct sysinfo info;

    gethostname(w->host, sizeof w->host - 1);
    /* Two workers of one host are two: only a name that was given says that one replaces the other.
     */
    if (w->opt->name)
        snprintf(w->name, sizeof w->name, "%s", w->opt->name);
    else
        snprintf(w->name, sizeof w->name, "%.80s-%d", w->host, (int)getpid());
    w->n_slots = w->opt->slots ? w->opt->slots : cores();
    if (w->n_slots > SLOTS_MAX)
        w->n_slots = SLOTS_MAX;
    w->memory_mib = w->opt->memory_mib;
    if (!w->memory_mib && sysinfo(&info) == 0)
        w->memory_mib = ((uint64_t)info.totalram * info.mem_unit) >> 20;
    struct fault f;
    if (offer_parse(&w->offer, w->opt->labels, w->opt->resources, &f)) /* checked by the verb */
        log_error("event=offer error=\"%s\"", f.text);
    while (w->instance == 0)
        if (getrandom(&w->instance, sizeof w->instance, 0) != (ssize_t)sizeof w->instance)
            w->instance = clock_mono_us() << 20 ^ (uint64_t)getpid();
}

static int open_signals(struct worker *w)
{
    sigset_t mask;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, NULL); /* before the threads of the link start */
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    w->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (w->epoll_fd < 0 || w->signal_fd < 0 || watch_fd(w, w->signal_fd, SOURCE_SIGNAL) != 0)
        return trouble(w, "cannot wait for signals", errno);
    if (w->opt->ready_fd >= 0)
        fcntl(w->opt->ready_fd, F_SETFD, FD_CLOEXEC);
    if (w->opt->lifeline_fd >= 0) {
        fcntl(w->opt->lifeline_fd, F_SETFD, FD_CLOEXEC);
        if (watch_fd(w, w->opt->lifeline_fd, SOURCE_LIFELINE) != 0)
            return trouble(w, "the lifeline", errno);
    }
    return 0;
}

static int worker_open(struct worker *w)
{
    struct agent_config cfg;
    struct fault fault;

    w->now = clock_mono_ms();
    w->end_at = w->opt->end_ms ? w->now + w->opt->end_ms - clock_wall_ms() : MS_NEVER;
    describe(w);
    reaper_become();
    if (open_signals(w) != 0 || place_open(w) != 0)
        return -1;
    agent_config_default(&cfg);
    cfg.orphan_after_ms = clock_patience_ms(cfg.orphan_after_ms);
    cfg.engine_hello_ms = clock_patience_ms(cfg.engine_hello_ms);

    cfg.slots = w->n_slots;
    cfg.memory_mib = w->memory_mib;
    for (size_t i = 0; i < w->offer.n_resources; i++)
        cfg.amount[i] = w->offer.resources[i].amount;
    if (dial_open(w, &fault)) { /* before there are children, which are told where it is */
        fprintf(stderr, "grange: %s\n", fault.text);
        w->exit_code = WORKER_TROUBLE;
        return -1;
    }
    crew_open(w);
    cfg.engines = w->crew->n;
    w->agent = agent_new(&cfg);
    acts_init(&w->acts);
    w->payloads = payloads_new();
    w->slots = calloc(w->n_slots, sizeof *w->slots);
    w->held_cap = 2 * ((size_t)GRANTS_MAX + w->n_slots);
    w->held = malloc(w->held_cap * sizeof *w->held);
    must(w->slots != NULL && w->held != NULL);
    if (watch_fd(w, link_fd(w->link), SOURCE_LINK) != 0)
        return trouble(w, "cannot wait for the connection", errno);
    w->lonely_at = w->now + LONELY_MS;
    log_info("event=start name=%s slots=%u memory_mib=%llu dir=%s", w->name, w->n_slots,
             (unsigned long long)w->memory_mib, w->place.dir);
    return 0;
}

static void free_attempts(struct worker *w)
{
    struct known *k, *next;

    HASH_ITER(hh, w->attempts, k, next)
    {
        run_signal(&k->attempt->run, SIGKILL);
        attempt_free(k->attempt);
        HASH_DEL(w->attempts, k);
        free(k);
    }
}

static void worker_close(struct worker *w)
{
    log_info("event=end code=%d", w->exit_code);
    crew_close(w);
    free_attempts(w);
    reaper_kill_all(0);
    if (w->link)
        link_free(w->link);
    place_close(w);
    free(w->stale);
    agent_free(w->agent);
    acts_fini(&w->acts);
    order_drop_all(w);
    payloads_free(w->payloads);
    free(w->slots);
    free(w->held);
    free(w->ended.ids);
    free(w->results.ids);
    free(w->returned.ids);
    if (w->signal_fd >= 0)
        close(w->signal_fd);
    if (w->epoll_fd >= 0)
        close(w->epoll_fd);
}
