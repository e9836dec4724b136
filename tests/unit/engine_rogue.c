/* engine_rogue: a real worker with an engine that breaks the protocol in every way there is. It
 * costs the call that ran there, and the engine; the worker goes on, and so does the next call. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/zip.h"
#include "tests/unit/engine_help.h"

static struct driver *d;

static void start(const char *engine)
{
    d = driver_open(GRANGE_PROGRAM, (const char *const[]){ "--engine", engine, "--log-level",
                                                           "quiet", "-j", "1", NULL });
    cr_assert_not_null(d);
}

static void begin_with(const char *engine)
{
    start(engine);
    cr_assert(driver_until(d, d->functions.n > 0)); /* its hello may come without them first */
    driver_array(d, 1, "rogue", "");
}

static void begin(void)
{
    begin_with(ROGUE_ENGINE);
}

static void end(void)
{
    cr_assert_eq(driver_close(d), 0, "the worker did not end in good order");
}

static const struct driver_end *queued(uint64_t lease, const char *deed)
{
    driver_assign(d, 1, lease, 1, deed, strlen(deed));
    cr_assert(driver_until(d, d->leases[lease].ended), "'%s' did not end", deed);
    return &d->leases[lease];
}

static const struct driver_end *direct(uint64_t ticket, const char *deed)
{
    driver_direct(d, ticket, 0, DIRECT_CALL, "rogue", deed, strlen(deed));
    cr_assert(driver_until(d, d->tickets[ticket].ended), "'%s' did not end", deed);
    return &d->tickets[ticket];
}

static bool is(const struct buf *b, const char *text)
{
    return b->n == strlen(text) && (b->n == 0 || memcmp(b->data, text, b->n) == 0);
}

struct deed {
    char name[16];
    char reason[80];
};

ParameterizedTestParameters(engine_rogue, costs_its_call_and_its_engine)
{
    static struct deed deeds[] = {
        { "garbage", "killed: it sent a frame that is too long" },
        { "huge", "killed: it sent a frame that is too long" },
        { "short", "killed: it sent a result that is cut short" },
        { "other", "killed: it sent a result out of turn" },
        { "hello", "killed: it sent a second hello" },
        { "close", "because it closed its pipe" },
        { "outside", "killed: it sent a result whose file is not there" },
        { "link", "killed: it sent a result whose file is not there" },
        { "fifo", "killed: it sent a result whose file is not there" },
        { "beyond", "killed: it sent a result whose file is not there" },
        { "hidden", "killed: it sent a result whose file is not there" },
        { "over", "killed: it sent a result whose file is not there" },
        { "leave", "exit 5" },
    };
    return cr_make_param_array(struct deed, deeds, sizeof deeds / sizeof *deeds);
}

static void costs_call_and_engine(const struct deed *deed)
{
    const struct driver_end *e = queued(1, deed->name);
    cr_expect(e->reason != END_EXIT || e->code != 0, "ended with %d %d", (int)e->reason, e->code);
    cr_expect(strstr(e->error, deed->reason), "%s: %s", deed->name, e->error);
    cr_expect(driver_until(d, d->engines[0].restarts == 1));
    cr_expect(strstr(d->reasons[0], deed->reason), "%s: %s", deed->name, d->reasons[0]);
    cr_expect(is(&queued(2, "well")->result, "well"));
    e = direct(1, deed->name);
    cr_expect(e->reason != END_EXIT || e->code != 0, "ended with %d %d", (int)e->reason, e->code);
    cr_expect_eq(e->result.n, 0);
    cr_expect(is(&queued(3, "well")->result, "well"));
    cr_expect(is(&direct(2, "well")->result, "well"));
    end();
}

ParameterizedTest(struct deed *deed, engine_rogue, costs_its_call_and_its_engine)
{
    begin();
    costs_call_and_engine(deed);
}

