/* yaml: study files. What they say, what is wrong in them, and that a written one reads back. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "study/impl.h"
#include "study/study.h"

static char dir[] = "/tmp/grange-yaml-XXXXXX";
static char path[100];

static void write_file(const char *name, const char *text)
{
    char to[100];
    snprintf(to, sizeof to, "%s/%s", dir, name);
    FILE *f = fopen(to, "w");
    cr_assert(f);
    fputs(text, f);
    fclose(f);
}

static void make_dir(void)
{
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/study.yaml", dir);
}

static void remove_dir(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

static struct study *read_over(const char *text, const struct words *over)
{
    struct study *s = NULL;
    struct fault f = { 0 };
    write_file("study.yaml", text);
    enum err err = study_from_yaml(path, "/", over, &s, &f);
    cr_assert_eq(err, ERR_NONE, "%s", f.text);
    return s;
}

static struct study *read_text(const char *text)
{
    return read_over(text, NULL);
}

/* What is said about a wrong file, behind the directory's name. */
static const char *wrong(const char *text)
{
    static struct fault f;
    struct study *s = NULL;
    write_file("study.yaml", text);
    cr_assert_neq(study_from_yaml(path, "/", NULL, &s, &f), ERR_NONE, "%s", text);
    cr_assert_null(s);
    char *name = strstr(f.text, "study.yaml");
    return name ? name : f.text;
}

static void check_wrong(const char *text, const char *start)
{
    const char *said = wrong(text);
    cr_assert(strncmp(said, start, strlen(start)) == 0, "%s\nsaid: %s", text, said);
}

static const char *value(const struct study *s, uint64_t i, size_t j)
{
    static struct point p;
    study_point(s, i, &p);
    cr_assert_lt(j, p.n);
    return p.values[j];
}

TestSuite(yaml, .init = make_dir, .fini = remove_dir);

#define COMMAND "command: echo {T}\n"

Test(yaml, every_word_may_be_written_down)
{
    write_file("deck.cir", "R={T}\n");
    struct study *s = read_text("study: rlc\n"
                                "command: [ngspice, -b, deck.cir]\n"
                                "factors:\n"
                                "  T: 280:300:10\n"
                                "  n: [1, 2]\n"
                                "where: n*T < 1200\n"
                                "reps: 2\n"
                                "seed: 18446744073709551615\n"
                                "code_version: v1.5\n"
                                "input: deck.cir\n"
                                "metrics:\n"
                                "  fc: 'regex:fc *= *([-+.0-9eE]+)'\n"
                                "  e: json:out.json:a.b[0]\n"
                                "task: {timeout: 30s, retries: 3, cores: 2, memory: 512M,\n"
                                "       resources: {gpus: 1, disk: 20}, require: [big, arch=arm],\n"
                                "       least: 10m, backoff: 1s..60s, speculate: yes,\n"
                                "       restart: './sim --from {out}/check'}\n"
                                "priority: 5\n"
                                "weight: 2\n"
                                "max_running: 3\n"
                                "exit: {75: retry, 77: fail, 3: ok}\n"
                                "halt: soon,fail=5%\n"
                                "shuffle: no\n");
    const struct words *w = study_words(s);
    const struct policy *p = study_policy(s);
    cr_assert_str_eq(study_name(s), "rlc");
    cr_assert_eq(w->n_command, 3);
    cr_assert_eq(study_n_points(s), 12);
    cr_assert_str_eq(study_where(s), "n*T < 1200");
    cr_assert_eq(w->seed, UINT64_MAX);
    cr_assert_str_eq(w->code_version, "v1.5");
    cr_assert_str_eq(study_input_name(s, 0), "deck.cir");
    cr_assert_str_eq(study_metric_name(s, 1), "e");
    cr_assert_eq(p->timeout_ms, 30000);
    cr_assert_eq(p->retries, 3);
    cr_assert_eq(p->needs.cores, 2);
    cr_assert_eq(p->needs.memory_mib, 512);
    cr_assert_eq(p->exit_action[75], EXIT_RETRY);
    cr_assert_eq(p->exit_action[77], EXIT_FATAL);
    cr_assert_eq(p->exit_action[3], EXIT_OK);
    cr_assert_eq(p->halt_when, HALT_SOON);
    cr_assert_eq(p->needs.n_resources, 2);
    cr_assert_str_eq(w->resources, "gpus=1,disk=20");
    cr_assert_str_eq(p->needs.labels[0], "arch=arm");
    cr_assert_str_eq(w->restart, "./sim --from {out}/check");
    cr_assert(p->needs.least_ms == 600000 && p->backoff_max_ms == 60000 && p->speculate);
    cr_assert(p->priority == 5 && p->weight == 2 && p->running_max == 3);
    cr_assert_eq(w->shuffle, -1);
    study_free(s);
}

