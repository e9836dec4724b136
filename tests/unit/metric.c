/* metrics: what is read from output and files of a point, and what is wrong in their words. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "study/metric.h"

static char dir[] = "/tmp/grange-metric-XXXXXX";

static void make_dir(void)
{
    cr_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

static void write_file(const char *name, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *to = fopen(path, "w");
    cr_assert(to);
    fputs(text, to);
    fclose(to);
}

/* The JSON of one metric, in a buffer that the next call reuses. */
static const char *value_of(const char *metric, const char *out, size_t n, const char *err)
{
    static struct buf json;
    struct metric *m = NULL;
    struct fault f;
    struct streams streams = { out, err, n, strlen(err) };

    cr_assert_eq(metric_parse(metric, &m, &f), ERR_NONE, "%s", f.text);
    buf_clear(&json);
    uint32_t missing = metric_read_all(&m, 1, dir, &streams, &json);
    cr_assert_eq(missing, strcmp(json.data, "{}") == 0);
    metric_free(m);
    return json.data;
}

static void check(const char *metric, const char *out, const char *want)
{
    cr_assert_str_eq(value_of(metric, out, strlen(out), ""), want);
}

static void check_file(const char *metric, const char *content, const char *want)
{
    write_file("o", content);
    check(metric, "", want);
}

static const char *wrong(const char *metric)
{
    static struct fault f;
    struct metric *m = NULL;
    cr_assert_neq(metric_parse(metric, &m, &f), ERR_NONE, "%s", metric);
    cr_assert_null(m);
    return f.text;
}

static void check_wrong(const char *metric, const char *part)
{
    const char *text = wrong(metric);
    cr_assert(strstr(text, part), "%s: %s", metric, text);
}

TestSuite(metric, .init = make_dir, .fini = remove_dir);

Test(metric, a_number_keeps_its_spelling)
{
    check("fc=regex:fc *= *([-+.0-9eE]+)", "x\nfc   = 1.5915e+03\n", "{\"fc\":1.5915e+03}");
    check("a=regex:a=(\\S+)", "a=-0.50", "{\"a\":-0.50}");
    check("a=regex:a=(\\S+)", "a=0", "{\"a\":0}");
    check("a=regex:a=(\\S+)", "a=1E5", "{\"a\":1E5}");
}

Test(metric, what_json_cannot_hold_as_a_number_is_a_string)
{
    static const char *const words[] = { "+1",
                                         ".5",
                                         "1.",
                                         "007",
                                         "0x10",
                                         "nan",
                                         "inf",
                                         "1e",
                                         "-",
                                         "1e999",
                                         "9223372036854775808",
                                         "1.5D+03" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char out[64], want[64];
        snprintf(out, sizeof out, "a=%s", words[i]);
        snprintf(want, sizeof want, "{\"a\":\"%s\"}", words[i]);
        check("a=regex:a=(.*)", out, want);
    }
    check("a=regex:a=(.*)", "a=9223372036854775807", "{\"a\":9223372036854775807}");
}

Test(metric, the_last_match_counts)
{
    check("e=regex:^E = (.*)$", "E = 3\nE = 2\nE = 1.5\ndone\n", "{\"e\":1.5}");
    check("e=regex:E\\d", "E1 E2 E3", "{\"e\":\"E3\"}");
    check("e=regex:.*", "xx", "{\"e\":\"xx\"}");
    check("e=regex:x*", "y", "{}");
}

Test(metric, lines_may_end_in_crlf_and_blanks_do_not_count)
{
    check("e=regex:^E =(.*)$", "E = 1 \r\nE =  2 \r\n", "{\"e\":2}");
}

Test(metric, what_is_not_there_is_absent)
{
    check("e=regex:E = (.*)", "nothing", "{}");
    check("e=regex:(a)|b", "a b", "{\"e\":\"a\"}");
    check("e=regex@none:E = (.*)", "E = 1", "{}");
    check("e=json:none:a", "", "{}");
    check("e=csv:none:a", "", "{}");
    cr_assert_str_eq(value_of("e=regex:a", NULL, 0, ""), "{}");
}

Test(metric, stderr_and_files_are_read)
{
    cr_assert_str_eq(value_of("e=regex@stderr:E=(.*)", "E=1", 3, "E=2"), "{\"e\":2}");
    check_file("e=regex@o:E=(.*)", "E=3\n", "{\"e\":3}");
    char absolute[100];
    snprintf(absolute, sizeof absolute, "e=regex@%s/o:E=(.*)", dir);
    check(absolute, "", "{\"e\":3}");
}

Test(metric, several_make_one_object_in_their_order)
{
    static const char *const words[] = { "b=regex:b=(.*)", "no=regex:no=(.*)", "a=regex@o:a=(.*)",
                                         "c=json:o:a", "d=regex@o:(.)=" };
    struct metric *m[5];
    struct fault f;
    struct buf out = { 0 };

    write_file("o", "a=1");
    for (int i = 0; i < 5; i++)
        cr_assert_eq(metric_parse(words[i], &m[i], &f), ERR_NONE);
    cr_assert_eq(metric_read_all(m, 5, dir, &(struct streams){ "b=2", "", 3, 0 }, &out), 2);
    cr_assert_str_eq(out.data, "{\"b\":2,\"a\":1,\"d\":\"a\"}");
    for (int i = 0; i < 5; i++)
        metric_free(m[i]);
    buf_fini(&out);
}

