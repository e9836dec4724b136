/* study: placeholders, commands as argv and for sh, input files, names of points. */
#include "study_help.h"

/* The argv of point i as "[a][b]"; out is /out dir. Static. */
static const char *argv_of(struct study *s, uint64_t i, bool again)
{
    static struct buf out;
    struct command c;
    struct point p;

    buf_clear(&out);
    command_init(&c);
    point_init(&p);
    study_point(s, i, &p);
    study_command(s, &p, &(struct dirs){ .out = "/out dir" }, again, &c);
    for (size_t k = 0; k < c.n; k++)
        buf_addf(&out, "[%s]", c.argv[k]);
    cr_assert_null(c.argv[c.n]);
    command_fini(&c);
    point_fini(&p);
    study_free(s);
    return buf_text(&out);
}

static const char *line_of(struct study *s, uint64_t i)
{
    static struct buf out;
    struct point p;

    buf_clear(&out);
    point_init(&p);
    study_point(s, i, &p);
    study_command_line(s, &p, &(struct dirs){ .out = "/out dir" }, &out);
    point_fini(&p);
    study_free(s);
    return buf_text(&out);
}

#define ARGV(i, ...) argv_of(STUDY(__VA_ARGS__), i, false)
#define LINE(i, ...) line_of(STUDY(__VA_ARGS__), i)

Test(command, replaces_all_placeholders)
{
    cr_assert_str_eq(ARGV(5, COMMAND("sim", "-T{T}", "{#}", "{rep}", "{study}/{out}", "{n}{n}"),
                          FACTORS("T=1,2", "n=a b,c"), .reps = 2, .name = "st"),
                     "[sim][-T2][5][1][st//out dir][a ba b]");
}

Test(command, double_braces_are_braces)
{
    cr_assert_str_eq(ARGV(0,
                          COMMAND("awk", "{{print $1}}", "{{T}}", "{{{T}}}", "a}b", "}}", "{{}}"),
                          FACTORS("T=1")),
                     "[awk][{print $1}][{T}][{1}][a}b][}][{}]");
}

Test(command, passes_arguments_as_they_are)
{
    cr_assert_str_eq(
        ARGV(0, COMMAND("prog", "$HOME", "a b", "", "'x'", "{v}"), FACTORS("v=$(rm x)")),
        "[prog][$HOME][a b][]['x'][$(rm x)]");
    cr_assert_str_eq(LINE(0, COMMAND("prog", "$HOME", "a b", "", "{v}"), FACTORS("v=it's")),
                     "prog '$HOME' 'a b' '' 'it'\\''s'");
}

Test(command, of_one_argument_with_blanks_is_for_sh)
{
    cr_assert_str_eq(ARGV(0, COMMAND("echo {v} $HOME | cat >{out}/x"), FACTORS("v=a;b")),
                     "[/bin/sh][-c][echo 'a;b' $HOME | cat >'/out dir'/x]");
    cr_assert_str_eq(LINE(0, COMMAND("echo {v} $HOME"), FACTORS("v=a;b")), "echo 'a;b' $HOME");
    cr_assert_str_eq(ARGV(0, COMMAND("true")), "[true]");
}

Test(command, survives_sh_with_every_kind_of_value)
{
    static const char *const nasty[] = {
        "a b", "it's", "$(echo x)", "`x`", "a\nb", "\\", "\"",
        "*",   "-n",   "",          "~",   "#",    "!x", "\xc3\xa4"
    };
    for (size_t k = 0; k < sizeof nasty / sizeof *nasty; k++) {
        struct study *s = STUDY(COMMAND("printf %s {1}"), LISTS(TEXTS(nasty[k])));
        struct command c;
        struct point p;
        char line[100] = "";
        command_init(&c);
        point_init(&p);
        study_point(s, 0, &p);
        study_command(s, &p, &(struct dirs){ 0 }, false, &c);
        FILE *pipe = popen(c.argv[2], "r");
        cr_assert_not_null(pipe);
        size_t n = fread(line, 1, sizeof line - 1, pipe);
        cr_assert_eq(pclose(pipe), 0);
        line[n] = '\0';
        cr_assert_str_eq(line, nasty[k]);
        command_fini(&c);
        point_fini(&p);
        study_free(s);
    }
}

