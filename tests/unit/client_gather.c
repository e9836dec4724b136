/* client_gather - values of engines gathered into memory that the caller has. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "client/session.h"
#include "client_engines_fake.h"

enum { LONG = 3 << 20, UNTOUCHED = '~' };

static char to[LONG + 1];
static size_t bytes;

static void setup(void)
{
    engines_setup();
    memset(to, UNTOUCHED, sizeof to);
    bytes = SIZE_MAX;
}

TestSuite(client_gather, .init = setup, .fini = engines_teardown, .timeout = 120);

static void scatter(const void *data, size_t n)
{
    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", data, n, 1, LONG_MS), GRANGE_OK);
}

static int into(size_t room)
{
    return grange_gather_into(g, all, ENGINES, "x", LONG_MS, to, room, &bytes);
}

/* untouched - nothing was written to `to` from `n` on. */
static bool untouched(size_t n)
{
    for (; n < sizeof to; n++) {
        if (to[n] != UNTOUCHED)
            return false;
    }
    return true;
}

/* still_answers - after what was given up. */
static void still_answers(void)
{
    char one[1];

    cr_assert_eq(grange_scatter(g, all, 1, "y", "!", 1, 1, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_gather_into(g, all, 1, "y", LONG_MS, one, 1, &bytes), GRANGE_OK);
    cr_expect(*one == '!');
}

Test(client_gather, values_are_put_where_the_caller_wants_them)
{
    scatter("0123456789", 10);
    cr_assert_eq(into(10), GRANGE_OK);
    cr_expect_eq(bytes, 10);
    cr_expect(memcmp(to, "0123456789", 10) == 0);
    cr_expect(untouched(10));
    cr_assert_eq(into(sizeof to), GRANGE_OK);
    cr_expect_eq(bytes, 10, "of more room only what is needed");
    cr_expect(untouched(10));
}

static void long_values(void)
{
    char *data = pattern(LONG);

    scatter(data, LONG);
    cr_assert_eq(into(LONG), GRANGE_OK);
    cr_expect_eq(bytes, LONG);
    cr_expect(memcmp(to, data, LONG) == 0);
    cr_expect(untouched(LONG));
    free(data);
}

Test(client_gather, long_values_in_parts)
{
    long_values();
}

Test(client_gather, long_values_out_of_files)
{
    fake.files = true;
    long_values();
    engines_asked();
    cr_expect_eq((unsigned)fake.n_read, ENGINES);
}

/* ---- what does not fit */

static void does_not_fit(size_t n)
{
    char *data = pattern(n), text[100];

    scatter(data, n);
    cr_assert_eq(into(n - 1), GRANGE_ERR_LIMIT);
    snprintf(text, sizeof text, "the values have %zu bytes, there is room for %zu", n, n - 1);
    cr_expect_str_eq(grange_message(g), text);
    cr_expect_eq(bytes, n);
    cr_expect(untouched(0));
    bytes = 0;
    cr_assert_eq(grange_gather_into(g, all, ENGINES, "x", LONG_MS, NULL, 0, &bytes),
                 GRANGE_ERR_LIMIT);
    cr_expect_eq(bytes, n);
    still_answers();
    free(data);
}

Test(client_gather, no_room_for_short_values)
{
    does_not_fit(10);
}

Test(client_gather, no_room_for_long_values_none_of_which_comes)
{
    does_not_fit(LONG);
    cr_expect_eq((unsigned)fake.n_begun, 0);
    cr_expect_eq((unsigned)fake.n_cancelled, 2 * ENGINES);
}

Test(client_gather, no_room_for_long_values_in_files)
{
    fake.files = true;
    does_not_fit(LONG);
    engines_asked();
    cr_expect_eq((unsigned)fake.n_read, 0);
}

/* Of more engines than there are tickets the values are copied once all are there. */
Test(client_gather, more_than_are_gathered_at_once)
{
    enum { MANY = DIRECT_TICKETS_MAX + 1 };
    static uint64_t engines[MANY];

    scatter("abcd", ENGINES);
    for (size_t i = 0; i < MANY; i++)
        engines[i] = i % ENGINES;
    for (int k = 0; k < 2; k++) {
        char *at = k ? to : NULL;
        cr_assert_eq(
            grange_gather_into(g, engines, MANY, "x", LONG_MS, at, k ? MANY - 1 : 0, &bytes),
            GRANGE_ERR_LIMIT);
        cr_expect_eq(bytes, MANY);
    }
    cr_expect(untouched(0));
    cr_assert_eq(grange_gather_into(g, engines, MANY, "x", LONG_MS, to, MANY, &bytes), GRANGE_OK);
    cr_expect_eq(bytes, MANY);
    for (size_t i = 0; i < MANY; i++)
        cr_assert(to[i] == "abcd"[i % ENGINES]);
    cr_expect(untouched(MANY));
}

Test(client_gather, nothing_of_nobody)
{
    cr_expect_eq(grange_gather_into(g, NULL, 0, "x", LONG_MS, NULL, 0, &bytes), GRANGE_OK);
    cr_expect_eq(bytes, 0);
}

/* ---- what fails */

Test(client_gather, a_value_that_is_not_there)
{
    struct grange_direct *d;

    scatter("0123456789", 10);
    cr_assert_eq(grange_direct_drop(g, &all[1], 1, "x", &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    grange_direct_free(d);
    cr_expect_eq(into(0), GRANGE_ERR_NOT_FOUND, "the reason, not that there is no room");
    cr_expect_eq(bytes, 0);
    bytes = 1;
    cr_expect_eq(into(sizeof to), GRANGE_ERR_NOT_FOUND);
    cr_expect_eq(bytes, 0);
    bytes = 1;
    cr_expect_eq(grange_gather_into(g, all, ENGINES, "", LONG_MS, to, 1, &bytes), GRANGE_ERR_USAGE);
    cr_expect_eq(bytes, 0);
}

/* Parts that come after its end of patience find no place. */
Test(client_gather, who_gives_up_is_not_written_to)
{
    char *data = pattern(LONG);

    scatter(data, LONG);
    fake.stuck_streams = true;
    cr_expect_eq(grange_gather_into(g, all, ENGINES, "x", 1, to, LONG, &bytes), GRANGE_ERR_TIMEOUT);
    cr_expect_eq(bytes, 0);
    fake.stuck_streams = false;
    still_answers();
    cr_expect(untouched(0));
    free(data);
}

static sem_t over;

static void gather(struct grange *of, struct grange_direct *d, void *context)
{
    (void)of, (void)d, (void)context;
    cr_expect_eq(into(sizeof to), GRANGE_ERR_STATE);
    cr_expect_eq(bytes, 0);
    sem_post(&over);
}

Test(client_gather, a_callback_cannot_wait_for_it)
{
    struct grange_direct *d;

    scatter("0123456789", 10);
    must(sem_init(&over, 0, 0) == 0);
    cr_assert_eq(grange_direct_call(g, all, 1, "echo", "x", 1, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_on_end(d, gather, NULL), GRANGE_OK);
    must(sem_wait(&over) == 0);
    grange_direct_free(d);
    still_answers();
}

/* ---- another thread reads for it: the one that leads (client/pump.h) */

static pthread_t reader, gatherer;
static _Atomic bool has_reader, was_read, watched, returned;
static _Atomic unsigned n_looks; /* of the one who gathers at the clock, once it could give up */

int clock_gettime(clockid_t id, struct timespec *t)
{
    if (watched && pthread_equal(pthread_self(), gatherer))
        n_looks++;
    return (int)syscall(SYS_clock_gettime, id, t);
}

static bool has_ended(struct grange_direct *d)
{
    session_enter(g);
    bool ended = d->n_ended == d->n;
    session_leave(g, 0);
    return ended;
}

/* pread - that of the C library; the first one of the reader lasts until who gathers waits for it,
 * or has not waited. */
ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
    if (has_reader && pthread_equal(pthread_self(), reader) && !was_read) {
        was_read = true;
        engines_stop();
        while (!has_ended(g->directs.all->prev)) /* the latest */
            sched_yield();
        watched = true;
        while (!returned && n_looks < 20)
            sched_yield();
        cr_expect(!returned, "its memory is still written to");
    }
    return syscall(SYS_pread64, fd, buf, n, at);
}

static void *lead(void *arg)
{
    reader = pthread_self();
    has_reader = true;
    sem_post(&over);
    cr_expect_eq(grange_direct_wait(arg, LONG_MS), GRANGE_ERR_LOST);
    return NULL;
}

Test(client_gather, who_gives_up_waits_for_what_is_being_read)
{
    char *data = pattern(LONG);
    struct grange_direct *d;
    pthread_t thread;

    fake.files = true;
    scatter(data, LONG);
    must(sem_init(&over, 0, 0) == 0);
    cr_assert_eq(grange_direct_call(g, all, 1, "hold", "x", 1, &d), GRANGE_OK);
    must(pthread_create(&thread, NULL, lead, d) == 0);
    must(sem_wait(&over) == 0);
    gatherer = pthread_self();
    int code = GRANGE_OK;
    while (!was_read) { /* who wakes first leads; in the end it is the other one */
        cr_assert_eq(code, GRANGE_OK, "%s", grange_message(g));
        code = into(LONG);
    }
    returned = true;
    cr_expect_eq(code, GRANGE_ERR_LOST);
    pthread_join(thread, NULL);
    grange_direct_free(d);
    free(data);
}
