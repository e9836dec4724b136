/* client_wrong - what a program gets wrong, and what its machine does, is said. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/names.h"
#include "client_harness.h"
#include "farm/keepers.h"
#include "farm/registry.h"

TestSuite(client_wrong, .init = setup, .fini = teardown, .timeout = 300);

static void says(const char *part)
{
    cr_assert(strstr(grange_message(g), part), "'%s' lacks '%s'", grange_message(g), part);
}

static void no_call(const struct grange_options *o, int code, const char *part)
{
    struct grange_future f;

    cr_assert_eq(grange_call(g, "echo", "x", 1, o, &f), code, "%s", part);
    says(part);
}

Test(client_wrong, options_of_a_call)
{
    const char *usage[][2] = { { "gpus", "resources 'gpus' should be like gpus=1,licences=2" },
                               { "gpus=1x", "resources 'gpus=1x' should be like gpus=1" } };
    char name[NAME_BYTES_MAX + 2] = "";

    begin();
    for (size_t i = 0; i < 2; i++)
        no_call(&(struct grange_options){ .resources = usage[i][0] }, GRANGE_ERR_USAGE,
                usage[i][1]);
    no_call(&(struct grange_options){ .require = "a,,b" }, GRANGE_ERR_USAGE,
            "labels 'a,,b' should be like site=north,big");
    no_call(&(struct grange_options){ .policy = "retries" }, GRANGE_ERR_USAGE,
            "the policy should be a JSON object: {\"retries\": 2}");
    no_call(&(struct grange_options){ .timeout_ms = -1 }, GRANGE_ERR_USAGE,
            "a time is not negative");
    no_call(
        &(struct grange_options){ .arrays = &(struct grange_array){ .key = "" }, .n_arrays = 1 },
        GRANGE_ERR_USAGE, "arrays[0] has no key, or its rule is none");
    memset(name, 'n', NAME_BYTES_MAX + 1);
    no_call(&(struct grange_options){ .study = name }, GRANGE_ERR_USAGE,
            "the name of a study has at most 100 bytes");
    no_call(&(struct grange_options){ .key = "#1" }, GRANGE_ERR_USAGE,
            "and does not begin with '#'");
    struct grange_future f;
    cr_assert_eq(grange_call(g, name, "x", 1, NULL, &f), GRANGE_ERR_USAGE);
    says("the name of a function has 1 to 100 bytes");
    finish();
}

Test(client_wrong, what_a_call_waits_for)
{
    struct grange_future nobody = { 77 };
    struct grange_options o = { .rule = GRANGE_ANY };

    begin();
    no_call(&o, GRANGE_ERR_USAGE, "rule 1 needs futures in `after`");
    o = (struct grange_options){ .rule = 1 << 20, .after = &nobody, .n_after = 1 };
    no_call(&o, GRANGE_ERR_USAGE, "rule 1048576 is none; see GRANGE_ANY and the others");
    o.rule = GRANGE_NOT_SUCCESS;
    no_call(&o, GRANGE_ERR_USAGE, "GRANGE_NOT_SUCCESS without GRANGE_ON_FAILURE: no end would");
    o.rule = 0;
    no_call(&o, GRANGE_ERR_NOT_FOUND, "after[0] is no future of this connection");
    o.n_after = (1 << 16) + 1;
    no_call(&o, GRANGE_ERR_LIMIT, "a call waits for 65536 others at the most");
    finish();
}

Test(client_wrong, a_call_that_waits_for_a_refused_one)
{
    struct grange_options two = { .cores = 2 }, o = { .n_after = 1 };
    struct grange_future bad;

    s.refuse_calls = "bad";
    begin();
    cr_assert_eq(grange_call(g, "echo", "bad", 3, &two, &bad), GRANGE_OK);
    cr_assert_eq(result(bad).outcome, GRANGE_REFUSED);
    o.after = &bad;
    no_call(&o, GRANGE_ERR_STATE, "after[0] was refused: cycle: 3 -> 7 -> 3");
    finish();
}

Test(client_wrong, too_much)
{
    struct grange_future f;
    char byte = 0;

    begin();
    cr_assert_eq(grange_call(g, "echo", &byte, (size_t)BLOB_BYTES_MAX + 1, NULL, &f),
                 GRANGE_ERR_LIMIT);
    says("a payload has at most 1073741824 bytes");
    cr_assert_eq(grange_batch(g, "echo", NULL, (size_t)POINTS_MAX + 1, NULL, &f), GRANGE_ERR_LIMIT);
    says("one key has at most 67108864 calls");
    struct grange_options o = { .key = "k" };
    char *text = malloc(SPEC_BYTES_MAX + 1);
    cr_assert(text != NULL);
    memset(text, ' ', SPEC_BYTES_MAX + 1);
    struct grange_submitted reply;
    cr_assert_eq(grange_submit(g, text, SPEC_BYTES_MAX + 1, 0, LONG_MS, &reply), GRANGE_ERR_LIMIT);
    says("the study is larger than 64 MiB");
    free(text);
    result(call("x", &o));
    struct grange_options other = { .key = "k", .cores = 2 };
    no_call(&other, GRANGE_ERR_USAGE,
            "key 'k' has been used for another function or with other options: ");
    cr_assert_eq(grange_key_close(g, "k", LONG_MS), GRANGE_OK, "%s", grange_message(g));
    no_call(&o, GRANGE_ERR_STATE, "key 'k' is closed after 1 calls");
    cr_assert_eq(grange_key_close(g, "none", LONG_MS), GRANGE_ERR_NOT_FOUND);
    says("no call was submitted under this key here");
    struct grange *second = connected();
    cr_assert_eq(grange_future_open(second, "k:5", LONG_MS, &f), GRANGE_ERR_NOT_FOUND);
    says("'k' has 1 call; there is no number 5");
    cr_assert_eq(grange_future_open(second, "k", LONG_MS, &f), GRANGE_ERR_USAGE);
    says("the key of a future is like fit:7");
    grange_close(second);
    finish();
}

/* ---- which farm */