Test(command, relative_program_is_made_absolute)
{
    cr_assert_str_eq(ARGV(0, COMMAND("././bin/sim", "./x"), .cwd = "/srv/sim"),
                     "[/srv/sim/bin/sim][./x]");
    cr_assert_str_eq(ARGV(0, COMMAND("../sim"), .cwd = "/"), "[/../sim]");
    cr_assert_str_eq(ARGV(0, COMMAND("sim"), .cwd = "/srv/sim"), "[sim]");
    cr_assert_str_eq(ARGV(0, COMMAND("/bin/sim"), .cwd = "/srv/sim"), "[/bin/sim]");
    cr_assert_str_eq(ARGV(1, COMMAND("./{p}"), FACTORS("p=a,b"), .cwd = "/srv/sim"),
                     "[/srv/sim/b]");
    cr_assert_str_eq(LINE(0, COMMAND("./sim", "1"), .cwd = "/srv/sim"), "./sim 1");
}

Test(command, braces_are_the_positional_values)
{
    cr_assert_str_eq(ARGV(0, COMMAND("echo", "{}"), LISTS(TEXTS("a b"), TEXTS("c"))),
                     "[echo][a b][c]");
    cr_assert_str_eq(ARGV(0, COMMAND("echo", "x{}", "{2}{1}"), LISTS(TEXTS("a"), TEXTS("b"))),
                     "[echo][xa b][ba]");
    cr_assert_str_eq(ARGV(1, COMMAND("{}", "x"), LISTS(TEXTS("true", "./a b")), .cwd = "/d"),
                     "[/d/a b][x]");
    cr_assert_str_eq(
        ARGV(0, COMMAND("echo {} {T}"), FACTORS("T=1"), LISTS(TEXTS("a b"), TEXTS("c"))),
        "[/bin/sh][-c][echo 'a b' c 1]");
}

Test(command, without_placeholders_gets_the_positional_values_at_its_end)
{
    cr_assert_str_eq(ARGV(0, COMMAND("echo", "x"), LISTS(TEXTS("a b"), TEXTS("c"))),
                     "[echo][x][a b][c]");
    cr_assert_str_eq(ARGV(0, COMMAND("echo x"), LISTS(TEXTS("a b"))),
                     "[/bin/sh][-c][echo x 'a b']");
    cr_assert_str_eq(ARGV(0, COMMAND("echo", "{#}"), LISTS(TEXTS("a"))), "[echo][0]");
    cr_assert_str_eq(ARGV(0, COMMAND("echo", "x"), FACTORS("T=1")), "[echo][x]");
}

Test(command, that_is_wrong_says_what_would_be_right)
{
    cr_assert_str_eq(MESSAGE(COMMAND("sim", "{Temp}"), FACTORS("temp=1", "n=2")),
                     "the command has an unknown placeholder {Temp}; did you mean {temp}?; write "
                     "{{Temp}} for the text itself; known are {temp}, {n}, {#}, {seed}, {rep}, "
                     "{study}, {out}");
    cr_assert_str_eq(MESSAGE(COMMAND("awk", "{print $1}")),
                     "'{print $1}' in the command is no placeholder; write {{ for a brace that "
                     "belongs to the command: '{{print $1}}'");
    cr_assert(strstr(MESSAGE(COMMAND("sim", "{}"), FACTORS("T=1")),
                     "{} stands for the values behind :::"));
    cr_assert(strstr(MESSAGE(COMMAND("sim", "{2}"), LISTS(TEXTS("a"))),
                     "the command has {2}, but there is 1 list behind :::"));
    cr_assert(strstr(MESSAGE(COMMAND("sim", "{1}")), "there are 0 lists"));
    cr_assert(strstr(MESSAGE(COMMAND("sim", "a{T"), FACTORS("T=1")),
                     "'{T' in the command has a { without"));
}

