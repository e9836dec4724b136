#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/must.h"
#include "worker/run.h"
#include "worker/tree.h"

enum {
    READ_BYTES = 256 * 1024, /* four times what a pipe holds by default: one read empties it */
    DRAIN_BYTES = 1 << 20, /* /proc/sys/fs/pipe-max-size: no pipe holds more at its writer's end */
};
static char buffer[READ_BYTES]; /* the worker reads on one thread */

static void take(struct capture *c, const char *data, size_t n);
static void spill(struct capture *c, const char *data, size_t n);

void capture_init(struct capture *c)
{
    *c = (struct capture){ .fd = -1, .epoll_fd = -1, .spill_fd = -1 };
}

void capture_open(struct capture *c, int fd, int epoll_fd, uint64_t tag, const char *spill_path)
{
    c->fd = fd;
    c->epoll_fd = epoll_fd;
    must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    if (spill_path) {
        c->spill_path = strdup(spill_path);
        must(c->spill_path != NULL);
    }
    if (epoll_fd >= 0) {
        struct epoll_event ev = { .events = EPOLLIN, .data.u64 = tag };
        must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0);
    }
}

/* close_pipe - leaves epoll first: a child between vfork and exec may hold the same pipe, and then
 * close alone would leave it registered. */
static void close_pipe(struct capture *c)
{
    if (c->fd < 0)
        return;
    if (c->epoll_fd >= 0)
        epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    c->fd = -1;
}

bool capture_read(struct capture *c, size_t *n)
{
    *n = 0;
    if (c->fd < 0)
        return false;
    ssize_t got = read(c->fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0) {
        close_pipe(c);
        return false;
    }
    *n = (size_t)got;
    take(c, buffer, *n);
    return true;
}

void capture_drain(struct capture *c)
{
    size_t n, sum = 0;

    while (sum < DRAIN_BYTES && capture_read(c, &n) && n > 0)
        sum += n;
    close_pipe(c);
    if (c->spill_fd >= 0) {
        close(c->spill_fd);
        c->spill_fd = -1;
    }
}

void capture_fini(struct capture *c)
{
    close_pipe(c);
    if (c->spill_fd >= 0)
        close(c->spill_fd);
    buf_fini(&c->head);
    free(c->spill_path);
    capture_init(c);
}

static void take(struct capture *c, const char *data, size_t n)
{
    size_t room = OUTPUT_STORE_MAX - c->head.n;

    if (n > room || c->total > OUTPUT_STORE_MAX)
        spill(c, data, n);
    if (room > 0)
        buf_add(&c->head, data, n < room ? n : room);
    c->total += n;
}

static bool write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, data, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        data += put;
        n -= (size_t)put;
    }
    return true;
}

static void spill_give_up(struct capture *c)
{
    c->spill_failed = true;
    c->spilled = 0;
    if (c->spill_fd >= 0) {
        close(c->spill_fd);
        unlink(c->spill_path);
        c->spill_fd = -1;
    }
}

/* spill_begin - the file starts with what is in memory already. */
static bool spill_begin(struct capture *c)
{
    if (!c->spill_path || tree_make_parent(c->spill_path) != 0)
        return false;
    c->spill_fd = open(c->spill_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (c->spill_fd < 0 || !write_all(c->spill_fd, buf_text(&c->head), c->head.n))
        return false;
    c->spilled = c->head.n;
    return true;
}

static void spill(struct capture *c, const char *data, size_t n)
{
    if (c->spill_failed)
        return;
    if (c->spill_fd < 0 && !spill_begin(c)) {
        spill_give_up(c);
        return;
    }
    uint64_t room = OUTPUT_FILE_MAX - c->spilled;
    size_t part = n < room ? n : (size_t)room;
    if (part > 0 && !write_all(c->spill_fd, data, part))
        spill_give_up(c);
    else
        c->spilled += part;
}
