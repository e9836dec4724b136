/* client_engines_near - payloads and results that are files, because the engines are on this
 * machine: how many files are made, how much is written, and who may go on meanwhile. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/must.h"
#include "client/near.h"
#include "client/session.h"
#include "client_engines_fake.h"

enum { BYTES = 3 << 20 };

static _Atomic uint64_t written; /* into files */
static enum {
    NOTHING,
    LOOKS,
    FREES,
    HEARS,
    LOSES,
    KEEPS
} _Atomic asks;            /* another thread, while it is copied */
static atomic_bool breaks; /* what is read */
static sem_t freed;
static char engines_dir[100], spare_dir[120], *data;
static struct grange_direct *d;

/* use - what another thread does meanwhile. */
static void *use(void *arg)
{
    if (asks >= FREES) {
        int how = asks;
        asks = 0;
        if (how > HEARS) {
            engines_stop();
            cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_LOST);
        }
        if (how != KEEPS)
            grange_direct_free(d);
        if (how == HEARS)
            engines_asked(); /* behind the end of what was cancelled */
        sem_post(&freed);
    } else {
        grange_is_down(g);
    }
    return arg;
}

static void meanwhile(void)
{
    pthread_t other;

    if (!asks || pthread_equal(pthread_self(), engines_thread()))
        return;
    must(pthread_create(&other, NULL, use, NULL) == 0);
    pthread_join(other, NULL);
}

/* pwrite, pread - those of the C library, watched. */
ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    ssize_t put = syscall(SYS_pwrite64, fd, from, n, at);

    written += put > 0 ? (uint64_t)put : 0;
    meanwhile();
    return put;
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    meanwhile();
    if (breaks && !pthread_equal(pthread_self(), engines_thread()))
        return -1;
    return syscall(SYS_pread64, fd, to, n, at);
}

static void setup(void)
{
    engines_setup();
    snprintf(engines_dir, sizeof engines_dir, "%s/engines", fake.dir);
    snprintf(spare_dir, sizeof spare_dir, "%s/spare", engines_dir);
    cr_assert_eq(mkdir(engines_dir, 0700), 0); /* a worker has made it */
    written = 0;
    asks = NOTHING;
    breaks = false;
    fake.files = true;
    data = pattern(BYTES);
}

static void teardown(void)
{
    free(data);
    rmdir(spare_dir);
    rmdir(engines_dir);
    engines_teardown();
}

TestSuite(client_engines_near, .init = setup, .fini = teardown, .timeout = 120);

static void ended(int code)
{
    cr_assert_eq(code, GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
}

/* offered - of how many different files it was told. */
static unsigned offered(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < fake.n_offered; i++) {
        unsigned k = 0;
        while (fake.offers[k] != fake.offers[i])
            k++;
        n += k == i;
    }
    return n;
}

static uint64_t bytes_offered(void)
{
    session_enter(g);
    uint64_t bytes = g->directs.bytes_offered;
    session_leave(g, 0);
    return bytes;
}

/* same_answers - of n engines that give back the payload, which they do in files. */
static void same_answers(size_t n)
{
    struct grange_answer a;

    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(grange_direct_answer(d, i, &a), GRANGE_OK);
        cr_assert_eq(a.bytes, BYTES);
        cr_expect(memcmp(a.data, data, BYTES) == 0, "engine %zu", i);
    }
    engines_asked();
    cr_expect_eq((unsigned)fake.n_read, n);
}

Test(client_engines_near, several_engines_read_one_file)
{
    ended(grange_direct_call(g, all, ENGINES, "echo", data, BYTES, &d));
    cr_expect_eq((unsigned)fake.n_offered, ENGINES);
    cr_expect_eq(offered(), 1);
    cr_expect_eq(written, BYTES);
    same_answers(ENGINES);
    cr_expect_eq(bytes_offered(), 0);
    cr_expect_eq(rmdir(spare_dir), 0, "its file is still there");
    grange_direct_free(d);
}

/* An engine may change its value where it is. */
Test(client_engines_near, each_value_has_a_file_of_its_own)
{
    ended(grange_direct_put(g, all, ENGINES, "x", data, BYTES, &d));
    cr_expect_eq(offered(), ENGINES);
    cr_expect_eq(written, ENGINES * BYTES);
    for (size_t i = 0; i < ENGINES; i++)
        cr_expect(fake.values[i].n == BYTES && memcmp(fake.values[i].data, data, BYTES) == 0);
    cr_expect_eq(bytes_offered(), 0);
    grange_direct_free(d);
}

Test(client_engines_near, a_call_of_one_engine_leaves_no_name)
{
    ended(grange_direct_call(g, all, 1, "echo", data, BYTES, &d));
    cr_expect_eq(written, BYTES);
    same_answers(1);
    cr_expect_eq(access(spare_dir, F_OK), -1);
    grange_direct_free(d);
}

