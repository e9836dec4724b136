#ifndef GRANGE_TESTS_CLIENT_HARNESS_H
#define GRANGE_TESTS_CLIENT_HARNESS_H
/* client_harness - a connection to a fake scheduler, for one test at a time: set what the fake does
 * differently, begin(), use g, finish(). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/grange.h"
#include "client_fake.h"

enum { LONG_MS = 100000 };

static char dir[64];
static struct fake s;
static struct grange *g;

static inline struct grange *connected(void)
{
    struct grange *to;
    char why[300] = "";

    cr_assert_eq(grange_connect(s.url, LONG_MS, &to, why, sizeof why), GRANGE_OK, "%s", why);
    return to;
}

static inline void setup(void)
{
    memset(&s, 0, sizeof s); /* tests may share a process */
    strcpy(dir, "/tmp/grange-client-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(s.url, sizeof s.url, "ipc://%s/s.sock", dir);
}

/* begin - with the fake as the test has set it up. */
static inline void begin(void)
{
    fake_start(&s);
    g = connected();
}

static inline void finish(void)
{
    grange_close(g);
    fake_stop(&s);
}

static inline void teardown(void)
{
    fake_fini(&s);
    rmdir(dir);
}

static inline struct grange_future call(const char *payload, const struct grange_options *o)
{
    struct grange_future f = { 0 };

    cr_assert_eq(grange_call(g, "echo", payload, strlen(payload), o, &f), GRANGE_OK, "%s",
                 grange_message(g));
    return f;
}

static inline struct grange_result result(struct grange_future f)
{
    struct grange_result r;

    cr_assert_eq(grange_wait(g, f, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(grange_get(g, f, &r), GRANGE_OK);
    return r;
}

#endif
