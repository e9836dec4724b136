/* study_stages: `stages:` in a study file: their order, what they know of each other, what is
 * wrong. */
#include <errno.h>

#include "tests/unit/study_help.h"

static char path[200];

static enum err read_text(const char *text, struct stages *stages, struct fault *f)
{
    const char *file = help_file("wing.yaml", text, strlen(text));
    snprintf(path, sizeof path, "%s", file);
    enum err err = stages_from_yaml(file, "/tmp", NULL, stages, f);
    help_remove(file);
    return err;
}

static struct stages good(const char *text)
{
    struct stages stages;
    struct fault f = { 0 };
    enum err err = read_text(text, &stages, &f);
    cr_assert_eq(err, ERR_NONE, "%s", f.text);
    return stages;
}

/* What is said of a wrong file, without its path. */
static const char *bad(const char *text)
{
    static struct fault f;
    struct stages stages;
    enum err err = read_text(text, &stages, &f);
    cr_assert_neq(err, ERR_NONE, "accepted");
    cr_assert_eq(stages.n, 0);
    cr_assert(strncmp(f.text, path, strlen(path)) == 0, "%s", f.text);
    return f.text + strlen(path);
}

static const char three[] = "seed: 7\n"
                            "stages:\n"
                            "  collect:\n"
                            "    after: simulate\n"
                            "    command: [./collect, '{simulate.out}', '{simulate.list}']\n"
                            "  simulate:\n"
                            "    after: mesh\n"
                            "    command: [./sim, '-a', '{alpha}', '{mesh.out}/m.msh']\n"
                            "    factors: {alpha: '0:2:1'}\n"
                            "  post:\n"
                            "    after: {simulate: [each, either]}\n"
                            "    command: [./post, '{alpha}', '{simulate.out}']\n"
                            "  mesh:\n"
                            "    command: ./mesh -o {out}\n";

static char *line(const struct study *s, uint64_t i, const char *root)
{
    static char text[600];
    struct dirs dirs = { "/r/attempts/9", root };
    struct buf b = { 0 };
    struct point p;

    point_init(&p);
    study_point(s, i, &p);
    study_command_line(s, &p, &dirs, &b);
    snprintf(text, sizeof text, "%s", buf_text(&b));
    buf_fini(&b);
    point_fini(&p);
    return text;
}

static char *dir_of(const struct study *s, uint64_t i)
{
    static char text[300];
    struct buf b = { 0 };
    struct point p;

    point_init(&p);
    study_point(s, i, &p);
    buf_addf(&b, "/r/points/%s/", study_name(s));
    study_point_dirname(s, &p, &b);
    snprintf(text, sizeof text, "%s", buf_text(&b));
    buf_fini(&b);
    point_fini(&p);
    return text;
}

Test(study_stages, come_in_an_order_in_which_they_can_run)
{
    struct stages st = good(three);

    cr_assert_eq(st.n, 4);
    cr_assert(st.staged);
    cr_assert_str_eq(st.name, "wing");
    cr_assert_str_eq(study_name(st.items[0]), "wing.mesh");
    cr_assert_str_eq(study_name(st.items[1]), "wing.simulate");
    cr_assert_str_eq(study_name(st.items[2]), "wing.collect");
    cr_assert_str_eq(study_name(st.items[3]), "wing.post");
    for (size_t i = 0; i < st.n; i++)
        cr_assert(study_needs_dir(st.items[i]));
    stages_free(&st);
}

Test(study_stages, see_the_output_of_what_they_waited_for)
{
    struct stages st = good(three);
    char expected[700];

    snprintf(expected, sizeof expected, "./sim -a 1 '%s/m.msh'", dir_of(st.items[0], 0));
    cr_assert_str_eq(line(st.items[1], 1, "/r"), expected);
    cr_assert_str_eq(line(st.items[2], 0, "/r"),
                     "./collect /r/points/wing.simulate /r/attempts/9/simulate.csv");
    snprintf(expected, sizeof expected, "./post 2 '%s'", dir_of(st.items[1], 2));
    cr_assert_str_eq(line(st.items[3], 2, "/r"), expected);
    cr_assert(study_after(st.items[3], 0)->each);
    cr_assert_eq(study_after(st.items[3], 0)->on, AFTER_EITHER);
    stages_free(&st);
}

