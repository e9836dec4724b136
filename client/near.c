#include "client/near.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/spare.h"
#include "client/direct.h"
#include "client/session.h"

enum {
    OFFERED_MAX = 256 << 20, /* bytes of payloads in files of a connection; beyond, each waits for
                                its turn at its worker */
    LARGE_PAGE = 2 << 20,    /* of x86; elsewhere only an alignment */
    LARGE_FROM = 4 * LARGE_PAGE,
};

/* declined - an engine whose worker cannot reach our files. */
struct declined {
    uint64_t engine;
    UT_hash_handle hh;
};

/* ---- copying, with more than one core when it is much */

enum { SHARES_MAX = 4, SHARE_MIN = 2 << 20 };

struct share {
    int fd;
    char *data;
    size_t n;
    uint64_t at;
    bool out, done;
};

static void *move_share(void *arg)
{
    struct share *s = arg;

    s->done = s->out ? shared_write(s->fd, s->data, s->n, s->at)
                     : shared_read(s->fd, s->data, s->n, s->at);
    return NULL;
}

/* start - a thread for it, which gets no signals: they are the program's. */
static bool start(pthread_t *thread, struct share *s)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(thread, NULL, move_share, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0;
}

static size_t shares_of(size_t n)
{
    static _Atomic long cores;

    if (!cores)
        cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cores < 1 ? 1 : cores < SHARES_MAX ? (size_t)cores : SHARES_MAX;
    size_t k = n / SHARE_MIN;
    return k < 1 ? 1 : k < most ? k : most;
}

/* move - n bytes of the file from `at` on; out: into it. */
static bool move(int fd, char *data, size_t n, uint64_t at, bool out)
{
    struct share shares[SHARES_MAX];
    pthread_t threads[SHARES_MAX];
    bool started[SHARES_MAX] = { false }, done = true;
    size_t k = shares_of(n);

    for (size_t i = 0; i < k; i++) {
        size_t from = n / k * i, to = i + 1 < k ? n / k * (i + 1) : n;
        shares[i] = (struct share){ fd, data + from, to - from, at + from, out, false };
        started[i] = i > 0 && start(&threads[i], &shares[i]);
    }
    for (size_t i = 0; i < k; i++)
        if (!started[i])
            move_share(&shares[i]);
    for (size_t i = 0; i < k; i++) {
        if (started[i])
            pthread_join(threads[i], NULL);
        done = done && shares[i].done;
    }
    return done;
}

void near_open(struct directs *ds, const char *url)
{
    const char *path = strncmp(url, "ipc://", 6) == 0 ? url + 6 : NULL;
    const char *end = path ? strrchr(path, '/') : NULL;

    if (!end)
        return;
    ds->machine = machine_id();
    ds->place = strndup(path, end > path ? (size_t)(end - path) : 1);
    must(ds->place != NULL);
}

void near_fini(struct directs *ds)
{
    struct declined *one, *next;

    HASH_ITER(hh, ds->declined, one, next)
    {
        HASH_DEL(ds->declined, one);
        free(one);
    }
    free(ds->place);
}

/* ---- payloads */

static bool has_declined(const struct directs *ds, uint64_t engine)
{
    struct declined *one;

    HASH_FIND(hh, ds->declined, &engine, sizeof engine, one);
    return one != NULL;
}

/* offer - a file with a payload. */
struct offer {
    struct directs *ds;
    const char *data;
    size_t bytes;
    unsigned n_users; /* ops, and a handle that has several of them read it */
    bool named;       /* it has to have a name as long as it is offered: several link it */
    int fd;           /* -1: it was not written */
    char *path;       /* its name, which is ours to unlink; NULL: it has none */
};

static void let_go(struct offer **at)
{
    struct offer *o = *at;

    *at = NULL;
    if (!o || --o->n_users)
        return;
    if (o->fd >= 0)
        close(o->fd);
    if (o->path)
        unlink(o->path);
    o->ds->bytes_offered -= o->bytes;
    free(o->path);
    free(o);
}

/* claim - an offer of the payload of op, if it may be offered. One alone may have any length. */
static struct offer *claim(struct op *op)
{
    struct grange_direct *d = op->d;
    struct directs *ds = &d->g->directs;