/* The file is there as long as one of them may still want it. */
Test(client_engines_near, who_frees_a_call_of_several_frees_its_file)
{
    cr_assert_eq(grange_direct_call(g, all, ENGINES, "hold", data, BYTES, &d), GRANGE_OK);
    cr_expect_eq(bytes_offered(), BYTES);
    cr_expect_eq(rmdir(spare_dir), -1);
    grange_direct_free(d);
    ended(grange_direct_call(g, all, 1, "echo", "x", 1, &d)); /* behind the ends of the others */
    cr_expect_eq(bytes_offered(), 0);
    cr_expect_eq(rmdir(spare_dir), 0);
    grange_direct_free(d);
}

Test(client_engines_near, where_no_file_can_be_made_it_goes_in_parts)
{
    cr_assert_eq(rmdir(engines_dir), 0);
    ended(grange_direct_call(g, all, 2, "echo", data, BYTES, &d));
    cr_expect_eq((unsigned)fake.n_offered, 0);
    same_answers(2);
    cr_expect_eq(bytes_offered(), 0);
    grange_direct_free(d);
    cr_assert_eq(mkdir(engines_dir, 0700), 0); /* now there is room: nobody declined one */
    ended(grange_direct_call(g, all, 1, "echo", data, BYTES, &d));
    cr_expect_eq((unsigned)fake.n_offered, 1);
    grange_direct_free(d);
}

Test(client_engines_near, others_use_the_connection_while_it_is_copied)
{
    asks = LOOKS;
    ended(grange_direct_put(g, all, 2, "x", data, BYTES, &d));
    grange_direct_free(d);
    ended(grange_direct_call(g, all, 2, "echo", data, BYTES, &d));
    grange_direct_free(d);
    ended(grange_direct_scatter(g, all, 2, "x", data, BYTES, 1, &d));
    grange_direct_free(d);
    cr_expect_eq(written, 4 * BYTES);
    size_t bytes;
    void *got;
    cr_assert_eq(grange_gather(g, all, 2, "x", LONG_MS, &got, &bytes), GRANGE_OK);
    cr_expect(bytes == BYTES && memcmp(got, data, BYTES) == 0);
    free(got);
}

static void freed_while_read(int how)
{
    must(sem_init(&freed, 0, 0) == 0);
    cr_assert_eq(grange_direct_call(g, all, 1, "hold", data, BYTES, &d), GRANGE_OK);
    asks = how;
    engines_release();
    must(sem_wait(&freed) == 0);
    ended(grange_direct_call(g, all, 1, "echo", "x", 1, &d));
    cr_expect_eq((unsigned)fake.n_cancelled, 1);
    grange_direct_free(d);
    for (bool left = true; left;) { /* the library's thread may still read */
        session_enter(g);
        left = g->directs.all != NULL;
        session_leave(g, 0);
    }
}

/* A result that nobody wants any more is read to its end, and then goes. */
Test(client_engines_near, who_frees_it_while_it_is_read)
{
    freed_while_read(FREES);
}

Test(client_engines_near, what_was_freed_may_have_ended_when_it_was_read)
{
    freed_while_read(HEARS);
}

Test(client_engines_near, a_scheduler_that_is_lost_while_it_is_read)
{
    must(sem_init(&freed, 0, 0) == 0);
    cr_assert_eq(grange_direct_call(g, all, 1, "hold", data, BYTES, &d), GRANGE_OK);
    asks = LOSES;
    engines_release();
    must(sem_wait(&freed) == 0);
}

static void lost_while_read(bool broken)
{
    struct grange_answer a;

    must(sem_init(&freed, 0, 0) == 0);
    cr_assert_eq(grange_direct_call(g, all, 1, "hold", data, BYTES, &d), GRANGE_OK);
    asks = KEEPS;
    breaks = broken;
    engines_release();
    must(sem_wait(&freed) == 0);
    for (size_t reading = 1; reading;) {
        session_enter(g);
        reading = d->n_reading;
        session_leave(g, 0);
    }
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect(a.code == GRANGE_ERR_LOST && a.bytes == 0);
    session_enter(g);
    cr_expect_eq(g->directs.n_streams, 0, "it is wanted in parts");
    session_leave(g, 0);
    grange_direct_free(d);
}

Test(client_engines_near, what_was_lost_while_it_was_read_stays_lost)
{
    lost_while_read(false);
}

Test(client_engines_near, what_was_lost_while_it_could_not_be_read_stays_lost)
{
    lost_while_read(true);
}