Test(yaml, values_are_taken_as_they_are_spelled)
{
    static const char *const values[] = { "no",  "1e-3",       "0x10",       "true",
                                          "~",   "007",        "1_000",      " a ",
                                          "a,b", "say \"x\"",  "1:3",        "@x",
                                          "",    "lin(0,1,3)", "two\nlines", "\xc3\xa4" };
    struct study *s = read_text(COMMAND "factors:\n"
                                        "  T: [no, 1e-3, 0x10, true, ~, 007, 1_000, ' a ', 'a,b',"
                                        " 'say \"x\"', '1:3', '@x', '', 'lin(0,1,3)',"
                                        " \"two\\nlines\", \xc3\xa4]\n");
    cr_assert_eq(study_n_points(s), sizeof values / sizeof *values);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        cr_assert_str_eq(value(s, i, 0), values[i]);
    study_free(s);
}

Test(yaml, a_list_of_one_value_is_that_value)
{
    static const char *const values[] = { "1:3", "@x", "lin(0,1,3)", "1..3", "log:1..3", "a,b" };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[100];
        snprintf(text, sizeof text, COMMAND "factors: {T: ['%s']}\n", values[i]);
        struct study *s = read_text(text);
        cr_assert_eq(study_n_points(s), 1, "%s", values[i]);
        cr_assert_str_eq(value(s, 0, 0), values[i]);
        study_free(s);
    }
}

Test(yaml, factors_may_be_a_list_of_texts_as_typed)
{
    write_file("points.csv", "a,b\n1,x\n2,y\n");
    struct study *s = read_text("command: echo {T} {a} {c} {u}\n"
                                "factors:\n"
                                "  - T=1,2,3\n"
                                "  - \"@points.csv\"\n"
                                "  - (c=1,2 + d=x,y)\n"
                                "  - u: [p, q]\n");
    cr_assert_eq(study_n_points(s), 3 * 2 * 2 * 2);
    cr_assert_eq(study_n_factors(s), 6);
    cr_assert_str_eq(study_factor_name(s, 5), "u");
    study_free(s);
}

Test(yaml, files_are_found_beside_the_study_file)
{
    write_file("values.txt", "5\n6\n");
    write_file("in.txt", "{T}");
    struct study *s = read_text(COMMAND "factors: {T: '@values.txt'}\ninput: in.txt\n");
    cr_assert_eq(study_n_points(s), 2);
    cr_assert_str_eq(study_cwd(s), "/");
    study_free(s);
}

Test(yaml, positional_lists_and_a_sampled_design)
{
    struct study *s = read_text("command: [echo, '{1}', '{2}']\nlists: [[1, 2, 3], [a, b]]\n");
    cr_assert_eq(study_n_points(s), 6);
    study_free(s);
    s = read_text(COMMAND "factors: {T: 280..320}\ndesign: {kind: sobol, n: 16}\n");
    cr_assert_eq(study_n_points(s), 16);
    study_free(s);
    s = read_text(COMMAND "factors: {T: 280..320}\ndesign: lhs\nn: 5\n");
    cr_assert_eq(study_n_points(s), 5);
    study_free(s);
}

Test(yaml, words_beside_the_file_win)
{
    const char *const factors[] = { "T=1:7" };
    const struct words over = { .name = "other", .factors = factors, .n_factors = 1, .retries = 9 };
    struct study *s = read_over(
        "study: mine\n" COMMAND "factors: {T: '@none'}\ntask: {retries: 1, cores: 2}\n", &over);
    cr_assert_str_eq(study_name(s), "other");
    cr_assert_eq(study_n_points(s), 7);
    cr_assert_eq(study_policy(s)->retries, 9);
    cr_assert_eq(study_policy(s)->needs.cores, 2);
    study_free(s);
}

