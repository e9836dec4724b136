/* study: identity, seeds and keys, how it is run, JSON and back. */
#include "study/factor.h"
#include "study/text.h"
#include "study_help.h"

struct ids {
    uint64_t id[2];
    uint32_t seed;
};

static struct ids ids_of(struct study *s, const char *point)
{
    struct ids ids;
    struct fault f;
    struct point p;
    uint64_t i;

    point_init(&p);
    cr_assert_eq(study_find(s, point, &i, &f), ERR_NONE, "%s", f.text);
    study_point(s, i, &p);
    study_identity(s, &p, ids.id);
    ids.seed = study_seed(s, &p);
    point_fini(&p);
    study_free(s);
    return ids;
}

static bool same(struct ids a, struct ids b)
{
    bool same_id = a.id[0] == b.id[0] && a.id[1] == b.id[1];

    cr_assert(a.seed >= 1 && b.seed >= 1 && a.seed <= INT32_MAX && b.seed <= INT32_MAX);
    return same_id;
}

#define IDS(point, ...) ids_of(STUDY(__VA_ARGS__), point)

Test(identity, does_not_depend_on_the_order_or_number_of_points)
{
    struct ids a = IDS("T=290,n=2", FACTORS("T=280:320:10", "n=1,2,4"));
    struct ids b = IDS("T=290,n=2", FACTORS("n=4,2", "T=290,280"));
    struct ids c = IDS("T=290,n=2", FACTORS("(n=2 + T=290)"));
    struct ids d = IDS("T=290,n=2,rep=0", FACTORS("T=290", "n=2"), .reps = 3);

    cr_assert(same(a, b) && same(a, c) && same(a, d));
    cr_assert(a.seed == b.seed && a.seed == c.seed && a.seed == d.seed);
}

Test(identity, depends_on_what_is_run)
{
    struct ids a = IDS("T=290,n=2", FACTORS("T=290", "n=2"));

    cr_assert_not(same(a, IDS("T=290,n=3", FACTORS("T=290", "n=3"))));
    cr_assert_not(same(a, IDS("T=2,n=290", FACTORS("T=2", "n=290"))));
    cr_assert_not(same(a, IDS("T=290.0,n=2", FACTORS("T=290.0", "n=2"))));
    cr_assert_not(same(a, IDS("T=290,m=2", FACTORS("T=290", "m=2"))));
    cr_assert_not(same(a, IDS("T=290,n=2", FACTORS("T=290", "n=2"), COMMAND("./sim", "-x"))));
    cr_assert_not(same(a, IDS("T=290,n=2", FACTORS("T=290", "n=2"), .function = "noop")));
    cr_assert_not(same(a, IDS("T=290,n=2", FACTORS("T=290", "n=2"), .code_version = "2")));
    cr_assert_not(same(a, IDS("T=290,n=2,rep=1", FACTORS("T=290", "n=2"), .reps = 2)));
    cr_assert_not(same(IDS("0", COMMAND("a", "b c")), IDS("0", COMMAND("a", "b", "c"))));
}

Test(identity, does_not_depend_on_how_it_is_run)
{
    struct ids a = IDS("T=290", FACTORS("T=290"));
    struct ids b = IDS("T=290", FACTORS("T=290"), .name = "other", .timeout = "5s", .retries = 3,
                       .cores = 2, .where = "T>1", .shuffle = 1, .cwd = "/", .halt = "now,fail=1",
                       .metrics = TEXTS("m=regex:x"), .n_metrics = 1);

    cr_assert(same(a, b));
}

Test(identity, has_the_seed_of_the_study_only_where_it_is_used)
{
    cr_assert(same(IDS("0", .seed = 1), IDS("0", .seed = 2)));
    cr_assert_not(same(IDS("0", COMMAND("x", "{seed}"), .seed = 1),
                       IDS("0", COMMAND("x", "{seed}"), .seed = 2)));
    cr_assert(same(IDS("0", COMMAND("x", "{seed}"), FACTORS("seed=1"), .seed = 1),
                   IDS("0", COMMAND("x", "{seed}"), FACTORS("seed=1"), .seed = 2)));
    const char *path = help_file("in", "{seed}", 6);
    cr_assert_not(same(IDS("0", INPUTS(path), .seed = 1), IDS("0", INPUTS(path), .seed = 2)));
    help_remove(path);
}