Test(study_stages, are_the_same_after_json)
{
    struct stages st = good(three);

    for (size_t i = 0; i < st.n; i++) {
        struct buf one = { 0 }, two = { 0 };
        struct study *copy;
        struct fault f = { 0 };
        uint64_t key[2], again[2];
        study_to_json(st.items[i], &one);
        cr_assert_eq(study_from_json(one.data, one.n, &copy, &f), ERR_NONE, "%s", f.text);
        study_to_json(copy, &two);
        cr_assert_str_eq(one.data, two.data);
        study_key(st.items[i], key);
        study_key(copy, again);
        cr_assert(key[0] == again[0] && key[1] == again[1]);
        cr_assert_str_eq(line(copy, 0, "/r"), line(st.items[i], 0, "/r"));
        study_free(copy);
        buf_fini(&one);
        buf_fini(&two);
    }
    stages_free(&st);
}

/* The text with a replaced by b. */
static char *with(const char *text, const char *a, const char *b)
{
    static char out[2000];
    const char *at = strstr(text, a);

    cr_assert_not_null(at);
    snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, b, at + strlen(a));
    return out;
}

static bool same_point(const struct stages *a, const struct stages *b, size_t stage, uint64_t i)
{
    uint64_t one[2], two[2];
    struct point p;

    point_init(&p);
    study_point(a->items[stage], i, &p);
    study_identity(a->items[stage], &p, one);
    study_point(b->items[stage], i, &p);
    study_identity(b->items[stage], &p, two);
    point_fini(&p);
    return one[0] == two[0] && one[1] == two[1];
}

Test(study_stages, run_again_when_what_they_wait_for_is_another)
{
    struct stages st = good(three), other = good(with(three, "./mesh -o", "./mesh2 -o"));

    for (size_t k = 0; k < 4; k++)
        cr_assert_not(same_point(&st, &other, k, 0), "stage %zu", k);
    stages_free(&other);
    /* One more point of simulate: its old points and their posts stay, the collection is another.
     */
    other = good(with(three, "0:2:1", "0:3:1"));
    cr_assert(same_point(&st, &other, 0, 0));
    cr_assert(same_point(&st, &other, 1, 2));
    cr_assert(same_point(&st, &other, 3, 2));
    cr_assert_not(same_point(&st, &other, 2, 0));
    stages_free(&other);
    stages_free(&st);
}

Test(study_stages, list_the_points_of_a_stage_as_csv)
{
    struct stages st = good(three);
    const char *file = help_file("list.csv", "", 0);
    char expected[1000], text[1000] = "", zero[300];

    cr_assert(study_after_list(st.items[2], 0));
    cr_assert_eq(study_after_write(st.items[2], 0, "/r", file), 0);
    FILE *f = fopen(file, "r");
    cr_assert_gt(fread(text, 1, sizeof text - 1, f), 0);
    fclose(f);
    help_remove(file);
    snprintf(zero, sizeof zero, "\"%s\"", dir_of(st.items[1], 0));
    if (!strchr(dir_of(st.items[1], 0), ','))
        snprintf(zero, sizeof zero, "%s", dir_of(st.items[1], 0));
    snprintf(expected, sizeof expected, "index,alpha,dir\n0,0,%s\n", zero);
    cr_assert(strncmp(text, expected, strlen(expected)) == 0, "%s", text);
    cr_assert_eq(study_after_write(st.items[2], 0, "/r", "/nowhere/x"), ENOENT);
    stages_free(&st);
}

#define TWO(after) "stages:\n  a:\n    command: ./a\n  b:\n    after: " after "\n    command: ./b\n"