Test(metric, binary_output_is_searched_and_a_value_is_made_text)
{
    cr_assert_str_eq(value_of("e=regex:E=(\\d+)",
                              "\0\xff\xfe"
                              "E=7\0\x80",
                              9, ""),
                     "{\"e\":7}");
    cr_assert_str_eq(value_of("e=regex:E=(.*)!", "E=\xff\0\"\xc3\xa4!", 8, ""),
                     "{\"e\":\"\xef\xbf\xbd\xef\xbf\xbd\\\"\xc3\xa4\"}");
}

Test(metric, a_long_value_is_cut_between_characters)
{
    struct buf out = { 0 };
    buf_adds(&out, "x");
    while (out.n < 3 * METRIC_VALUE_MAX)
        buf_adds(&out, "\xc3\xa4");
    const char *json = value_of("e=regex:.*", out.data, out.n, "");
    cr_assert_eq(strlen(json), METRIC_VALUE_MAX - 1 + strlen("{\"e\":\"\"}"));
    buf_fini(&out);
}

Test(metric, a_pattern_that_never_ends_is_given_up, .timeout = 300)
{
    struct buf out = { 0 };
    while (out.n < 1 << 20)
        buf_adds(&out, "aaaaaaaaaaaaaaaa");
    buf_adds(&out, "!bcx");
    ms_t start = clock_mono_ms();
    cr_assert_str_eq(value_of("e=regex:(a+)+b", out.data, out.n, ""), "{}");
    cr_assert_str_eq(value_of("e=regex:(?:a?){30}a{30}c", out.data, out.n, ""), "{}");
    cr_assert_str_eq(value_of("e=regex:a*x", out.data, out.n, ""), "{}");
    cr_assert_lt(clock_mono_ms() - start, 20000);
    buf_fini(&out);
}

Test(metric, a_pipe_left_behind_is_not_read)
{
    char path[100];
    snprintf(path, sizeof path, "%s/pipe", dir);
    cr_assert_eq(mkfifo(path, 0600), 0);
    check("e=regex@pipe:a", "", "{}");
    check("e=regex@.:a", "", "{}");
}

Test(metric, a_path_leads_into_json)
{
    const char *text = "{\"a\": {\"b\": [{\"c\": 1.50e+3}, {\"c\": \"t\\u00e4\"}], \"b.c\": 1,"
                       " \"n\": null, \"t\": true, \"x\": NaN}, \"\\u0061b\": 7}";
    check_file("e=json:o:a.b[0].c", text, "{\"e\":1.50e+3}");
    check_file("e=json:o:a.b[1].c", text, "{\"e\":\"t\xc3\xa4\"}");
    check_file("e=json:o:a.t", text, "{\"e\":\"true\"}");
    check_file("e=json:o:a.x", text, "{\"e\":\"NaN\"}");
    check_file("e=json:o:ab", text, "{\"e\":7}");
    check_file("e=json:o:a.n", text, "{}");
    check_file("e=json:o:a.b", text, "{}");
    check_file("e=json:o:a.b[2].c", text, "{}");
    check_file("e=json:o:a[0]", text, "{}");
    check_file("e=json:o:a.b.c", text, "{}");
    check_file("e=json:o:[1][0]", "[0,[\"5\"]]", "{\"e\":\"5\"}");
}

Test(metric, json_comes_from_stdout_too_and_the_last_document_counts)
{
    check("e=json:-:e", "{\"e\": 1}\n{\"e\": 2}\n{\"x\": 3}", "{\"e\":2}");
    check("e=json::e", "\xef\xbb\xbf{\"e\": 1}", "{\"e\":1}");
    check("e=json::", " 42\n", "{\"e\":42}");
    check("e=json::e", "{\"e\": 1}\n{\"e\": 2", "{\"e\":1}");
}