Test(yaml, a_wrong_word_beside_the_file_is_not_blamed_on_it)
{
    const char *const factors[] = { "T=" };
    const struct words over = { .factors = factors, .n_factors = 1 };
    struct study *s = NULL;
    struct fault f;
    write_file("study.yaml", COMMAND "factors: {T: 1}\n");
    cr_assert_eq(study_from_yaml(path, "/", &over, &s, &f), ERR_USAGE);
    cr_assert_null(strstr(f.text, "study.yaml"), "%s", f.text);
}

Test(yaml, unknown_keys_get_a_suggestion_or_the_list)
{
    check_wrong("study: x\n" COMMAND "facters: {T: 1}\n",
                "study.yaml:3: key 'facters' is not known; did you mean 'factors'?");
    check_wrong(
        "zzzzzz: 1\n",
        "study.yaml:1: key 'zzzzzz' is not known; the study file may have: study, command,");
    check_wrong(COMMAND "task:\n  timout: 3\n",
                "study.yaml:3: key 'timout' is not known; did you mean 'timeout'?");
    check_wrong(COMMAND "design: {king: lhs}\n", "study.yaml:2: key 'king' is not known; did you");
}

Test(yaml, wrong_types_name_line_and_key)
{
    check_wrong("- a\n", "study.yaml:1: the study file must be a mapping (KEY: VALUE), not a list");
    check_wrong("study: [a]\n", "study.yaml:1: key 'study' must be a text or a number, not a list");
    check_wrong("command: {a: b}\n",
                "study.yaml:1: key 'command' must be a text or a list of texts");
    check_wrong("command:\n  - a\n  - [b]\n", "study.yaml:3: key 'command' must be a text");
    check_wrong(COMMAND "reps: many\n", "study.yaml:2: key 'reps': 'many' is no whole number");
    check_wrong(COMMAND "reps: -1\n", "study.yaml:2: key 'reps': '-1' is no whole number");
    check_wrong(COMMAND "reps: 4294967296\n",
                "study.yaml:2: key 'reps': 4294967296 is larger than 4294967295");
    check_wrong(COMMAND "seed: 1e3\n", "study.yaml:2: key 'seed': '1e3' is no whole number");
    check_wrong(COMMAND "factors: T\n", "study.yaml:2: key 'factors' must be a mapping");
    check_wrong(COMMAND "factors:\n  T: {a: b}\n", "study.yaml:3: factor 'T' must be a text");
    check_wrong(COMMAND "factors: {T: []}\n", "study.yaml:2: factor 'T' has no values");
    check_wrong(COMMAND "factors:\n  T:\n",
                "study.yaml:3: factor 'T' has no value; an empty text is ''");
    check_wrong(COMMAND "factors:\n  T:\n  - 1\n  -\n", "study.yaml:5: factor 'T' has no value");
    check_wrong(COMMAND "factors: {'@x.csv': 1}\n",
                "study.yaml:2: '@x.csv' is no name of a factor");
    check_wrong(COMMAND "factors: [{a: 1, b: 2}]\n", "study.yaml:2: an item of 'factors' is one");
    check_wrong(COMMAND "lists: [1, 2]\n",
                "study.yaml:2: key 'lists' must be a list of lists; this item is a text");
    check_wrong(COMMAND "lists: 1\n",
                "study.yaml:2: key 'lists' must be a list of lists, not a text");
    check_wrong(COMMAND "shuffle: maybe\n",
                "study.yaml:2: key 'shuffle': 'maybe' must be yes or no");
    check_wrong(COMMAND "task: 3\n", "study.yaml:2: key 'task' must be a mapping");
    check_wrong(COMMAND "exit: {75: 'retry,3:ok'}\n",
                "study.yaml:2: key 'exit': '75: retry,3:ok' must be a status and retry, fail, ok, "
                "warn or quarantine");
    check_wrong(COMMAND "exit: {75: {a: b}}\n", "study.yaml:2: key 'exit' must be a text");
    check_wrong(COMMAND "study: \"a\\0b\"\n", "study.yaml:2: key 'study' has a zero byte");
}

