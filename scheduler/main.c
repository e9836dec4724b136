#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "farm/secret.h"
#include "scheduler/calls.h"
#include "scheduler/direct.h"
#include "scheduler/listen.h"
#include "scheduler/loop.h"
#include "scheduler/notify.h"

/* Who looks whether the lock is held (farm_held) holds it for a moment: 20 ms are many of those. */
enum { LOCK_TRIES = 10, LOCK_AGAIN_NS = 2000000 };

/* Takes DIR/lock, which says who holds it. Returns the descriptor, or -1. */
static int lock_directory(const struct scheduler_options *opt, struct fault *f)
{
    char path[PATH_MAX], who[128] = "";

    if (secret_home(opt->dir, f)) /* who can connect to the socket in it can run commands */
        return -1;
    snprintf(path, sizeof path, "%s/lock", opt->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        fault_set(f, ERR_PERMISSION, "cannot write to %s: %s", opt->dir, strerror(errno));
        return -1;
    }
    bool taken = false;
    for (int i = 0; i < LOCK_TRIES && !(taken = flock(fd, LOCK_EX | LOCK_NB) == 0); i++)
        nanosleep(&(struct timespec){ 0, LOCK_AGAIN_NS }, NULL);
    if (!taken) {
        ssize_t n = read(fd, who, sizeof who - 1);
        who[n > 0 ? n : 0] = '\0';
        who[strcspn(who, "\n")] = '\0';
        fault_set(f, ERR_BUSY, "%s is in use by another scheduler (%s)", opt->dir,
                  *who ? who : "it has just started");
        close(fd);
        return -1;
    }
    int n = snprintf(who, sizeof who, "%d %s\n", (int)getpid(), opt->owner ? opt->owner : "daemon");
    if (ftruncate(fd, 0) || pwrite(fd, who, (size_t)n, 0) != n) {
        fault_set(f, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "cannot write %s: %s", path,
                  strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static int signals_open(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum err store_start(struct scheduler *s, struct fault *f)
{
    struct core_config cfg;
    enum err err = store_open(s->opt->dir, (enum store_sync)s->opt->sync, &s->store, f);

    if (!err)
        err = store_epoch_raise(s->store, &s->epoch, f);
    if (!err)
        err = store_next(s->store, &s->next, f);
    if (err)
        return err;
    core_config_default(&cfg);
    cfg.seed = (uint64_t)clock_wall_ms() ^ s->epoch;
    cfg.epoch = s->epoch;
    cfg.next_worker = (worker_id){ s->next.worker };
    cfg.hold_all = s->opt->owner && strncmp(s->opt->owner, "run", 3) == 0;
    s->core = core_new(&cfg);
    blob_sweep(s);
    return restore(s, f);
}

static void pass_on(void *context, peer_id to, const struct message *m)
{
    send_message(context, to, m);
}

static void say_ready(int fd)
{
    if (fd < 0)
        return;
    ssize_t n = write(fd, "ready\n", 6);
    (void)n; /* who does not read it has gone, and the lifeline tells */
    close(fd);
}

static void scheduler_fini(struct scheduler *s)
{
    struct peer *p, *next;

    if (s->link) {
        link_flush(s->link);
        link_free(s->link);
    }
    HASH_ITER(hh, s->peers, p, next)
    {
        HASH_DELETE(hh, s->peers, p);
        free(p->specs);
        free(p);
    }
    loop_turn_end(s); /* of one that was cut off by an error */
    calls_table_free(s);
    direct_free(s->direct);
    core_free(s->core);
    store_close(s->store);
    outbox_fini(&s->out);
    free(s->loaded);
    free(s->messages);
    free(s->texts);
    free(s->views);
}

int scheduler_main(const struct scheduler_options *opt)
{
    struct scheduler s = { .opt = opt };
    struct fault f;

    mallopt(M_ARENA_MAX,
            2); /* nng's threads would keep an arena each: 98 MB instead of 22 in bulk */
    log_open("scheduler", opt->log_level, opt->log_path);
    s.signal_fd = signals_open();
    s.lock_fd = lock_directory(opt, &f);
    if (s.lock_fd < 0) {
        loop_die(&s, &f);
        return loop_exit_code(&f);
    }
    outbox_init(&s.out);
    s.now = clock_farm_ms();
    s.direct = direct_new(pass_on, &s);
    s.calls = calls_table_new();
    enum err err = store_start(&s, &f);
    if (!err)
        err = listen_start(&s, &f);
    int code = err ? loop_exit_code(&f) : loop_commit_and_send(&s);
    if (err)
        loop_die(&s, &f);
    if (!code) {
        log_info("event=start epoch=%u owner=\"%s\"", s.epoch, opt->owner ? opt->owner : "daemon");
        say_ready(opt->ready_fd);
        (void)notify_send("READY=1");
        code = loop_run(&s);
        (void)notify_send("STOPPING=1");
        log_info("event=end code=%d", code);
    }
    scheduler_fini(&s);
    close(s.signal_fd);
    close(s.lock_fd);
    return code;
}