Test(identity, has_name_and_content_of_inputs)
{
    const char *one = help_file("in", "1", 1), *other = help_file("in", "1", 1);
    const char *two = help_file("in", "2", 1), *renamed = help_file("out", "1", 1);

    cr_assert(same(IDS("0", INPUTS(one)), IDS("0", INPUTS(other))));
    cr_assert_not(same(IDS("0", INPUTS(one)), IDS("0", INPUTS(two))));
    cr_assert_not(same(IDS("0", INPUTS(one)), IDS("0", INPUTS(renamed))));
    help_remove(one);
    help_remove(other);
    help_remove(two);
    help_remove(renamed);
}

Test(identity, of_sampled_points_stays_when_n_grows)
{
    for (int k = 0; k < 2; k++) {
        const char *design = k ? "sobol" : "random";
        for (int i = 0; i < 10; i++) {
            const char *point = help_word("%d", i);
            cr_assert(same(IDS(point, FACTORS("x=0..1", "n=1:99"), .design = design, .n = 10),
                           IDS(point, FACTORS("x=0..1", "n=1:99"), .design = design, .n = 1000)));
        }
    }
}

Test(identity, of_a_value_on_the_heap_is_the_same_function)
{
    char value[2000];

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    cr_assert(same(IDS("0", LISTS(TEXTS(value))), IDS("1", LISTS(TEXTS("a", value)))));
    cr_assert_not(same(IDS("0", LISTS(TEXTS(value))), IDS("0", LISTS(TEXTS(value + 1)))));
}

Test(identity, is_what_earlier_versions_stored)
{
    struct ids a = IDS("T=290,n=2", FACTORS("T=280:320:10", "n=1,2,4"), COMMAND("./sim", "{T}"));

    cr_assert_eq(a.id[0], 0x67e3818029bccedd, "%llx", (unsigned long long)a.id[0]);
    cr_assert_eq(a.seed, 913303082U, "%u", a.seed);
}

Test(seed, differs_from_point_to_point_and_study_to_study)
{
    cr_assert_neq(IDS("0", FACTORS("x=1,2")).seed, IDS("1", FACTORS("x=1,2")).seed);
    cr_assert_neq(IDS("0", .reps = 2).seed, IDS("1", .reps = 2).seed);
    cr_assert_neq(IDS("0", .seed = 1).seed, IDS("0", .seed = 2).seed);
    cr_assert_eq(IDS("0", .seed = 1, COMMAND("a")).seed, IDS("0", .seed = 1, COMMAND("b")).seed);
}

static bool same_key(struct study *a, struct study *b)
{
    uint64_t x[2], y[2];

    study_key(a, x);
    study_key(b, y);
    study_free(a);
    study_free(b);
    return x[0] == y[0] && x[1] == y[1];
}

Test(key, is_that_of_the_points_in_their_order)
{
    const char *path = help_file("values", "1\n2\n", 4);

    cr_assert(
        same_key(STUDY(FACTORS("x=1,2")), STUDY(FACTORS("x=1, 2"), .name = "b", .timeout = "1s")));
    cr_assert(same_key(STUDY(FACTORS("x=1,2")), STUDY(FACTORS(help_word("x=@%s", path)))));
    cr_assert(same_key(STUDY(FACTORS("x=1,2"), .seed = 1), STUDY(FACTORS("x=1,2"), .seed = 2)));
    cr_assert_not(same_key(STUDY(FACTORS("x=1,2")), STUDY(FACTORS("x=2,1"))));
    cr_assert_not(same_key(STUDY(FACTORS("x=1:2")), STUDY(FACTORS("x=1:3"))));
    cr_assert_not(same_key(STUDY(FACTORS("x=1:2", "y=1")), STUDY(FACTORS("y=1", "x=1:2"))));
    cr_assert_not(same_key(STUDY(FACTORS("x=1,2")), STUDY(FACTORS("x=1,2"), .reps = 2)));
    cr_assert_not(same_key(STUDY(FACTORS("x=1,2")), STUDY(FACTORS("x=1,2"), .where = "x>1")));
    cr_assert_not(same_key(STUDY(FACTORS("x=1,2")), STUDY(FACTORS("x=1,2"), COMMAND("b"))));
    cr_assert_not(same_key(STUDY(FACTORS("x=0..1"), .design = "sobol", .n = 2),
                           STUDY(FACTORS("x=0..1"), .design = "sobol", .n = 2, .seed = 1)));
    cr_assert_not(same_key(STUDY(FACTORS("x=0..1"), .design = "lhs", .n = 2),
                           STUDY(FACTORS("x=0..1"), .design = "lhs", .n = 3)));
    help_remove(path);
}