Test(yaml, a_key_twice_is_refused)
{
    check_wrong("study: a\n" COMMAND "study: b\n",
                "study.yaml:3: key 'study' was given on line 1 already");
    check_wrong(COMMAND "factors:\n  T: 1\n  T: 2\n",
                "study.yaml:4: key 'T' was given on line 3 already");
    check_wrong(COMMAND "input: a\ninputs: b\n",
                "study.yaml:3: key 'inputs': 'input' and 'inputs'");
}

Test(yaml, broken_text_names_the_line)
{
    check_wrong("study: a\nfactors:\n\tT: 1\n", "study.yaml:3: a tab stands here");
    check_wrong("study: 'a\n",
                "study.yaml:2: column 1: found unexpected end of stream (while scanning a quoted "
                "scalar that starts on line 1)");
    check_wrong("study: a\n b: c\n",
                "study.yaml:2: column 3: a second ': ' here; is the indentation right?");
    check_wrong("command: [a\n", "study.yaml:2: ");
    check_wrong("study: a\xff\n", "study.yaml:1: this line is not UTF-8 text");
    check_wrong("", "study.yaml: the study file is empty");
    check_wrong("# nothing\n", "study.yaml: the study file is empty");
    check_wrong(COMMAND "---\nstudy: b\n", "study.yaml:2: a second document");
    check_wrong(COMMAND "---\n'", "study.yaml:3: column 2: found unexpected end of stream");
    check_wrong("study: *b\n", "study.yaml:1: ");
    check_wrong("a: &a [*a]\n", "study.yaml:1: key 'a' is not known");
    check_wrong("factors: &a [*a]\n", "study.yaml:1: a factor must be a text");
}

Test(yaml, what_the_study_does_not_like_is_said_with_its_line)
{
    check_wrong("command: echo {T} {U}\nfactors:\n  T: 1\n  U: 280:320:-10\n", "study.yaml:4: ");
    check_wrong(COMMAND "factors:\n  - T=1\n  - T=2\n", "study.yaml:4: ");
    check_wrong("study: a\n" COMMAND "factors: {V: 1}\n", "study.yaml:2: ");
    check_wrong(COMMAND "factors: {T: 1}\ntask:\n  cores: 1\n  timeout: soon\n", "study.yaml:5: ");
    check_wrong(COMMAND "factors: {T: 1}\nexit: {75: rerun}\n", "study.yaml:3: ");
    check_wrong(COMMAND "factors: {T: 1}\nmetrics:\n  a: regex:x\n  b: regex:(\n",
                "study.yaml:5: metric 'b': the regular expression is wrong at character 2");
    check_wrong(COMMAND "factors: {T: 1}\ninputs:\n  - none\n", "study.yaml:4: ");
    check_wrong(COMMAND "factors: {T: 1}\ndesign: {kind: cubes, n: 3}\n", "study.yaml:3: ");
    check_wrong(COMMAND "factors: {T: 1}\nhalt: often\n", "study.yaml:3: ");
    check_wrong("study: ../a\n" COMMAND "factors: {T: 1}\n", "study.yaml:1: ");
}

Test(yaml, a_file_that_is_not_there_is_named)
{
    struct study *s = NULL;
    struct fault f;
    cr_assert_eq(study_from_yaml("/nowhere/study.yaml", "/", NULL, &s, &f), ERR_NOT_FOUND);
    cr_assert_str_eq(f.text, "study file /nowhere/study.yaml: No such file or directory");
    cr_assert_eq(study_from_yaml(dir, "/", NULL, &s, &f), ERR_IO);
    cr_assert(strstr(f.text, ": Is a directory"));
    write_file("study.yaml", "");
    cr_assert_eq(truncate(path, (16 << 20) + 1), 0);
    cr_assert_eq(study_from_yaml(path, "/", NULL, &s, &f), ERR_LIMIT);
    cr_assert(strstr(f.text, "is larger than 16 MiB; put long lists into a file: NAME: '@FILE'"),
              "%s", f.text);
}

