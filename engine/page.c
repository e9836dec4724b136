#include "engine/page.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct page *map(int fd)
{
    void *p = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return p == MAP_FAILED ? NULL : p;
}

struct page *page_make(int *fd)
{
    struct page *p = NULL;

    *fd = memfd_create("grange-engine", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return NULL;
    /* Its size is for ever: an engine that cuts it would be the worker's SIGBUS. */
    if (ftruncate(*fd, (off_t)sizeof *p) == 0 &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        p = map(*fd);
    if (!p) {
        int err = errno;
        close(*fd);
        *fd = -1;
        errno = err;
        return NULL;
    }
    p->ring_bytes = PAGE_RING_BYTES;
    p->magic = PAGE_MAGIC;
    return p;
}

struct page *page_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    struct page *p = map(fd);
    int err = errno;
    close(fd);
    if (p && (p->magic != PAGE_MAGIC || p->ring_bytes != PAGE_RING_BYTES)) {
        page_close(p);
        p = NULL;
        err = EINVAL;
    }
    errno = err;
    return p;
}

void page_close(struct page *p)
{
    if (p)
        munmap(p, sizeof *p);
}

/* --- calls --- */

static bool change(struct page *p, uint64_t call, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong(&p->calls[call % PAGE_CALLS], &from, to);
}

bool page_offer(struct page *p, uint64_t call)
{
    return change(p, call, PAGE_FREE, PAGE_OFFERED);
}

bool page_withdraw(struct page *p, uint64_t call)
{
    return change(p, call, PAGE_OFFERED, PAGE_WITHDRAWN);
}

void page_cancel(struct page *p, uint64_t call)
{
    change(p, call, PAGE_TAKEN, PAGE_CANCELLED);
}

bool page_begun(const struct page *p, uint64_t call)
{
    uint32_t state = atomic_load(&p->calls[call % PAGE_CALLS]);

    return state == PAGE_TAKEN || state == PAGE_CANCELLED;
}

bool page_take(struct page *p, uint64_t call)
{
    if (change(p, call, PAGE_OFFERED, PAGE_TAKEN))
        return true;
    atomic_store(&p->calls[call % PAGE_CALLS], PAGE_FREE);
    return false;
}

void page_done(struct page *p, uint64_t call)
{
    atomic_store_explicit(&p->calls[call % PAGE_CALLS], PAGE_FREE, memory_order_release);
}

bool page_cancelled(const struct page *p, uint64_t call)
{
    return atomic_load_explicit(&p->calls[call % PAGE_CALLS], memory_order_relaxed) ==
           PAGE_CANCELLED;
}

/* --- the ring --- */

static void copy_in(struct page *p, uint64_t at, const void *data, size_t n)
{
    size_t from = at % PAGE_RING_BYTES;
    size_t first = n < PAGE_RING_BYTES - from ? n : PAGE_RING_BYTES - from;

    memcpy(p->ring + from, data, first);
    if (n > first)
        memcpy(p->ring, (const char *)data + first, n - first);
}

bool page_put(struct page *p, const void *head, size_t head_bytes, const void *body,
              size_t body_bytes)
{
    uint64_t put = atomic_load_explicit(&p->put, memory_order_relaxed);
    uint64_t taken = atomic_load_explicit(&p->taken, memory_order_acquire);

    if (put - taken > PAGE_RING_BYTES || head_bytes + body_bytes > PAGE_RING_BYTES - (put - taken))
        return false;
    copy_in(p, put, head, head_bytes);
    if (body_bytes)
        copy_in(p, put + head_bytes, body, body_bytes);
    atomic_store_explicit(&p->put, put + head_bytes + body_bytes, memory_order_release);
    return true;
}

uint64_t page_waiting(const struct page *p, uint64_t taken)
{
    return atomic_load_explicit(&p->put, memory_order_acquire) - taken;
}

size_t page_peek(const struct page *p, uint64_t taken, void *to, size_t n)
{
    uint64_t have = page_waiting(p, taken);
    size_t from = taken % PAGE_RING_BYTES;

    if (n > have)
        n = (size_t)have;
    if (n > PAGE_RING_BYTES)
        n = PAGE_RING_BYTES;
    size_t first = n < PAGE_RING_BYTES - from ? n : PAGE_RING_BYTES - from;
    memcpy(to, p->ring + from, first);
    if (n > first)
        memcpy((char *)to + first, p->ring, n - first);
    return n;
}

void page_skip(struct page *p, uint64_t *taken, size_t n)
{
    *taken += n;
    atomic_store_explicit(&p->taken, *taken, memory_order_release);
}