Test(name, comes_from_the_command)
{
    static const struct {
        const char *words[4];
        const char *name;
    } cases[] = {
        { { "./bin/sim.sh", "x" }, "sim.sh" },
        { { "sim -x {T} | tail" }, "sim" },
        { { "A=1 B=2 ./run.py x" }, "run.py" },
        { { "sh", "-c", "cd /tmp; ls" }, "cd" },
        { { "bash", "x.sh" }, "bash" },
        { { "./{prog}" }, "prog" },
        { { "./.hidden" }, "hidden" },
        { { "\xc3\xa4" }, "study" },
        { { "/" }, "study" },
        { { "( sleep 1; x)" }, "study" },
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        size_t n = 0;
        while (cases[k].words[n])
            n++;
        struct study *s =
            STUDY(.command = cases[k].words, .n_command = n, FACTORS("T=1", "prog=1"));
        cr_assert_str_eq(study_name(s), cases[k].name);
        study_free(s);
    }
}

Test(words, that_are_wrong_say_what_would_be_right)
{
    static const char *const none[] = { NULL };
    struct words w = { .command = none, .cwd = "/tmp" };
    struct study *s;
    struct fault f;

    cr_assert_eq(study_from_words(&w, &s, &f), ERR_USAGE);
    cr_assert(strstr(f.text, "there is no command to run"));
    cr_assert(strstr(MESSAGE(COMMAND("")), "the command is empty"));
    cr_assert(strstr(MESSAGE(COMMAND(" \t")), "the command is empty"));
    cr_assert(strstr(MESSAGE(COMMAND("x"), .function = "noop"),
                     "a study runs a command or the function 'noop', not both"));
    cr_assert(strstr(MESSAGE(.function = ""), "the name of a function has 1 to 100 bytes"));
    cr_assert(
        strstr(MESSAGE(.function = "noop", .restart = "./x"), "a function has no restart command"));
    cr_assert(strstr(MESSAGE(.restart = " "), "the restart command is empty"));
    char long_name[NAME_BYTES_MAX + 2] = "";
    memset(long_name, 'a', NAME_BYTES_MAX + 1);
    cr_assert(strstr(MESSAGE(.name = long_name), "the study's name 'aaa"));
    cr_assert(strstr(MESSAGE(.name = long_name), "aaa...' has more than 100 bytes"));
    cr_assert(strstr(MESSAGE(.name = "a/b"), "'a/b' cannot be the name of a study; use letters, "
                                             "digits, _, - and ., and start with a letter"));
    cr_assert(strstr(MESSAGE(.name = "-x"), "cannot be the name"));
    cr_assert(strstr(MESSAGE(.name = ""), "cannot be the name"));
    cr_assert(strstr(MESSAGE(.cwd = "here"), "'here' should start with /"));
    cr_assert_str_eq(MESSAGE(COMMAND("x", "\xff")), "argument 2 is not UTF-8 text");
    cr_assert_str_eq(MESSAGE(LISTS(TEXTS("a"), TEXTS("b", "\xc3"))),
                     "value 2 of list 2 is not UTF-8 text");
    cr_assert_str_eq(MESSAGE(.metrics = TEXTS("m=regex:x", "m=regex:y"), .n_metrics = 2),
                     "metric 'm' is given twice; give each a name of its own");
    cr_assert(strstr(MESSAGE(.metrics = TEXTS("T=regex:x"), .n_metrics = 1, FACTORS("T=1")),
                     "metric 'T' has the name of a factor"));
    cr_assert(strstr(MESSAGE(.retries = 1001), "1001 retries are more than the limit of 1000"));
    cr_assert(strstr(MESSAGE(.cores = 5000), "5000 cores for a point are more than the limit"));
}