Test(study_stages, say_what_is_wrong)
{
    cr_expect_str_eq(bad(TWO("mesh")), ":5: stage 'b' waits for 'mesh', which is no stage");
    cr_expect_str_eq(bad(TWO("b")), ":5: these stages wait for each other: b -> b");
    cr_expect_str_eq(bad(TWO("[a, a]")), ":5: key 'after': stage 'a' stands there twice");
    cr_expect_str_eq(bad(TWO("{a: eech}")),
                     ":5: key 'after': 'eech' must be all, any or each, and success, failure or "
                     "either; did you mean 'each'?");
    cr_expect_str_eq(bad(TWO("{a: [each, any]}")),
                     ":5: key 'after': each and any exclude each other");
    cr_expect_str_eq(bad("stages:\n  a: {command: ./a, after: c}\n  b: {command: ./b, after: a}\n"
                         "  c: {command: ./c, after: b}\n"),
                     ":3: these stages wait for each other: a -> c -> b -> a");
    cr_expect_str_eq(bad("command: ./x\nstages:\n  a: {command: ./a}\n"),
                     ":3: beside 'stages' only what holds for all of them can stand (study, seed, "
                     "task, exit, halt, shuffle, code_version); move the rest into a stage");
    cr_expect(strncmp(bad("stages:\n  a: {command: ./a, study: x}\n"),
                      ":2: key 'study' is not known; a stage may have: after, ", 53) == 0);
    cr_expect(strncmp(bad("command: ./x\nafter: y\n"),
                      ":2: key 'after' is not known; the study file may have: study, ", 60) == 0);
    cr_expect_str_eq(bad("stages:\n  a b: {command: ./a}\n"),
                     ":2: 'a b' cannot be the name of a stage; use letters, digits, _ and -");
    cr_expect_str_eq(
        bad(TWO("{a: each}\n    factors: {x: '1,2'}")),
        ":4: stage 'b' waits for each point of 'a', so it has the points of that; leave "
        "out its factors, lists, design, n, reps and where");
    cr_expect_str_eq(bad("stages:\n  a:\n    command: ./a\n  b:\n    after: a\n"
                         "    command: ./b {a.oot}\n"),
                     ":6: the command has an unknown placeholder {a.oot}; did you mean {a.out}?; "
                     "write {{a.oot}} for the text itself; known are {#}, {seed}, {rep}, {study}, "
                     "{out}, {a.out}");
    cr_expect_str_eq(bad("stages: {}\n"), ":1: 'stages' is empty");
    char many[4096] = "stages:\n";
    for (size_t i = 0, n = strlen(many); i <= STAGES_MAX; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "  s%zu: {command: a}\n", i);
    cr_expect_str_eq(bad(many), ":2: 65 stages are more than the limit of 64");
    cr_expect_str_eq(bad("stages:\n"),
                     ":1: key 'stages' must be a mapping (KEY: VALUE), not a text");
}

Test(study_stages, take_no_words_that_belong_to_one_of_them)
{
    const char *file = help_file("wing.yaml", three, strlen(three));
    const char *const factors[] = { "x=1", NULL };
    struct study *s = NULL;
    struct stages stages;
    struct fault f;

    cr_assert_eq(stages_from_yaml(file, "/tmp",
                                  &(struct words){ .factors = factors, .n_factors = 1 }, &stages,
                                  &f),
                 ERR_USAGE);
    cr_assert(strstr(f.text, "wing.yaml has stages: commands, factors, inputs and metrics belong"));
    cr_assert_eq(study_from_yaml(file, "/tmp", NULL, &s, &f), ERR_USAGE);
    cr_assert(strstr(f.text, "a study with stages is run as a whole: grange run /tmp"));
    cr_assert_null(s);
    help_remove(file);
}

Test(study_stages, a_file_without_stages_is_one_study)
{
    struct stages st = good("command: ./a\n");
    cr_assert_eq(st.n, 1);
    cr_assert_not(st.staged);
    cr_assert_str_eq(study_name(st.items[0]), "a");
    stages_free(&st);
}