/* A farm of this user that is up: its lock is held as long as *fd is open. */
static void farm_up(const char *name, int *fd)
{
    struct farm farm = { .pid = 1, .started_ms = 1 };
    struct fault f;
    char lock[200];

    snprintf(farm.name, sizeof farm.name, "%s", name);
    snprintf(farm.host, sizeof farm.host, "%s", farm_host());
    snprintf(farm.dir, sizeof farm.dir, "%s/%s", dir, name);
    cr_assert_eq(mkdir(farm.dir, 0700), 0);
    snprintf(lock, sizeof lock, "%s/lock", farm.dir);
    *fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(flock(*fd, LOCK_EX | LOCK_NB), 0);
    cr_assert_eq(write(*fd, "1 daemon\n", 9), 9);
    cr_assert_eq(registry_add(&farm, &f), ERR_NONE, "%s", f.text);
}

static void remove_dir(void)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

Test(client_wrong, which_farm)
{
    char why[400] = "";
    int one, two;

    setenv("XDG_STATE_HOME", dir, 1);
    unsetenv("GRANGE_CONNECT");
    unsetenv("GRANGE_FARM");
    unsetenv("GRANGE_PARENT");
    cr_assert_eq(grange_connect(NULL, 100, &g, why, sizeof why), GRANGE_ERR_NOT_FOUND);
    cr_assert_str_eq(why, "no farm of this user is up; start one with `grange up`, or name a "
                          "scheduler in GRANGE_CONNECT");
    farm_up("barn", &one);
    farm_up("mill", &two);
    cr_assert_eq(grange_connect(NULL, 100, &g, why, sizeof why), GRANGE_ERR_USAGE);
    cr_assert_str_eq(why, "several farms are up: barn, mill; name one in GRANGE_FARM");
    close(one);
    close(two);
    remove_dir();
}

/* A farm whose scheduler died and that a keeper starts again is waited for like one that does not
 * answer just now; without a keeper, or with one that keeps workers only, it is down. */
Test(client_wrong, farm_that_is_started_again)
{
    char why[400] = "";
    struct keeper_entry keeper = { .pid = getpid(), .first = 1, .n_numbers = 2, .left = 2 };
    char barn[200];
    int held, kept;

    setenv("XDG_STATE_HOME", dir, 1);
    unsetenv("GRANGE_CONNECT");
    unsetenv("GRANGE_FARM");
    unsetenv("GRANGE_PARENT");
    farm_up("barn", &held);
    close(held);
    snprintf(barn, sizeof barn, "%s/barn", dir);
    kept = keepers_enter(barn, &keeper);
    cr_assert(kept >= 0);
    cr_assert_eq(grange_connect("barn", 100, &g, why, sizeof why), GRANGE_ERR_NOT_FOUND);
    cr_assert(strstr(why, "is not up"), "%s", why);
    keeper.scheduler = true;
    keepers_change(kept, &keeper);
    cr_assert_eq(grange_connect("barn", 100, &g, why, sizeof why), GRANGE_ERR_TIMEOUT, "%s", why);
    cr_assert(strstr(why, "no scheduler answered"), "%s", why);
    cr_assert_eq(grange_connect(NULL, 100, &g, why, sizeof why), GRANGE_ERR_TIMEOUT, "%s", why);
    keepers_leave(barn, kept);
    cr_assert_eq(grange_connect(NULL, 100, &g, why, sizeof why), GRANGE_ERR_NOT_FOUND, "%s", why);
    remove_dir();
}