/* A file of so many bytes, most of them a hole. */
static const char *large_file(off_t bytes)
{
    const char *path = help_file("large", "x", 1);

    cr_assert_eq(truncate(path, bytes), 0);
    return path;
}

Test(words, with_files_beyond_the_limit_of_a_study_are_refused)
{
    const char *over = large_file((off_t)SPEC_BYTES_MAX + 1);
    const char *packed = large_file((off_t)SPEC_BYTES_MAX - 1); /* a third more as base64 */

    cr_assert(
        strstr(MESSAGE(INPUTS(over)), "large' makes the study larger than the limit of 64 MiB"));
    cr_assert(strstr(MESSAGE(INPUTS(packed)),
                     "the study has 85 MiB with its files, the limit is 64 MiB; "
                     "let the points read large files by their path"));
    help_remove(over);
    help_remove(packed);
}

Test(words, in_a_directory_that_is_gone)
{
    static const char *const command[] = { "true" };
    char dir[] = "/tmp/grange-test-XXXXXX";
    struct study *s;
    struct fault f;

    cr_assert(mkdtemp(dir) && chdir(dir) == 0 && rmdir(dir) == 0);
    cr_assert_eq(study_from_words(&(struct words){ .command = command, .n_command = 1 }, &s, &f),
                 ERR_IO);
    cr_assert_str_eq(f.text, "cannot tell the working directory: No such file or directory");
}

Test(timeout, has_units)
{
    static const struct {
        const char *text;
        ms_t ms;
        uint32_t percent;
    } cases[] = { { "30s", 30000, 0 },  { "5m", 300000, 0 },    { "5min", 300000, 0 },
                  { "2h", 7200000, 0 }, { "1d", 86400000, 0 },  { "500ms", 500, 0 },
                  { "30", 30000, 0 },   { "1.5h", 5400000, 0 }, { "0.25s", 250, 0 },
                  { "300%", 0, 300 },   { NULL, 0, 0 } };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct study *s = STUDY(.timeout = cases[k].text);
        cr_assert_eq(study_policy(s)->timeout_ms, cases[k].ms, "%s", cases[k].text);
        cr_assert_eq(study_policy(s)->timeout_percent, cases[k].percent, "%s", cases[k].text);
        study_free(s);
    }
    cr_assert_str_eq(
        MESSAGE(.timeout = "5x"),
        "timeout '5x' is no duration; write 30s, 5m, 2h, 1d, 500ms or 300% (of the median)");
    static const char *const bad[] = { "",
                                       "s",
                                       "-5s",
                                       "5 s",
                                       "1.s",
                                       "1.2345s",
                                       "0",
                                       "0.1ms",
                                       "50%",
                                       "99999999999d",
                                       "999999999999999999999",
                                       "1e3" };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        cr_assert(strstr(MESSAGE(.timeout = bad[k]), "timeout '"), "%s", bad[k]);
    cr_assert(strstr(MESSAGE(.timeout = "49711d"), "timeout '49711d' is longer than 49710 days"));
    cr_assert(strstr(MESSAGE(.timeout = "0.1ms"), "is less than 1 ms; leave it out for no limit"));
    cr_assert(strstr(MESSAGE(.timeout = "50%"), "should be 100% to 100000% of the median"));
}

