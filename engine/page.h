#ifndef GRANGE_ENGINE_PAGE_H
#define GRANGE_ENGINE_PAGE_H
/* page - memory that a worker shares with one engine, so that many short calls can be given at once
 * and still each is accounted for: which one runs, which did not begin, and the results of those
 * that ended, also when the engine dies the next moment. docs/engine.md says the same for engines
 * in other languages.
 *
 *     0      magic, ring_bytes
 *     64     put: bytes that the engine has put into the ring, ever
 *     128    taken: bytes that the worker has taken out, ever
 *     4096   PAGE_CALLS states, of call number n at n % PAGE_CALLS
 *     8192   the ring: frames, wrapped at its end
 *
 * A state goes free -> offered (worker) -> taken (engine, when it begins) -> free (engine, once its
 * result is in the ring or the pipe); or offered -> withdrawn (worker) -> free (engine, passing it
 * over). Both steps out of `offered` are compare-and-swap: exactly one side wins. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PAGE_MAGIC = 0x31677267, /* "grg1" */
    PAGE_CALLS = 1024,
    PAGE_WINDOW = 256, /* calls at an engine at once; the rest of the states is for withdrawn ones,
                          which it passes over when it gets there */
    PAGE_RING_BYTES = 1 << 20,
    PAGE_RING_FRAME_MAX = 64 << 10, /* a longer frame goes through the pipe */
};

enum page_call { PAGE_FREE, PAGE_OFFERED, PAGE_TAKEN, PAGE_WITHDRAWN, PAGE_CANCELLED };
/* PAGE_CANCELLED: taken, and its result is not wanted any more */

struct page {
    uint32_t magic, ring_bytes;
    uint8_t pad0[56];
    _Atomic uint64_t put;
    uint8_t pad1[56];
    _Atomic uint64_t taken;
    uint8_t pad2[4096 - 136];
    _Atomic uint32_t calls[PAGE_CALLS];
    uint8_t ring[PAGE_RING_BYTES];
};
_Static_assert(offsetof(struct page, put) == 64 && offsetof(struct page, taken) == 128, "");
_Static_assert(offsetof(struct page, calls) == 4096 && offsetof(struct page, ring) == 8192, "");

/* page_make - by the worker: anonymous memory behind a descriptor; NULL and errno. */
struct page *page_make(int *fd);
/* page_open - by the engine: the file that the worker named; NULL and errno. */
struct page *page_open(const char *path);
void page_close(struct page *p);

/* page_offer - by the worker, before the frame is sent; false: the engine has not passed the call
 * PAGE_CALLS before this one. */
bool page_offer(struct page *p, uint64_t call);
/* page_withdraw - by the worker; false: it has begun, and perhaps ended. */
bool page_withdraw(struct page *p, uint64_t call);
/* page_cancel - by the worker, of one that has begun. */
void page_cancel(struct page *p, uint64_t call);
/* page_begun - by the worker: it has begun and not ended. */
bool page_begun(const struct page *p, uint64_t call);

/* page_take - by the engine: false: withdrawn, pass it over. page_done: its result is out. */
bool page_take(struct page *p, uint64_t call);
void page_done(struct page *p, uint64_t call);
bool page_cancelled(const struct page *p, uint64_t call);

/* page_put - by the engine: a frame in two pieces; false when there is no room now. */
bool page_put(struct page *p, const void *head, size_t head_bytes, const void *body,
              size_t body_bytes);
/* By the worker, which counts itself what it has taken, because the engine can write anywhere.
 * page_waiting - bytes in the ring; more than PAGE_RING_BYTES: it is spoiled. page_peek - copies up
 * to n of them from the front without taking them; how many. page_skip - takes n. */
uint64_t page_waiting(const struct page *p, uint64_t taken);
size_t page_peek(const struct page *p, uint64_t taken, void *to, size_t n);
void page_skip(struct page *p, uint64_t *taken, size_t n);

#endif