/* ---- a farm of one's own */

static char program[100];

static void script(const char *text, mode_t mode)
{
    snprintf(program, sizeof program, "%s/program", dir);
    FILE *file = fopen(program, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
    cr_assert_eq(chmod(program, mode), 0);
}

static void no_embed(struct grange_embed how, int code, const char *part)
{
    char why[1000] = "", home[100];

    snprintf(home, sizeof home, "%s/home", dir);
    if (!how.dir)
        how.dir = home;
    cr_assert_eq(grange_embed(&how, 300, &g, why, sizeof why), code, "%s: %s", part, why);
    cr_assert(strstr(why, part), "'%s' lacks '%s'", why, part);
    cr_assert_null(g);
}

Test(client_wrong, a_farm_of_ones_own_that_cannot_be)
{
    const char *const plugins[9] = { "/nowhere/plugin.so", "", "", "", "", "", "", "", "" };
    struct grange_embed how = { .program = program };

    script("#!/bin/sh\nexit 0\n", 0600);
    no_embed(how, GRANGE_ERR_NOT_FOUND, "/program': Permission denied");
    script("#!/nowhere/sh\n", 0700);
    no_embed(how, GRANGE_ERR_IO, "/program': No such file or directory");
    script("#!/bin/sh\necho sorry >&2\nexit 3\n", 0700);
    no_embed(how, GRANGE_ERR_IO, "home ended with exit code 3: sorry");
    script("#!/bin/sh\nexec sleep 1000\n", 0700);
    no_embed(how, GRANGE_ERR_TIMEOUT, "home was not ready in time");
    how.dir = "/dev/null/x";
    no_embed(how, GRANGE_ERR_PERMISSION,
             "cannot make the directory '/dev/null/x': Not a directory");
    how.plugins = plugins;
    how.n_plugins = 1;
    no_embed(how, GRANGE_ERR_NOT_FOUND, "plug-in '/nowhere/plugin.so': No such file or directory");
    how.n_plugins = 9;
    no_embed(how, GRANGE_ERR_LIMIT, "an embedded farm has at most 8 plug-ins");
    char why[400];
    setenv("XDG_RUNTIME_DIR", "/dev/null", 1);
    cr_assert_eq(
        grange_embed(&(struct grange_embed){ .program = program }, 300, &g, why, sizeof why),
        GRANGE_ERR_PERMISSION);
    cr_assert(strstr(why, "cannot make a directory '/dev/null/grange-"), "%s", why);
    remove_dir();
}

Test(client_wrong, what_is_not_there)
{
    struct grange_submitted reply;
    struct grange_future f = { 77 };
    struct grange_progress news;
    struct grange_direct *d;
    uint64_t engine = 0;
    size_t which;

    begin();
    cr_assert_eq(grange_submit(g, "", 0, 0, 0, &reply), GRANGE_ERR_USAGE);
    says("a study is JSON text; this is empty or has a zero byte");
    cr_assert_eq(grange_submit(g, "{\0}", 3, 0, 0, &reply), GRANGE_ERR_USAGE);
    says("this is empty or has a zero byte");
    cr_assert_eq(grange_wait_any(g, NULL, 0, 0, &which), GRANGE_ERR_USAGE);
    says("there is no future to wait for");
    cr_assert_eq(grange_next(g, 0, &news), GRANGE_ERR_TIMEOUT);
    says("no news in that time");
    cr_assert_eq(grange_on_progress(g, f, 1, NULL, NULL), GRANGE_ERR_NOT_FOUND);
    says("that is no future of this connection");
    cr_assert_eq(grange_direct_call_within(g, &engine, 1, "echo", "x", 1, 0, &d), GRANGE_ERR_USAGE);
    says("a limit of 0 ms; 1 to ");
    cr_assert_null(d);
    struct grange_set *set;
    cr_assert_eq(grange_set_new(g, &set), GRANGE_OK);
    cr_assert_eq(grange_set_next(set, 0, &f), GRANGE_ERR_NOT_FOUND);
    says("all futures of the set were given out");
    grange_set_free(set);
    finish();
}