Test(halt, says_when_and_at_how_many)
{
    struct study *s = STUDY(.halt = "now,fail=1");

    cr_assert(study_policy(s)->halt_when == HALT_NOW && study_policy(s)->halt_fails == 1);
    study_free(s);
    s = STUDY(.halt = "soon,fail=5%");
    cr_assert(study_policy(s)->halt_when == HALT_SOON && study_policy(s)->halt_percent == 5);
    cr_assert_eq(study_policy(s)->halt_fails, 0);
    study_free(s);
    s = STUDY(.halt = "never");
    cr_assert_eq(study_policy(s)->halt_when, HALT_NEVER);
    study_free(s);
    cr_assert_str_eq(MESSAGE(.halt = "now"),
                     "halt 'now' should be WHEN,fail=NUMBER; write now,fail=1 or soon,fail=5%");
    cr_assert(strstr(MESSAGE(.halt = "later,fail=1"), "should start with now"));
    static const char *const bad[] = { "now,fail=",     "now,fail=0",  "now,fail=0%",
                                       "now,fail=101%", "now,fail=1x", "now,fail=99999999999",
                                       "now,fail=-1" };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        cr_assert(strstr(MESSAGE(.halt = bad[k]), "should end with a number"), "%s", bad[k]);
}

Test(exits, say_what_a_code_means)
{
    struct study *s = STUDY(.exits = "75:retry,77:fail,3:ok");

    cr_assert_eq(study_policy(s)->exit_action[75], EXIT_RETRY);
    cr_assert_eq(study_policy(s)->exit_action[77], EXIT_FATAL);
    cr_assert_eq(study_policy(s)->exit_action[3], EXIT_OK);
    cr_assert_eq(study_policy(s)->exit_action[0], EXIT_DEFAULT);
    study_free(s);
    cr_assert_str_eq(MESSAGE(.exits = "75:rety"),
                     "exits: '75:rety' should be CODE:ok, CODE:warn, CODE:retry, CODE:fail or "
                     "CODE:quarantine; did you mean 75:retry?");
    cr_assert_str_eq(MESSAGE(.exits = "75"),
                     "exits: '75' should be CODE:ok, CODE:warn, CODE:retry, CODE:fail or "
                     "CODE:quarantine, for example 75:retry");
    cr_assert(strstr(MESSAGE(.exits = "256:ok"), "an exit code, 0 to 255"));
    cr_assert(strstr(MESSAGE(.exits = "ok"), "an exit code, 0 to 255"));
    cr_assert(strstr(MESSAGE(.exits = "1:ok,"), "an exit code, 0 to 255"));
    cr_assert(strstr(MESSAGE(.exits = "1:ok,1:fail"), "the exit code 1 is given twice"));
    cr_assert(
        strstr(MESSAGE(.exits = "1:ok 2:fail and so on and so on and so on"), "should be CODE:ok"));
}

Test(wants, say_where_a_point_may_run_and_whose_turn_it_is)
{
    struct study *s = STUDY(.resources = "gpus=1,disk=20", .require = "arch=arm,big",
                            .least = "10m", .backoff = "1s..60s", .priority = "-5", .weight = 3,
                            .max_running = 7, .speculate = 1, .exits = "3:warn,4:quarantine");
    const struct policy *p = study_policy(s);

    cr_assert(p->needs.n_resources == 2 && p->needs.resources[0].amount == 20);
    cr_assert_str_eq(p->needs.resources[1].name, "gpus");
    cr_assert(p->needs.n_labels == 2 && strcmp(p->needs.labels[1], "big") == 0);
    cr_assert_eq(p->needs.least_ms, 600000);
    cr_assert(p->backoff_min_ms == 1000 && p->backoff_max_ms == 60000);
    cr_assert(p->priority == -5 && p->weight == 3 && p->running_max == 7 && p->speculate);
    cr_assert(p->exit_action[3] == EXIT_WARN && p->exit_action[4] == EXIT_QUARANTINE);
    study_free(s);
    cr_assert_str_eq(MESSAGE(.resources = "gpus=x"),
                     "resource 'gpus=x' should be NAME=NUMBER, for example gpus=1");
    cr_assert(
        strstr(MESSAGE(.resources = "a,b,c,d,e,f,g,h,i"), "a point may take at most 8 resources"));
    cr_assert(strstr(MESSAGE(.require = "a b"), "label 'a b' should be letters"));
    cr_assert(
        strstr(MESSAGE(.require = "a,b,c,d,e,f,g,h,i"), "a point may require at most 8 labels"));
    cr_assert_str_eq(MESSAGE(.exits = "75:retry,75:ok"), "exits: the exit code 75 is given twice");
    cr_assert(strstr(MESSAGE(.least = "soon"),
                     "least 'soon' is no duration; write 30s, 5m, 2h or 1d: "
                     "a point takes at least so long"));
    cr_assert(strstr(MESSAGE(.backoff = "5s"), "backoff '5s' should be MIN..MAX"));
    cr_assert(strstr(MESSAGE(.backoff = "9s..5s"), "should be MIN..MAX"));
    cr_assert(strstr(MESSAGE(.priority = "high"), "priority 'high' should be a whole number"));
    cr_assert(strstr(MESSAGE(.priority = "1000001"), "should be a whole number"));
    cr_assert(strstr(MESSAGE(.weight = 1001), "a weight of 1001 is more than the limit of 1000"));
}

