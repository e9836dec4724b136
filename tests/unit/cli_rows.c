/* rows and tables of results, ends in words, files that are whole or not there. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/reason.h"
#include "cli/newfile.h"
#include "cli/rows.h"

static void check_rows(enum rows_format format, unsigned fit, size_t n_rows,
                       const char *const rows[][2], const char *want)
{
    static const char *const names[] = { "n", "a,b" };
    static const bool number[] = { true, false };
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    struct rows r = { 0 };

    cr_assert(to);
    rows_begin(&r, format, to, fit, 2, names);
    for (size_t i = 0; i < n_rows; i++)
        rows_add(&r, rows[i], number);
    rows_end(&r);
    fclose(to);
    cr_assert_str_eq(text, want);
    free(text);
}

Test(rows, csv_quotes_what_rfc_4180_quotes)
{
    static const char *const rows[][2] = {
        { "1", "x" },          { "1e-3", "a,b" }, { NULL, "say \"hi\"" },
        { "2", "two\nlines" }, { "3", NULL },     { "4", " blank" },
        { "5", "" },
    };
    check_rows(ROWS_CSV, 0, 7, rows,
               "n,\"a,b\"\n1,x\n1e-3,\"a,b\"\n,\"say \"\"hi\"\"\"\n2,\"two\nlines\"\n3,\n"
               "4,\" blank\"\n5,\n");
}

Test(rows, json_keeps_the_spelling_of_numbers_that_it_can_spell)
{
    static const char *const rows[][2] = {
        { "1.5915e+03", "1" }, { "18446744073709551615", "\"" },
        { NULL, NULL },        { ".5", "" },
        { "+0.1", "" },        { "007", "" },
    };
    check_rows(ROWS_JSON, 0, 6, rows,
               "[\n  {\"n\": 1.5915e+03, \"a,b\": \"1\"},"
               "\n  {\"n\": 18446744073709551615, \"a,b\": \"\\\"\"},"
               "\n  {\"n\": null, \"a,b\": null},"
               "\n  {\"n\": 0.5, \"a,b\": \"\"},"
               "\n  {\"n\": 0.1, \"a,b\": \"\"},"
               "\n  {\"n\": 7, \"a,b\": \"\"}\n]\n");
}

Test(rows, no_row_is_a_heading_or_an_empty_array)
{
    check_rows(ROWS_CSV, 0, 0, NULL, "n,\"a,b\"\n");
    check_rows(ROWS_JSON, 0, 0, NULL, "[]\n");
    check_rows(ROWS_TABLE, 0, 0, NULL, "n  a,b\n");
}

Test(rows, a_table_aligns_numbers_to_the_right)
{
    static const char *const rows[][2] = { { "1", "x" },
                                           { "1000", "yyyyyy" },
                                           { NULL, "\xc3\xa4" } };
    check_rows(ROWS_TABLE, 0, 3, rows, "   n  a,b\n   1  x\n1000  yyyyyy\n      \xc3\xa4\n");
}

Test(rows, a_long_text_is_cut_on_a_terminal_only_and_a_number_never)
{
    char text[61], number[61], want[300];
    memset(text, 'x', 60);
    memset(number, '1', 60);
    text[60] = number[60] = '\0';
    const char *const rows[][2] = { { number, text } };
    snprintf(want, sizeof want, "%60s  a,b\n%s  %s\n", "n", number, text);
    check_rows(ROWS_TABLE, 0, 1, rows, want);
    snprintf(want, sizeof want, "%60s  a,b\n%s  %.37s...\n", "n", number, text);
    check_rows(ROWS_TABLE, 200, 1, rows, want);
}

Test(rows, control_characters_do_not_reach_a_terminal)
{
    static const char *const rows[][2] = { { "1", "\x1b[31mred\n" } };
    check_rows(ROWS_TABLE, true, 1, rows, "n  a,b\n1  ?[31mred?\n");
}

/* The widest text gives way first, a number never, and only where that is enough. */
Test(rows, a_table_is_made_to_fit_a_terminal)
{
    static const char *const rows[][2] = { { "1", "0123456789abcdef" } };
    check_rows(ROWS_TABLE, 19, 1, rows, "n  a,b\n1  0123456789abcdef\n");
    check_rows(ROWS_TABLE, 18, 1, rows, "n  a,b\n1  0123456789ab...\n");
    check_rows(ROWS_TABLE, 9, 1, rows, "n  a,b\n1  012...\n");
    check_rows(ROWS_TABLE, 8, 1, rows, "n  a,b\n1  0123456789abcdef\n");
}

/* Columns, not bytes and not characters: an umlaut is one, a Chinese character two, an accent none.
 */