/* It may have been deleted: then the result comes in parts. */
Test(client_engines_near, a_file_that_cannot_be_read_comes_in_parts)
{
    struct grange_answer a;
    size_t bytes;
    void *got;

    fake.hides = true;
    ended(grange_direct_call(g, all, 1, "echo", data, BYTES, &d));
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect(a.bytes == BYTES && memcmp(a.data, data, BYTES) == 0);
    grange_direct_free(d);
    cr_assert_eq(grange_scatter(g, all, 2, "x", data, BYTES, 1, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_gather(g, all, 2, "x", LONG_MS, &got, &bytes), GRANGE_OK);
    cr_expect(bytes == BYTES && memcmp(got, data, BYTES) == 0);
    cr_expect_eq((unsigned)fake.n_read, 0);
    free(got);
}

/* set_offered - as if so much were on its way in files. */
static void set_offered(uint64_t bytes)
{
    session_enter(g);
    g->directs.bytes_offered = bytes;
    session_leave(g, 0);
}

Test(client_engines_near, so_much_is_on_its_way_in_files_and_no_more)
{
    const uint64_t most = 256 << 20;

    set_offered(most - BYTES);
    ended(grange_direct_put(g, all, 2, "x", data, BYTES, &d));
    grange_direct_free(d);
    cr_expect_eq((unsigned)fake.n_offered, 1);
    cr_expect_eq(bytes_offered(), most - BYTES);
    cr_expect(fake.values[1].n == BYTES && memcmp(fake.values[1].data, data, BYTES) == 0);
    set_offered(0);
}

/* It is alone, and would otherwise be copied while everybody waits. */
Test(client_engines_near, one_payload_may_be_longer_than_that)
{
    size_t n = (256 << 20) + 1;
    char *long_one = calloc(n, 1);

    cr_assert(long_one);
    fake.counts_only = true;
    ended(grange_direct_put(g, all, 1, "x", long_one, n, &d));
    grange_direct_free(d);
    cr_expect_eq((unsigned)fake.n_offered, 1);
    cr_expect_eq(written, n);
    free(long_one);
}

Test(client_engines_near, a_file_that_the_worker_names_is_filled)
{
    fake.files = false;
    fake.names = true;
    ended(grange_direct_put(g, all, 1, "x", data, BYTES, &d));
    grange_direct_free(d);
    cr_expect_eq((unsigned)fake.n_filled, 1);
    cr_expect(fake.values[0].n == BYTES && memcmp(fake.values[0].data, data, BYTES) == 0);
    cr_expect_eq(bytes_offered(), 0);
}

Test(client_engines_near, a_gathered_result_is_read_out_of_its_files)
{
    size_t bytes;
    void *got;

    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", data, BYTES, 1, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_gather(g, all, ENGINES, "x", LONG_MS, &got, &bytes), GRANGE_OK);
    cr_assert_eq(bytes, BYTES);
    cr_expect(memcmp(got, data, BYTES) == 0);
    engines_asked();
    cr_expect_eq((unsigned)fake.n_read, ENGINES);
    free(got);
}

/* Tickets whose result was read have ended here; they count until the farm has said so. */
Test(client_engines_near, what_was_read_counts_until_its_last_word)
{
    for (int i = 0; i < 3; i++) {
        ended(grange_direct_call(g, all, ENGINES, "echo", data, BYTES, &d));
        grange_direct_free(d);
    }
    ended(grange_direct_call(g, all, 1, "echo", "x", 1, &d));
    grange_direct_free(d);
    session_enter(g);
    cr_expect_eq(g->directs.n_lingering, 0);
    cr_expect_eq(g->directs.bytes_out, 0);
    cr_expect_eq(g->directs.n_streams, 0);
    session_leave(g, 0);
}

static size_t n_lingering(void)
{
    session_enter(g);
    size_t n = g->directs.n_lingering;
    session_leave(g, 0);
    return n;
}

Test(client_engines_near, what_was_read_counts_as_long_as_the_last_word_is_not_said)
{
    fake.keeps_last = true;
    ended(grange_direct_call(g, all, ENGINES, "echo", data, BYTES, &d));
    grange_direct_free(d);
    cr_expect_eq(n_lingering(), ENGINES);
    cr_assert_eq(grange_direct_call(g, all, 1, "hold", "x", 1, &d), GRANGE_OK);
    engines_stop(); /* there are no tickets without a scheduler */
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_LOST);
    cr_expect_eq(n_lingering(), 0);
    grange_direct_free(d);
}

Test(client_engines_near, files_are_made_where_the_socket_is)
{
    const char *const urls[][2] = { { "ipc:///s.sock", "/" }, { "ipc:///run/f/s.sock", "/run/f" } };

    for (size_t i = 0; i < 2; i++) {
        struct directs ds = { 0 };
        near_open(&ds, urls[i][0]);
        cr_expect_str_eq(ds.place, urls[i][1]);
        near_fini(&ds);
    }
    struct directs far = { 0 };
    near_open(&far, "tcp://localhost:1");
    cr_expect(!far.place && !far.machine);
}