Test(memory, has_units)
{
    static const struct {
        const char *text;
        uint32_t mib;
    } cases[] = { { "512M", 512 }, { "2G", 2048 },   { "1.5G", 1536 },  { "1T", 1048576 },
                  { "1K", 1 },     { "2048KiB", 2 }, { "512MiB", 512 }, { NULL, 0 } };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct study *s = STUDY(.memory = cases[k].text);
        cr_assert_eq(study_policy(s)->needs.memory_mib, cases[k].mib, "%s", cases[k].text);
        study_free(s);
    }
    cr_assert_str_eq(MESSAGE(.memory = "512"), "memory '512' is no amount; write 512M or 2G");
    cr_assert(strstr(MESSAGE(.memory = "lots"), "is no amount"));
    cr_assert(strstr(MESSAGE(.memory = "0M"), "memory '0M' is nothing; leave it out"));
    cr_assert(strstr(MESSAGE(.memory = "999999999999T"), "more than any machine has"));
}

Test(policy, has_defaults)
{
    struct study *s = STUDY(.n = 0);
    const struct policy *p = study_policy(s);

    cr_assert(p->needs.cores == 1 && p->grace_ms == KILL_GRACE_MS && p->retries == 0 &&
              !p->order_seed);
    study_free(s);
}

/* Every word there is. */
static struct study *full_study(const char *table, const char *values, const char *text,
                                const char *binary)
{
    return STUDY(.name = "full", COMMAND("./sim", "{T}", "{seed}", "{{}}\n\"", "{}"),
                 FACTORS(help_word("@%s", table), help_word("(s=@%s + k=lin(0,1,3))", values),
                         "T=280:320:10", "w=\"a,b\",\xc3\xa4"),
                 LISTS(TEXTS("x y", ""), TEXTS("\x01")), .where = "T > 1", .reps = 2,
                 .seed = UINT64_MAX, .code_version = "v1", INPUTS(text, binary),
                 .metrics = TEXTS("m=regex:x *= *([0-9]+)"), .n_metrics = 1, .timeout = "300%",
                 .halt = "soon,fail=5%", .exits = "75:retry", .memory = "1G", .retries = 3,
                 .cores = 2, .shuffle = -1, .cwd = "/tmp");
}