Test(command, of_a_function_is_empty)
{
    struct study *s = STUDY(.function = "noop", FACTORS("x=1:3"));

    cr_assert_str_eq(study_function(s), "noop");
    cr_assert_str_eq(study_name(s), "noop");
    cr_assert_str_eq(argv_of(s, 0, false), "");
    cr_assert_str_eq(LINE(0, .function = "noop", FACTORS("x=1:3")), "function noop");
}

Test(seed, is_the_point_s_own_unless_a_factor_has_its_name)
{
    struct study *s = STUDY(COMMAND("sim", "{seed}"), FACTORS("x=1,2"));
    struct point p;
    char expected[40];

    point_init(&p);
    study_point(s, 1, &p);
    snprintf(expected, sizeof expected, "[sim][%u]", study_seed(s, &p));
    point_fini(&p);
    cr_assert_str_eq(argv_of(s, 1, false), expected);
    cr_assert_str_eq(ARGV(1, COMMAND("sim", "{seed}"), FACTORS("seed=5,6")), "[sim][6]");
}

static void check_input(const void *text, size_t n, const void *expected, size_t n_expected)
{
    const char *path = help_file("deck.cir", text, n);
    struct study *s = STUDY(INPUTS(path), FACTORS("T=280,290", "R1=4.7k"), .reps = 2);
    struct buf out = { 0 };
    struct point p;

    help_remove(path); /* its content is in the study */
    cr_assert(study_needs_dir(s) && study_runs_in_dir(s));
    cr_assert_str_eq(study_input_name(s, 0), "deck.cir");
    point_init(&p);
    study_point(s, 3, &p);
    study_input_render(s, 0, &p, &(struct dirs){ .out = "/out" }, &out);
    cr_assert_eq(out.n, n_expected, "%s", buf_text(&out));
    cr_assert_eq(memcmp(buf_text(&out), expected, n_expected), 0, "%s", buf_text(&out));
    buf_fini(&out);
    point_fini(&p);
    study_free(s);
}

#define CHECK_INPUT(text, expected)                                                                \
    check_input(text, sizeof(text) - 1, expected, sizeof(expected) - 1)

Test(input, replaces_known_names_and_nothing_else)
{
    CHECK_INPUT(".temp {T}\nR1 1 0 {R1}\n", ".temp 290\nR1 1 0 4.7k\n");
    CHECK_INPUT("{#} {rep} {study} {out}", "3 1 sim /out");
    CHECK_INPUT("{} {x} {1} {T {T} { T } {{T}} {{{T}} T} {",
                "{} {x} {1} {T 290 { T } {{T}} {{290} T} {");
    CHECK_INPUT("\0{T}\0\xff\xfe{T}\r\n", "\0"
                                          "290\0\xff\xfe"
                                          "290\r\n");
    CHECK_INPUT("", "");
    CHECK_INPUT("{{", "{{");
    CHECK_INPUT("{T}", "290");
}

Test(input, of_a_long_name_without_end_is_left_alone)
{
    char text[3000];

    memset(text, '{', sizeof text);
    for (size_t k = 1; k < sizeof text; k += 2)
        text[k] = 'a';
    check_input(text, sizeof text, text, sizeof text);
}

Test(input, that_is_wrong_says_why)
{
    cr_assert_str_eq(MESSAGE(INPUTS("no.cir")),
                     "cannot read 'no.cir': No such file or directory (in the directory /tmp)");
    cr_assert_str_eq(MESSAGE(INPUTS("a/deck.cir", "b/deck.cir")),
                     "the inputs 'a/deck.cir' and 'b/deck.cir' would both be 'deck.cir' in the "
                     "directory of a point; rename one of them");
    cr_assert(strstr(MESSAGE(INPUTS("/tmp/")), "the input '/tmp/' names no file"));
    cr_assert(strstr(MESSAGE(INPUTS("..")), "the input '..' names no file"));
}