Test(rows, a_table_counts_columns_of_any_text)
{
    static const char *const umlauts[][2] = { { "1", "\xc3\xa4\xc3\xb6\xc3\xbc-sweep" } };
    static const char *const wide[][2] = { { "1",
                                             "\xe6\xb8\xa9\xe5\xba\xa6\xe6\x89\xab\xe6\x8f\x8f" } };
    static const char *const accent[][2] = { { "1", "re\xcc\x81sume\xcc\x81" } };
    check_rows(ROWS_TABLE, 12, 1, umlauts, "n  a,b\n1  \xc3\xa4\xc3\xb6\xc3\xbc-sweep\n");
    check_rows(ROWS_TABLE, 11, 1, umlauts, "n  a,b\n1  \xc3\xa4\xc3\xb6\xc3\xbc-s...\n");
    check_rows(ROWS_TABLE, 11, 1, wide,
               "n  a,b\n1  \xe6\xb8\xa9\xe5\xba\xa6\xe6\x89\xab\xe6\x8f\x8f\n");
    check_rows(ROWS_TABLE, 10, 1, wide, "n  a,b\n1  \xe6\xb8\xa9\xe5\xba\xa6...\n");
    check_rows(ROWS_TABLE, 9, 1, accent, "n  a,b\n1  re\xcc\x81sume\xcc\x81\n");
}

Test(rows, a_table_holds_its_first_rows_only)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    struct table t;
    static const char *const heading[] = { "n" }, *const row[] = { "1" };
    const bool number = true;

    cr_assert(to);
    table_open(&t, to, 0, 1, heading);
    for (int i = 0; i < TABLE_LOOK - 1; i++)
        table_row(&t, row, &number);
    fflush(to);
    cr_assert_eq(ftell(to), 0);
    table_row(&t, row, &number);
    table_row(&t, row, &number);
    cr_assert_eq(ftell(to), 2 * (TABLE_LOOK + 2));
    cr_assert_null(t.held.data);
    table_close(&t);
    fclose(to);
    free(text);
}

static void check_reason(enum end_reason reason, int32_t code, const char *want)
{
    struct buf out = { 0 };
    reason_words(reason, code, &out);
    cr_assert_str_eq(buf_text(&out), want);
    buf_fini(&out);
}

Test(reason, every_end_has_words)
{
    check_reason(END_EXIT, 3, "exit 3");
    check_reason(END_EXIT, 127, "exit 127 (of a shell: command not found)");
    check_reason(END_SIGNAL, SIGSEGV, "killed by SIGSEGV");
    check_reason(END_SIGNAL, 1000, "killed by signal 1000");
    check_reason(END_TIMEOUT, 30000, "timed out after 30 s");
    check_reason(END_TIMEOUT, 500, "timed out after 0.5 s");
    check_reason(END_TIMEOUT, 0, "timed out");
    check_reason(END_NOT_STARTED, ENOENT, "could not start: No such file or directory");
    check_reason(END_LOST, 0, "its worker was lost");
    check_reason(END_CANCELLED, 0, "cancelled");
    for (int r = 0; r < N_END_REASONS; r++) {
        struct buf out = { 0 };
        reason_words((enum end_reason)r, 0, &out);
        cr_assert(out.n > 0);
        buf_fini(&out);
    }
}

static char dir[] = "/tmp/grange-newfile-XXXXXX";
static char path[100];

static void make_dir(void)
{
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/out.csv", dir);
}

static void remove_dir(void)
{
    unlink(path);
    cr_assert_eq(rmdir(dir), 0, "something was left behind");
}

static void check_content(const char *want)
{
    struct buf b = { 0 };
    cr_assert_eq(buf_read_file(&b, path, 1000), 0);
    cr_assert_str_eq(buf_text(&b), want);
    buf_fini(&b);
}

TestSuite(newfile, .init = make_dir, .fini = remove_dir);

Test(newfile, it_is_there_whole_or_not_at_all)
{
    struct newfile n;
    struct fault f;

    cr_assert_eq(newfile_open(&n, path, &f), ERR_NONE);
    fputs("one\n", n.to);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert_eq(newfile_close(&n, true, &f), ERR_NONE);
    check_content("one\n");
    cr_assert_eq(chmod(path, 0640), 0);
    cr_assert_eq(newfile_open(&n, path, &f), ERR_NONE);
    fputs("two\n", n.to);
    cr_assert_eq(newfile_close(&n, false, &f), ERR_NONE);
    check_content("one\n");
    cr_assert_eq(newfile_open(&n, path, &f), ERR_NONE);
    fputs("three\n", n.to);
    cr_assert_eq(newfile_close(&n, true, &f), ERR_NONE);
    check_content("three\n");
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0640);
}

Test(newfile, a_place_that_cannot_be_written_is_named)
{
    struct newfile n;
    struct fault f;

    cr_assert_eq(newfile_open(&n, "/nowhere/x", &f), ERR_IO);
    cr_assert_str_eq(f.text, "cannot write /nowhere/x: No such file or directory");
    cr_assert_eq(newfile_open(&n, dir, &f), ERR_IO);
    cr_assert_eq(newfile_open(&n, "/dev/full", &f), ERR_NONE);
    fputs("x", n.to);
    cr_assert_eq(newfile_close(&n, true, &f), ERR_DISK_FULL);
}