Test(json, gives_the_same_study_and_the_same_bytes)
{
    const char *table = help_file("t.csv", "a,b\n1,2\n3,4\n", 12);
    const char *values = help_file("v", "1\n2\n3\n", 6);
    const char *text = help_file("deck", "{T} {seed}", 10);
    const char *binary = help_file("blob", "{T}\0\xff\x80", 6);
    struct study *s = full_study(table, values, text, binary), *copy;
    struct buf one = { 0 }, two = { 0 };
    struct fault f;

    help_remove(table);
    help_remove(values);
    help_remove(text);
    help_remove(binary);
    study_to_json(s, &one);
    cr_assert_eq(study_from_json(one.data, one.n, &copy, &f), ERR_NONE, "%s", f.text);
    study_to_json(copy, &two);
    cr_assert_str_eq(two.data, one.data);
    cr_assert_str_eq(help_labels(copy), help_labels(s));
    cr_assert_eq(memcmp(study_policy(copy), study_policy(s), sizeof(struct policy)), 0);
    cr_assert_str_eq(study_where(copy), "T > 1");
    cr_assert_str_eq(study_cwd(copy), "/tmp");
    cr_assert_str_eq(study_metric_name(copy, 0), "m");
    struct point p, q;
    uint64_t a[2], b[2];
    point_init(&p);
    point_init(&q);
    study_point(s, 77, &p);
    study_point(copy, 77, &q);
    study_identity(s, &p, a);
    study_identity(copy, &q, b);
    cr_assert(a[0] == b[0] && a[1] == b[1] && study_seed(s, &p) == study_seed(copy, &q));
    buf_clear(&one);
    study_input_render(copy, 1, &q, &(struct dirs){ 0 }, &one);
    cr_assert_eq(one.n, 6);
    cr_assert_eq(memcmp(one.data, "320\0\xff\x80", 6), 0);
    point_fini(&p);
    point_fini(&q);
    buf_fini(&one);
    buf_fini(&two);
    cr_assert(same_key(s, copy));
}

Test(item, written_for_a_list_is_read_as_the_same_value)
{
    static const char *const values[] = { "1",         "a b", " x ",     "",      "a,b",
                                          "say \"x\"", "1:3", "1..3",    "@f",    "lin(0,1,2)",
                                          "log:1",     "(a)", "a + b=c", "12:30", "no",
                                          "'",         "a\nb" };
    struct buf word = { 0 };

    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        for (int zipped = 0; zipped < 2; zipped++) {
            buf_clear(&word);
            buf_adds(&word, zipped ? "(v=" : "v=");
            factor_add_item(&word, values[k]);
            buf_adds(&word, zipped ? " + w=1)" : "");
            struct study *s = STUDY(FACTORS(word.data));
            struct point p;
            point_init(&p);
            cr_assert_eq(study_n_points(s), 1, "%s", word.data);
            study_point(s, 0, &p);
            cr_assert_str_eq(p.values[0], values[k]);
            point_fini(&p);
            study_free(s);
        }
    }
    buf_fini(&word);
}

Test(base64, is_what_the_rfc_says)
{
    static const char *const known[][2] = { { "", "" },
                                            { "f", "Zg==" },
                                            { "fo", "Zm8=" },
                                            { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg==" },
                                            { "fooba", "Zm9vYmE=" },
                                            { "foobar", "Zm9vYmFy" } };
    struct buf b = { 0 };

    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        buf_clear(&b);
        text_add_base64(&b, known[k][0], strlen(known[k][0]));
        cr_assert_str_eq(buf_text(&b), known[k][1]);
        buf_clear(&b);
        cr_assert(text_add_unbase64(&b, known[k][1], strlen(known[k][1])));
        cr_assert_str_eq(buf_text(&b), known[k][0]);
    }
    buf_fini(&b);
}

Test(longest_first, names_a_factor_of_numbers)
{
    struct study *s = STUDY(FACTORS("a=x,y", "n=1,30,2"), .longest_first = "n", .shuffle = 1);

    cr_assert_eq(study_longest_first(s), 1);
    cr_assert_eq(study_policy(s)->order_seed, 0, "no permutation beside it");
    study_free(s);
    s = STUDY(FACTORS("n=1,2"));
    cr_assert_eq(study_longest_first(s), SIZE_MAX);
    study_free(s);
    cr_assert_str_eq(MESSAGE(FACTORS("n=1,2"), .longest_first = "m"),
                     "longest first: there is no factor 'm'");
    cr_assert(strstr(MESSAGE(FACTORS("n=1,x"), .longest_first = "n"), "are not all numbers"));
}
