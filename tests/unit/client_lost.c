/* client_lost - a farm that is shut down under those who wait, and comes back. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "client_harness.h"

TestSuite(client_lost, .init = setup, .fini = teardown, .timeout = 300);

static atomic_bool waited;

/* down_and_up - again and again, so that it happens while the test waits. */
static void *down_and_up(void *arg)
{
    (void)arg;
    while (!waited) {
        fake_down(&s);
        fake_start(&s);
    }
    return NULL;
}

Test(client_lost, who_waits_is_told_at_once_also_when_the_farm_is_up_again)
{
    pthread_t thread;

    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    waited = false;
    cr_assert_eq(pthread_create(&thread, NULL, down_and_up, NULL), 0);
    cr_assert_eq(grange_wait(g, f, GRANGE_FOREVER), GRANGE_ERR_LOST);
    cr_assert(strstr(grange_message(g), "shut down"), "%s", grange_message(g));
    waited = true;
    pthread_join(thread, NULL);
    fake_release(&s);
    int code; /* of the same future */
    while ((code = grange_wait(g, f, LONG_MS)) == GRANGE_ERR_LOST)
        ;
    cr_assert_eq(code, GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(result(f).outcome, GRANGE_DONE);
    cr_assert_eq(s.n_appended_calls, 1);
    finish();
}

Test(client_lost, a_farm_that_was_shut_down_is_told_from_one_that_is_lost)
{
    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    fake_stop(&s); /* without a word */
    while (grange_wait(g, f, LONG_MS) != GRANGE_ERR_LOST)
        ;
    cr_assert_not(grange_is_down(g));
    cr_assert(strstr(grange_message(g), "not there"), "%s", grange_message(g));
    fake_start(&s);
    while (grange_flush(g, 0), s.n_opens < 2) /* it is connected again */
        ;
    fake_down(&s);
    while (grange_wait(g, f, LONG_MS) != GRANGE_ERR_LOST)
        ;
    cr_assert(grange_is_down(g));
    cr_assert_eq(grange_wait(g, f, LONG_MS), GRANGE_ERR_LOST, "no new wait is for ever");
    cr_assert(strstr(grange_message(g), "shut down"), "%s", grange_message(g));
    fake_start(&s);
    fake_release(&s);
    int code;
    while ((code = grange_wait(g, f, LONG_MS)) == GRANGE_ERR_LOST)
        ;
    cr_assert_eq(code, GRANGE_OK);
    cr_assert_not(grange_is_down(g));
    finish();
}

/* write_file - a connection file for s.url, as a scheduler writes it: under another name, and
 * renamed.
 */
static void write_file(const char *path)
{
    char other[100];

    snprintf(other, sizeof other, "%s.new", path);
    FILE *f = fopen(other, "w");
    cr_assert(f != NULL);
    fprintf(f, "{\"grange\": 1, \"role\": \"client\", \"urls\": [\"%s\"]}", s.url);
    fclose(f);
    cr_assert(chmod(other, 0600) == 0 && rename(other, path) == 0);
}

Test(client_lost, a_connection_file_that_was_written_again_is_read_again)
{
    char path[80], why[300] = "";

    snprintf(path, sizeof path, "%s/client.json", dir);
    write_file(path);
    fake_start(&s);
    cr_assert_eq(grange_connect(path, LONG_MS, &g, why, sizeof why), GRANGE_OK, "%s", why);
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    fake_stop(&s);
    while (grange_wait(g, f, LONG_MS) != GRANGE_ERR_LOST)
        ;
    strcat(s.url, "2"); /* it listens elsewhere from now on */
    fake_start(&s);
    write_file(path);
    fake_release(&s);
    int code;
    while ((code = grange_wait(g, f, LONG_MS)) == GRANGE_ERR_LOST)
        ;
    cr_assert_eq(code, GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(s.n_opens, 2);
    finish();
    unlink(path);
}