ParameterizedTestParameters(engine_rogue, what_it_does_to_the_page_does_too)
{
    static struct deed deeds[] = {
        { "spoil", "killed: it sent a page that is spoiled" },
        { "cut", "killed: it sent a frame in the page that is cut short or too long" },
        { "long", "killed: it sent a frame in the page that is cut short or too long" },
        { "past", "killed: it sent a result of no call" },
        { "future", "killed: it sent a result of no call" },
    };
    return cr_make_param_array(struct deed, deeds, sizeof deeds / sizeof *deeds);
}

ParameterizedTest(struct deed *deed, engine_rogue, what_it_does_to_the_page_does_too)
{
    begin_with(ROGUE_ENGINE " page");
    costs_call_and_engine(deed);
}

/* The page belongs to both: what it says of calls that were never made is not believed. */
Test(engine_rogue, states_of_calls_that_were_never_made)
{
    begin_with(ROGUE_ENGINE " page");
    cr_expect(is(&queued(1, "states")->result, "states"));
    driver_assign(d, 1, 2, 1, "well", 4);
    cr_expect(driver_until(d, d->engines[0].restarts > 0));
    cr_expect(strstr(d->reasons[0], "killed: it sent a page that is spoiled"), "%s", d->reasons[0]);
    cr_expect(driver_until(d, d->leases[2].ended));
    cr_expect(is(&d->leases[2].result, "well"), "%s", d->leases[2].error);
    end();
}

ParameterizedTestParameters(engine_rogue, a_wrong_hello)
{
    static struct deed deeds[] = {
        { " cut", "killed: it sent a hello that is cut short" },
        { " version", "killed: it sent another version of the protocol" },
        { " names", "killed: it sent a hello with wrong names of functions" },
        { " late", "killed: it sent something before its hello" },
    };
    return cr_make_param_array(struct deed, deeds, sizeof deeds / sizeof *deeds);
}

ParameterizedTest(struct deed *deed, engine_rogue, a_wrong_hello)
{
    char engine[sizeof ROGUE_ENGINE + sizeof deed->name];

    snprintf(engine, sizeof engine, "%s%s", ROGUE_ENGINE, deed->name);
    start(engine);
    cr_expect(driver_until(d, d->engines[0].restarts > 0));
    cr_expect(strstr(d->reasons[0], deed->reason), "%s: %s", deed->name, d->reasons[0]);
    end();
}

Test(engine_rogue, another_life_has_other_functions)
{
    begin_with(ROGUE_ENGINE " moods");
    queued(1, "garbage");
    cr_expect(driver_until(d, d->engines[0].restarts > 1));
    cr_expect(strstr(d->reasons[0], "killed: it sent other functions than the engines before it"),
              "%s", d->reasons[0]);
    end();
}

/* It is killed once it had long enough, and started again. Who addressed it hears so; what waits in
 * the queue runs in its next life, at no cost. */
Test(engine_rogue, a_life_without_a_hello)
{
    char dir[] = "/tmp/grange-mute-XXXXXX", engine[sizeof ROGUE_ENGINE + 64];

    must(mkdtemp(dir) && setenv("GRANGE_PATIENCE_PERCENT", "5", 1) == 0); /* 3 s of a minute */
    snprintf(engine, sizeof engine, "%s mute %s/lives", ROGUE_ENGINE, dir);
    begin_with(engine);
    cr_expect(strstr(queued(1, "leave")->error, "exit 5"));
    cr_assert(driver_until(d, d->engines[0].restarts == 1));
    driver_assign(d, 1, 2, 1, "well", 4);
    const struct driver_end *e = direct(1, "well");
    cr_expect(strstr(e->error, "no hello within a minute"), "%s", e->error);
    cr_assert(driver_until(d, d->engines[0].restarts == 2));
    cr_expect_str_eq(d->reasons[0], "killed: it sent no hello within a minute");
    cr_assert(driver_until(d, d->leases[2].ended));
    cr_expect(is(&d->leases[2].result, "well"), "%s", d->leases[2].error);
    end();
    snprintf(engine, sizeof engine, "rm -r %s", dir);
    cr_assert_eq(system(engine), 0);
}