    if (!ds->machine || op->bytes <= INLINE_BYTES_MAX || has_declined(ds, op->engine))
        return NULL;
    struct offer *o = d->offer;
    if (!o) {
        if (ds->bytes_offered && ds->bytes_offered + op->bytes > OFFERED_MAX)
            return NULL;
        o = calloc(1, sizeof *o);
        must(o != NULL);
        o->ds = ds;
        o->data = op->data;
        o->bytes = op->bytes;
        o->fd = -1;
        ds->bytes_offered += op->bytes;
        if (d->op == DIRECT_CALL && d->n > 1) { /* what is called only reads it */
            d->offer = o;
            o->named = true;
            o->n_users++;
        }
    }
    o->n_users++;
    return o;
}

/* open_file - one that is not used any more, or a new one. */
static int open_file(struct offer *o)
{
    char dir[PATH_MAX], path[PATH_MAX];

    spare_path(o->ds->place, dir, sizeof dir);
    int fd = spare_take(dir, o->bytes, path, sizeof path);
    if (fd < 0 && !o->named)
        return open(o->ds->place, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        fd = spare_make(dir, path, sizeof path);
    if (fd < 0)
        return -1;
    o->path = strdup(path);
    must(o->path != NULL);
    return fd;
}

/* write_offer - needs no lock. */
static void write_offer(struct offer *o)
{
    if (o->fd >= 0)
        return;
    int fd = open_file(o);
    if (fd >= 0 && move(fd, (char *)o->data, o->bytes, 0, true))
        o->fd = fd;
    else if (fd >= 0)
        close(fd);
}

void near_write(struct grange_direct *d)
{
    struct grange *g = d->g;
    bool any = false;

    for (size_t i = 0; i < d->n; i++) {
        d->ops[i].offer = claim(&d->ops[i]);
        any = any || d->ops[i].offer;
    }
    if (!any)
        return;
    session_leave(g, 0);
    for (size_t i = 0; i < d->n; i++)
        if (d->ops[i].offer)
            write_offer(d->ops[i].offer);
    session_enter(g);
}

bool near_offer(struct op *op, char *path, size_t n, struct shared_file *file)
{
    if (!op->offer && (op->offer = claim(op)) != NULL)
        write_offer(op->offer);
    if (!op->offer)
        return false;
    snprintf(path, n, "/proc/%d/fd/%d", (int)getpid(), op->offer->fd);
    if (shared_of(op->offer->fd, path, file)) /* not one that could not be written */
        return true;
    let_go(&op->offer);
    return false;
}

void near_withdraw(struct op *op, bool declined)
{
    struct directs *ds = &op->d->g->directs;

    if (!op->offer)
        return;
    let_go(&op->offer);
    if (!declined || has_declined(ds, op->engine))
        return;
    struct declined *one = calloc(1, sizeof *one);
    must(one != NULL);
    one->engine = op->engine;
    HASH_ADD(hh, ds->declined, engine, sizeof one->engine, one);
}

void near_fini_offer(struct grange_direct *d)
{
    let_go(&d->offer);
}

bool near_fill(struct op *op, const struct shared_file *file)
{
    struct message m = { .kind = MSG_DIRECT };
    int fd = op->parts ? shared_open(file, true) : -1;

    if (fd < 0)
        return false;
    bool done = move(fd, (char *)op->data + op->sent, op->bytes - op->sent, op->sent, true);
    close(fd);
    if (!done) /* no room there: the worker finds that out as well */
        return false;
    m.direct.ticket = op->ticket;
    m.direct.engine = op->engine;
    m.direct.op = op->d->op;
    m.direct.name = "";
    m.direct.filled = op->bytes;
    op->parts = false;
    session_send(op->d->g, &m);
    return true;
}

/* ---- results */

/* A large result touches its pages once; in large pages that costs a tenth. */
char *near_room(size_t n)
{
    char *room;

    if (n < LARGE_FROM) {
        room = malloc(n + 1);
    } else {
        size_t whole = (n / LARGE_PAGE + 1) * LARGE_PAGE;
        room = aligned_alloc(LARGE_PAGE, whole);
        if (room)
            madvise(room, whole, MADV_HUGEPAGE); /* where there are any */
    }
    must(room != NULL);
    return room;
}

bool near_fetch(const struct shared_file *file, char *to, size_t n)
{
    int fd = shared_open(file, false);

    if (fd < 0)
        return false;
    bool done = move(fd, to, n, file->offset, false);
    close(fd);
    return done;
}