Test(factor, is_used_where_a_placeholder_asks_for_it)
{
    const char *path = help_file("in.txt", "{b}", 3);
    struct study *s =
        STUDY(COMMAND("sim", "{a}"), INPUTS(path), FACTORS("a=1", "b=1", "c=1"), LISTS(TEXTS("x")));

    help_remove(path);
    cr_assert(study_factor_used(s, 0) && study_factor_used(s, 1));
    cr_assert_not(study_factor_used(s, 2) || study_factor_used(s, 3));
    study_free(s);
    s = STUDY(LISTS(TEXTS("x"), TEXTS("y")));
    cr_assert(study_factor_used(s, 0) && study_factor_used(s, 1));
    cr_assert_not(study_needs_dir(s));
    study_free(s);
    s = STUDY(COMMAND("sim", "{out}"));
    cr_assert(study_needs_dir(s));
    cr_assert_not(study_runs_in_dir(s));
    study_free(s);
}

static const char *dirname_of(struct study *s, uint64_t i)
{
    static struct buf out;
    struct point p;

    buf_clear(&out);
    point_init(&p);
    study_point(s, i, &p);
    study_point_dirname(s, &p, &out);
    point_fini(&p);
    study_free(s);
    return buf_text(&out);
}

static void check_dirname(struct study *s, const char *readable)
{
    const char *name = dirname_of(s, 0);
    size_t n = strlen(readable);

    cr_assert_eq(strlen(name), n + 13, "%s", name);
    cr_assert(strncmp(name, readable, n) == 0 && name[n] == '~', "%s", name);
    cr_assert_eq(strspn(name + n + 1, "0123456789abcdef"), 12);
}

Test(dirname, is_readable_and_safe)
{
    char value[300];

    check_dirname(STUDY(FACTORS("T=290", "n=2")), "T=290,n=2");
    check_dirname(STUDY(FACTORS("T=290"), .reps = 2), "T=290,rep=0");
    check_dirname(STUDY(LISTS(TEXTS("../a b/\n*"))), "1=.._a_b___");
    check_dirname(STUDY(.n = 0), "point");
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    struct study *s = STUDY(LISTS(TEXTS(value)));
    cr_assert_eq(strlen(dirname_of(s, 0)), 120);
}

Test(values, become_json)
{
    struct study *s = STUDY(FACTORS("T=280", "q=\"a\"\"b\""));
    struct buf out = { 0 };
    struct point p;

    point_init(&p);
    study_point(s, 0, &p);
    point_values_json(&p, &out);
    cr_assert_str_eq(buf_text(&out), "[\"280\",\"a\\\"b\"]");
    point_fini(&p);
    buf_fini(&out);
    study_free(s);
}

Test(restart, runs_instead_of_the_command_from_the_second_attempt_on)
{
    cr_assert_str_eq(ARGV(0, COMMAND("a", "{x}"), FACTORS("x=1,2"), .restart = "b {x}"), "[a][1]");
    cr_assert_str_eq(
        argv_of(STUDY(COMMAND("a", "{x}"), FACTORS("x=1,2"), .restart = "b {out} {x}"), 1, true),
        "[/bin/sh][-c][b '/out dir' 2]");
    cr_assert_str_eq(argv_of(STUDY(COMMAND("a", "{x}"), FACTORS("x=1,2")), 1, true), "[a][2]");
    cr_assert(strstr(MESSAGE(COMMAND("a"), .restart = "b {y}"), "{y}"));
    cr_assert(strstr(MESSAGE(COMMAND("a"), .restart = " "), "the restart command is empty"));
}