Test(metric, broken_json_is_not_found)
{
    static const char *const texts[] = { "",          "{", "{\"e\"", "{\"e\":", "{\"e\":1",
                                         "{\"e\" 1}", "[", "\"",     "\"\\",    "{\"e\":\"\\",
                                         "}",         ",", "{e:1}" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check("e=json::e", texts[i], "{}");
    struct buf deep = { 0 };
    for (int i = 0; i < 100000; i++)
        buf_addc(&deep, '[');
    check("e=json::e", deep.data, "{}");
    buf_fini(&deep);
}

Test(metric, a_column_gives_its_last_row)
{
    check_file("x=csv:o:E", "t,E,note\n1,2.5,\"a,b\"\n2,3.50,\"say \"\"hi\"\"\"\n", "{\"x\":3.50}");
    check_file("x=csv:o:note", "t,E,note\r\n1,2,\"a,b\"\r\n\r\n", "{\"x\":\"a,b\"}");
    check_file("x=csv:o:2", "t,E\n1,7\n", "{\"x\":7}");
    check_file("x=csv:o:2", "1,8", "{\"x\":8}");
    check_file("x=csv:o:b", "a;b\n1;9\n", "{\"x\":9}");
    check_file("x=csv:o:b", "a\tb\n1\t\n1\t6\n", "{\"x\":6}");
    check_file("x=csv:o:2", "  0.1   1.5e0 \n  0.2   2.5e0\n", "{\"x\":2.5e0}");
    check_file("x=csv:o:total energy", "total energy\n5\n", "{\"x\":5}");
    check_file("x=csv:-:a", "", "{}");
    check("x=csv:-:a", "a,b\n1,2\n", "{\"x\":1}");
}

Test(metric, a_column_or_row_that_is_not_there_is_absent)
{
    check_file("x=csv:o:none", "a,b\n1,2\n", "{}");
    check_file("x=csv:o:b", "a,b\n", "{}");
    check_file("x=csv:o:b", "a,b\n1,2\n1\n", "{}");
    check_file("x=csv:o:b", "a,b\n1,2\n1,\n", "{}");
    check_file("x=csv:o:9", "a,b\n1,2\n", "{}");
    check_file("x=csv:o:b", "", "{}");
    check_file("x=csv:o:b", "\n\n", "{}");
    check_file("x=csv:o:b", "a,b\n1,\"open", "{\"x\":\"open\"}");
}

Test(metric, wrong_words_are_explained)
{
    check_wrong("x", "metric 'x' must be NAME=KIND:...; KIND... is regex");
    check_wrong("=regex:a", "must be made of letters");
    check_wrong("1x=regex:a", "must be made of letters");
    check_wrong("a b=regex:a", "'a b'");
    check_wrong("x=regexp:a", "'regexp:a' must be one of regex:PATTERN");
    check_wrong("x=regex", "must be one of");
    check_wrong("x=regex@:a", "metric 'x': no file after 'regex@'");
    check_wrong("x=regex:", "empty");
    check_wrong("x=json:o", "needs a second ':', as in json:FILE:PATH");
    check_wrong("x=json@o:a", "must be one of");
    check_wrong("x=csv:o", "csv:FILE:COLUMN");
    check_wrong("x=csv:o:", "is no column");
    check_wrong("x=csv:o:0", "'0' is no column; give a name of the header or a number from 1");
    char name[NAME_BYTES_MAX + 20] = "";
    memset(name, 'a', NAME_BYTES_MAX + 1);
    snprintf(name + NAME_BYTES_MAX + 1, 19, "=regex:a");
    check_wrong(name, "its name is longer than 100 bytes");
    check_wrong("x=json:o:a..b", "'a..b' is no path in JSON; a path is like a.b[0].c");
    check_wrong("x=json:o:a[x]", "is no path");
    check_wrong("x=json:o:a[1]b", "is no path");
    check_wrong("x=json:o:.a", "is no path");
}

Test(metric, a_wrong_expression_shows_the_words_of_pcre2_and_the_place)
{
    check_wrong("fc=regex:f(c", "metric 'fc': the regular expression is wrong at character 4: "
                                "missing closing parenthesis\n  f(c\n     ^");
    check_wrong("fc=regex:(*UTF)a", "UTF");
    check("fc=regex:(*CRLF)(*NO_JIT)^b(.)", "b1\r\nb2", "{\"fc\":2}");
}

Test(metric, an_expression_at_the_limit_of_pcre2_is_too_long_or_too_large)
{
    char text[70000] = "x=regex:";
    int too_long = 0;

    memset(text + strlen(text), 'y', sizeof text - strlen(text) - 1);
    check_wrong(text, "too large");
    for (size_t n = 32600; n < 32900; n++) { /* about two bytes a letter */
        text[n] = '\0';
        struct metric *m = NULL;
        struct fault f;
        if (metric_parse(text, &m, &f) == ERR_NONE)
            metric_free(m);
        else
            too_long += strstr(f.text, "the regular expression is too long") != NULL;
        text[n] = 'y';
    }
    cr_assert_gt(too_long, 0);
}

Test(metric, a_relative_file_needs_the_directory_of_the_point)
{
    static const struct {
        const char *text;
        bool needs;
    } cases[] = {
        { "x=regex:a", false },    { "x=regex@stderr:a", false }, { "x=regex@o:a", true },
        { "x=regex@/o:a", false }, { "x=json::a", false },        { "x=csv:o:1", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct metric *m;
        struct fault f;
        cr_assert_eq(metric_parse(cases[i].text, &m, &f), ERR_NONE);
        cr_assert_eq(metric_needs_dir(m), cases[i].needs, "%s", cases[i].text);
        cr_assert_str_eq(metric_text(m), cases[i].text);
        cr_assert_str_eq(metric_name(m), "x");
        metric_free(m);
    }
}