/* Writes a study and reads it again; the same points, and the same policy. */
static void check_round_trip(const struct words *w)
{
    struct study *s = NULL, *again = NULL;
    struct fault f = { 0 };
    struct buf text = { 0 }, second = { 0 };
    uint64_t key[2], key_again[2];

    cr_assert_eq(study_from_words(w, &s, &f), ERR_NONE, "%s", f.text);
    study_to_yaml(s, &text);
    write_file("study.yaml", text.data);
    cr_assert_eq(study_from_yaml(path, w->cwd, NULL, &again, &f), ERR_NONE, "%s\n%s", f.text,
                 text.data);
    study_key(s, key);
    study_key(again, key_again);
    cr_assert_arr_eq(key, key_again, sizeof key, "%s", text.data);
    cr_assert_arr_eq(study_policy(s), study_policy(again), sizeof(struct policy), "%s", text.data);
    study_to_yaml(again, &second);
    cr_assert_str_eq(text.data, second.data);
    struct buf json = { 0 }, json_again = { 0 };
    study_to_json(s, &json);
    study_to_json(again, &json_again);
    cr_assert_str_eq(json.data, json_again.data);
    buf_fini(&json);
    buf_fini(&json_again);
    buf_fini(&text);
    buf_fini(&second);
    study_free(s);
    study_free(again);
}

Test(yaml, a_written_study_reads_back_the_same)
{
    const char *const command[] = {
        "./sim", "-T",         "{T}",         "no",   "",         " a ",
        "it's",  "\"q\"",      "#x",          "a: b", "- a",      "{n}",
        "[x",    "two\nlines", "\ttab",       "@a",   "%",        "\xc3\xa4",
        "&a",    "*b",         "!c",          "|",    ">",        "null",
        "1e3",   "? x",        "trailing \n", "{{",   "\x01\x7f", "\xf0\x9f\x8c\xbe"
    };
    const char *const factors[] = { "T=280:320:10", "n=1,\"a,b\",no,1e-3, x" };
    const char *const metrics[] = { "fc=regex:fc *= *([-+.0-9eE]+) # \"x\": '", "e=json::a.b" };
    const struct words w = {
        .name = "rlc",
        .command = command,
        .n_command = sizeof command / sizeof *command,
        .factors = factors,
        .n_factors = 2,
        .where = "n <> 'it''s: #1'",
        .reps = 3,
        .seed = 42,
        .code_version = "",
        .metrics = metrics,
        .n_metrics = 2,
        .timeout = "300%",
        .retries = 2,
        .cores = 2,
        .memory = "2G",
        .halt = "soon,fail=5%",
        .exits = "75:retry,77:fail,3:ok",
        .shuffle = 1,
        .cwd = dir,
    };
    check_round_trip(&w);
}

Test(yaml, tables_lists_inputs_and_designs_read_back_the_same)
{
    write_file("points.csv", "a,b\n1,x\n2,y\n");
    write_file("deck.cir", "R={a}\n");
    const char *const shell[] = { "sim {a} | tail -1\n" }, *const inputs[] = { "deck.cir" };
    const char *const factors[] = { "@points.csv", "(c=1,2 + d=x,y)", "T=1" };
    const struct words tables = { .command = shell,
                                  .n_command = 1,
                                  .factors = factors,
                                  .n_factors = 3,
                                  .inputs = inputs,
                                  .n_inputs = 1,
                                  .cwd = dir };
    check_round_trip(&tables);
    const char *const ones[] = { "1", "no", "", NULL }, *const twos[] = { "a,b", NULL };
    const char *const *const lists[] = { ones, twos };
    const char *const echo[] = { "echo", "{1}", "{2}" };
    const struct words positional = {
        .command = echo, .n_command = 3, .lists = lists, .n_lists = 2, .cwd = dir
    };
    check_round_trip(&positional);
    const char *const spans[] = { "T=280..320", "k=log:1e-3..1e-1" };
    const struct words sampled = {
        .function = "noop", .factors = spans, .n_factors = 2, .design = "sobol", .n = 64, .cwd = dir
    };
    check_round_trip(&sampled);
}