static void costs_nobody_else_anything(const char *deed, const char *answer, bool engine_ends)
{
    begin();
    cr_expect(is(&queued(1, deed)->result, answer), "%s", deed);
    if (engine_ends) {
        cr_expect(driver_until(d, d->engines[0].restarts == 1));
        cr_expect(strstr(d->reasons[0], "killed: it sent a result of no call"), "%s",
                  d->reasons[0]);
    }
    cr_expect(is(&queued(2, "well")->result, "well"));
    cr_expect(is(&direct(1, deed)->result, answer), "%s", deed);
    if (engine_ends)
        cr_expect(driver_until(d, d->engines[0].restarts == 2));
    cr_expect(is(&queued(3, "well")->result, "well"));
    end();
}

Test(engine_rogue, a_second_result_of_a_call)
{
    costs_nobody_else_anything("twice", "one", true);
}

Test(engine_rogue, a_result_of_call_0_which_is_none)
{
    costs_nobody_else_anything("stray", "mine", true);
}

Test(engine_rogue, a_child_that_holds_the_pipes)
{
    costs_nobody_else_anything("fork", "forked", false);
}

Test(engine_rogue, the_file_of_a_result_is_taken_away)
{
    costs_nobody_else_anything("give", "xxxxx", false);
    begin();
    queued(1, "give");
    cr_expect(is(&queued(2, "list")->result, ""), "%s", d->leases[2].result.data);
    end();
}

Test(engine_rogue, what_it_prints_is_of_its_call_and_bounded)
{
    begin();
    const struct driver_end *e = queued(1, "log");
    cr_expect(is(&e->result, "logged"));
    struct buf said = { 0 };
    cr_assert(zip_unpack(e->err.data, e->err.n, 2 * OUTPUT_STORE_MAX, &said));
    cr_expect_eq(said.n, 10u * 102400, "%zu bytes", said.n); /* as much as is kept */
    cr_expect(said.n && said.data[0] == 'x');
    buf_fini(&said);
    end();
}

Test(engine_rogue, how_far_another_call_is_is_not_said_of_this_one)
{
    begin();
    driver_assign(d, 1, 1, 1, "share", 5);
    cr_assert(driver_until(d, d->n_shares > 0));
    cr_expect_float_eq(d->share, 0.25, 1e-9, "%f", d->share);
    driver_revoke(d, 1);
    cr_assert(driver_until(d, d->leases[1].ended));
    end();
}

/* A result that says more than the wire takes would cost the worker its connection, for ever. */
Test(engine_rogue, times_that_cannot_be_are_not_known)
{
    costs_nobody_else_anything("ages", "ages", false);
    begin();
    const struct driver_end *e = queued(1, "ages");
    cr_expect(e->cpu_us == 0 && e->maxrss_kib == 0);
    cr_expect_lt(e->wall_us, (uint64_t)3600 * 1000000, "the worker's own");
    end();
}

/* Nobody knows what such an engine died of, twice; the third time in a row it was the call. */
Test(engine_rogue, dies_before_it_has_begun_its_call)
{
    begin_with(ROGUE_ENGINE " page");
    for (uint64_t i = 1; i <= 2; i++) {
        const struct driver_end *e = queued(i, "sudden");
        cr_expect(e->reason == END_EXIT && e->code == 6, "ended with %d %d: %s", (int)e->reason,
                  e->code, e->error);
        cr_expect(is(&queued(10 + i, "well")->result, "well"));
        cr_expect(driver_until(d, d->engines[0].restarts >= 3 * i));
        cr_expect_eq(d->engines[0].restarts, 3 * i, "%u", d->engines[0].restarts);
    }
    end();
}

Test(engine_rogue, cannot_cut_the_page)
{
    costs_nobody_else_anything("shrink", "the page stays", false);
}
