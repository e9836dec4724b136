/* study: the grammar of factors, and each message for what is wrong with one. */
#include "study_help.h"

Test(range, includes_its_end)
{
    cr_assert_str_eq(LABELS(FACTORS("T=280:320:10")), "T=280; T=290; T=300; T=310; T=320");
    cr_assert_str_eq(LABELS(FACTORS("T=1:4")), "T=1; T=2; T=3; T=4");
    cr_assert_str_eq(LABELS(FACTORS("T=1:8:3")), "T=1; T=4; T=7");
    cr_assert_str_eq(LABELS(FACTORS("T= 5 : 5 ")), "T=5");
}

Test(range, goes_down_with_a_negative_step)
{
    cr_assert_str_eq(LABELS(FACTORS("T=3:1:-1")), "T=3; T=2; T=1");
    cr_assert_str_eq(LABELS(FACTORS("T=1:-1:-0.5")), "T=1.0; T=0.5; T=0.0; T=-0.5; T=-1.0");
    cr_assert_str_eq(LABELS(FACTORS("T=-0.10:0.05:0.05")), "T=-0.10; T=-0.05; T=0.00; T=0.05");
}

Test(range, has_no_binary_noise_and_keeps_its_decimals)
{
    cr_assert_str_eq(LABELS(FACTORS("x=0.1:0.3:0.1")), "x=0.1; x=0.2; x=0.3");
    cr_assert_str_eq(LABELS(FACTORS("x=0:1:0.25")), "x=0.00; x=0.25; x=0.50; x=0.75; x=1.00");
    cr_assert_str_eq(LABELS(FACTORS("x=1.50:2:0.5")), "x=1.50; x=2.00");
    cr_assert_str_eq(LABELS(FACTORS("x=0:1e-1:5e-2")), "x=0.00; x=0.05; x=0.10");
}

Test(range, stays_in_the_exponent_of_its_start)
{
    cr_assert_str_eq(LABELS(FACTORS("k=1e-3:3e-3:1e-3")), "k=1e-3; k=2e-3; k=3e-3");
    cr_assert_str_eq(LABELS(FACTORS("k=1e-03:2e-3:5e-4")), "k=1.0e-03; k=1.5e-03; k=2.0e-03");
    cr_assert_str_eq(LABELS(FACTORS("k=9E2:1100:1E2")), "k=9E2; k=10E2; k=11E2");
}

Test(range, keeps_the_width_of_leading_zeros)
{
    cr_assert_str_eq(LABELS(FACTORS("i=08:11")), "i=08; i=09; i=10; i=11");
}

Test(range, stops_where_the_end_lies_between_two_steps)
{
    cr_assert_str_eq(LABELS(FACTORS("x=-2:-0.5:1")), "x=-2; x=-1");
    cr_assert_str_eq(LABELS(FACTORS("x=2:0.5:-1")), "x=2; x=1");
}

Test(range, of_a_million_is_not_expanded)
{
    struct study *s = STUDY(FACTORS("x=1:1000000"));
    struct point p;

    point_init(&p);
    cr_assert_eq(study_n_points(s), 1000000);
    study_point(s, 999999, &p);
    cr_assert_str_eq(p.values[0], "1000000");
    point_fini(&p);
    study_free(s);
}

Test(range, uses_all_of_an_int64)
{
    struct study *s =
        STUDY(FACTORS("x=-9223372036854775807:9223372036854775807:9223372036854775807"));

    cr_assert_str_eq(help_labels(s), "x=-9223372036854775807; x=0; x=9223372036854775807");
    study_free(s);
}

Test(range, that_is_wrong_says_what_would_be_right)
{
    cr_assert_str_eq(MESSAGE(FACTORS("T=280:320:-10")),
                     "factor 'T': '280:320:-10' never reaches 320; did you mean 280:320:10?");
    cr_assert_str_eq(MESSAGE(FACTORS("T=320:280")),
                     "factor 'T': '320:280' never reaches 280; did you mean 320:280:-1?");
    cr_assert_str_eq(MESSAGE(FACTORS("T=1:10:0")),
                     "factor 'T': '1:10:0' never reaches 10, its step is 0; did you mean 1:10:1?");
    cr_assert_str_eq(
        MESSAGE(FACTORS("T=28O:320:10")),
        "factor 'T': '28O' is no number in the range '28O:320:10'; a range is "
        "START:STOP:STEP, for example 280:320:10; write it in double quotes when it is "
        "a value");
    cr_assert(strstr(MESSAGE(FACTORS("T=1:2:")), "'' is no number"));
    char wide[300] = "T=1:";
    memset(wide + 4, '2', sizeof wide - 5);
    cr_assert(strstr(MESSAGE(FACTORS(wide)), "is too long for a range START:STOP:STEP"));
    cr_assert(strstr(MESSAGE(FACTORS("T=1:2:3:4")), "has 4 parts, a range is START:STOP"));
    cr_assert(strstr(MESSAGE(FACTORS("T=0.1:0.5")), "say the step: 0.1:0.5:STEP"));
    cr_assert(strstr(MESSAGE(FACTORS("T=1:99999999999999999999")), "more than 18 digits"));
    cr_assert(strstr(MESSAGE(FACTORS("T=1:2:1e-300")), "more than 18 digits"));
    cr_assert(strstr(MESSAGE(FACTORS("T=1:2:1e-99999999999999999999")), "more than 18 digits"));
    cr_assert(strstr(MESSAGE(FACTORS("n=1:3,7")), "the range 1:3 cannot be an item of a list"));
}

Test(list, keeps_the_spelling)
{
    cr_assert_str_eq(LABELS(FACTORS("n=1,2.50,1e-3,+4")), "n=1; n=2.50; n=1e-3; n=+4");
    cr_assert_str_eq(LABELS(FACTORS("n= a , b c ")), "n=a; n='b c'");
    cr_assert_str_eq(LABELS(FACTORS("h=localhost:80")), "h=localhost:80");
    cr_assert_str_eq(LABELS(FACTORS("p=../a,./b..c")), "p=../a; p=./b..c");
    cr_assert_str_eq(LABELS(FACTORS("e=a=b")), "e=a=b");
}

Test(list, items_may_be_quoted_as_in_csv)
{
    cr_assert_str_eq(LABELS(FACTORS("n=\"a,b\", \"c\"\"d\" ,\"\",\"1:3\"")),
                     "n=a,b; n='c\"d'; n=''; n=1:3");
    cr_assert_str_eq(LABELS(FACTORS("t=\"12:30\"")), "t=12:30");
}

Test(list, that_is_wrong_says_which_item)
{
    cr_assert_str_eq(MESSAGE(FACTORS("n=")),
                     "factor 'n' is empty; give it values, for example 1,2,4 or 280:320:10");
    cr_assert(strstr(MESSAGE(FACTORS("n=  ")), "factor 'n' is empty"));
    cr_assert_str_eq(
        MESSAGE(FACTORS("n=1,,2")),
        "factor 'n': item 2 of '1,,2' is empty; leave the comma out, or write \"\" for "
        "an empty value");
    cr_assert(strstr(MESSAGE(FACTORS("n=1,2,")), "item 3 of '1,2,' is empty"));
    cr_assert(strstr(MESSAGE(FACTORS("n=\"a")), "item 1 of '\"a' has a double quote"));
    cr_assert(strstr(MESSAGE(FACTORS("n=\"a\"b,c")), "item 1"));
    cr_assert_str_eq(MESSAGE(FACTORS("n=1,2,1")),
                     "factor 'n' has the value '1' twice; leave one out, or use --reps to run each "
                     "point several times");
}

Test(list, refuses_a_value_that_is_too_long)
{
    size_t n = 65537;
    char *word = malloc(n + 3);

    memset(word, 'x', n + 2);
    memcpy(word, "n=", 2);
    word[n + 2] = '\0';
    cr_assert(strstr(MESSAGE(FACTORS(word)), "value 1 has 65537 bytes, the limit is 65536; put it "
                                             "into a file and give the file's name"));
    char *rows = strdup(word);
    memcpy(rows, "a\n", 2);
    const char *table = help_file("t.csv", rows, n + 2);
    free(rows);
    cr_assert(strstr(MESSAGE(FACTORS(help_word("@%s", table))),
                     "line 2: the value of 'a' has 65537 bytes, the limit is 65536"));
    help_remove(table);
    word[n + 1] = '\0';
    study_free(STUDY(FACTORS(word)));
    free(word);
}

Test(spaced, keeps_its_ends_as_spelled)
{
    cr_assert_str_eq(LABELS(FACTORS("k=lin(0,1.0,5)")), "k=0; k=0.25; k=0.5; k=0.75; k=1.0");
    cr_assert_str_eq(LABELS(FACTORS("k=log(1e-3,1e-1,3)")), "k=1e-3; k=0.01; k=1e-1");
    cr_assert_str_eq(LABELS(FACTORS("k=log( -1 , -100 , 3 )")), "k=-1; k=-10; k=-100");
    cr_assert_str_eq(LABELS(FACTORS("k=lin(0,1,11)")),
                     "k=0; k=0.1; k=0.2; k=0.3; k=0.4; k=0.5; k=0.6; k=0.7; k=0.8; k=0.9; k=1");
    cr_assert_str_eq(LABELS(FACTORS("k=lin(7,9,1)")), "k=7");
}

Test(spaced, that_is_wrong_says_what_would_be_right)
{
    cr_assert_str_eq(MESSAGE(FACTORS("k=lin(0,1)")),
                     "factor 'k': 'lin(0,1)' should be lin(FROM,TO,N), for example lin(0,1,11)");
    cr_assert(strstr(MESSAGE(FACTORS("k=log(1,2,3")), "should be log(FROM,TO,N)"));
    cr_assert(strstr(MESSAGE(FACTORS("k=lin(0,x,3)")), "'x' in 'lin(0,x,3)' is no number"));
    cr_assert(strstr(MESSAGE(FACTORS("k=lin(0,1e999,3)")), "is too large a number"));
    cr_assert(strstr(MESSAGE(FACTORS("k=lin(0,1,0)")), "should be how many values"));
    cr_assert(strstr(MESSAGE(FACTORS("k=lin(0,1,2.5)")), "should be how many values"));
    cr_assert(strstr(MESSAGE(FACTORS("k=lin(2,2,3)")), "gives the same value 3 times"));
    cr_assert(strstr(MESSAGE(FACTORS("k=log(0,1,3)")), "the same sign and not be 0"));
    cr_assert(strstr(MESSAGE(FACTORS("k=log(-1,1,3)")), "the same sign and not be 0"));
}

Test(span, that_is_wrong_says_what_would_be_right)
{
    cr_assert(
        strstr(MESSAGE(FACTORS("k=1..x"), .design = "lhs", .n = 2), "'x' in '1..x' is no number"));
    cr_assert(strstr(MESSAGE(FACTORS("k=log:1:2"), .design = "lhs", .n = 2), "should be FROM..TO"));
    cr_assert(strstr(MESSAGE(FACTORS("k=1..2..3"), .design = "lhs", .n = 2), "should be FROM..TO"));
    cr_assert(
        strstr(MESSAGE(FACTORS("k=2..2.0"), .design = "lhs", .n = 2), "ends where it starts"));
    cr_assert(strstr(MESSAGE(FACTORS("k=log:0..1"), .design = "lhs", .n = 2), "the same sign"));
}

Test(file, gives_a_value_a_line)
{
    static const char text[] = "\xef\xbb\xbf"
                               "1\r\n2 x\n\nlast";
    const char *path = help_file("seeds.txt", text, sizeof text - 1);

    cr_assert_str_eq(LABELS(FACTORS(help_word("seed=@%s", path))), "seed=1; seed='2 x'; seed=last");
    help_remove(path);
}

Test(file, that_is_wrong_says_why)
{
    const char *path = help_file("empty", "\n\n", 2);

    cr_assert_str_eq(
        MESSAGE(FACTORS(help_word("n=@%s", path))),
        help_word("factor 'n' is empty: file '%s' has no line with a value in it", path));
    help_remove(path);
    path = help_file("binary", "1\n\xff\n", 4);
    cr_assert(strstr(MESSAGE(FACTORS(help_word("n=@%s", path))), "line 2: this is not UTF-8 text"));
    help_remove(path);
    path = help_file("zero", "1\n2\n\0\n", 6);
    cr_assert(strstr(MESSAGE(FACTORS(help_word("n=@%s", path))), "line 3: this is not UTF-8 text"));
    help_remove(path);
    cr_assert_str_eq(
        MESSAGE(FACTORS("n=@no/such/file")),
        "cannot read 'no/such/file': No such file or directory (in the directory /tmp)");
    cr_assert(strstr(MESSAGE(FACTORS("n=@")), "file name is missing"));
    cr_assert(strstr(MESSAGE(FACTORS("n=@/tmp")), "cannot read '/tmp': Is a directory"));
}

Test(table, header_names_factors_and_rows_move_together)
{
    static const char text[] =
        "T, n ,\"label\"\r\n280,1,\"a, \"\"b\"\"\"\r\n\r\n290,2,\"x\ny\"\r\n";
    const char *path = help_file("points.csv", text, sizeof text - 1);
    struct study *s = STUDY(FACTORS(help_word("@%s", path), "k=1,2"));

    cr_assert_eq(study_n_factors(s), 4);
    cr_assert(study_factor_numeric(s, 0));
    cr_assert_not(study_factor_numeric(s, 2));
    cr_assert_str_eq(help_labels(s),
                     "T=280 n=1 label='a, \"b\"' k=1; T=280 n=1 label='a, \"b\"' k=2; "
                     "T=290 n=2 label='x\ny' k=1; T=290 n=2 label='x\ny' k=2");
    study_free(s);
    help_remove(path);
}

static void check_table(const char *text, const char *part)
{
    const char *path = help_file("t.csv", text, strlen(text));
    const char *message = MESSAGE(FACTORS(help_word("@%s", path)));

    cr_assert(strstr(message, part), "%s", message);
    help_remove(path);
}

Test(table, that_is_wrong_says_file_line_and_what)
{
    check_table("T,n\n1,2\n3\n", "t.csv', line 3: 1 cell, but the header names 2 factors");
    check_table("T\n1,2\n", "t.csv', line 2: 2 cells, but the header names 1 factor");
    check_table("a,\"b\n\"\nx,y", "'b\n' is no name of a factor");
    check_table("a,b\n1,\"2\n3\"\n4\n", "line 4: 1 cell");
    check_table("T,n,T\n1,2,3\n", "line 1: the header names 'T' twice, in columns 1 and 3");
    char wide[500] = "a0";
    for (int k = 1; k <= FACTORS_MAX; k++)
        sprintf(wide + strlen(wide), ",a%d", k);
    check_table(strcat(wide, "\n"), "line 1: there are more than 64 factors");
    check_table("T,n\n", "is empty: it has no row below its header");
    check_table("", "is empty: its first line should name factors");
    check_table("T\n\"1\n", "line 2: a quote is never closed");
    check_table("T\n\"1\"2\n", "line 2: text follows a closing quote");
    check_table("T,rep\n1,2\n", "line 1: a factor cannot be named 'rep'");
    check_table("T,n\n1,2\n3,4\n1,2\n", "rows 1 and 3 of the factors 'T', ... are the same");
    cr_assert(strstr(MESSAGE(FACTORS("@")), "file name of a table is missing"));
    cr_assert(strstr(MESSAGE(FACTORS("@none.csv")), "cannot read 'none.csv'"));
}

Test(zip, moves_factors_together_with_any_generators_inside)
{
    cr_assert_str_eq(LABELS(FACTORS("(a=1,2,3 + b=x,y,z)")), "a=1 b=x; a=2 b=y; a=3 b=z");
    cr_assert_str_eq(LABELS(FACTORS(" ( a=1:3+b=lin(0,1,3) + c=1e+3,2,\"+d=\" ) ")),
                     "a=1 b=0 c=1e+3; a=2 b=0.5 c=2; a=3 b=1 c=+d=");
    cr_assert_str_eq(LABELS(FACTORS("(a=1,1 + b=x,y)")), "a=1 b=x; a=1 b=y");
}

Test(zip, that_is_wrong_says_what_would_be_right)
{
    cr_assert_str_eq(
        MESSAGE(FACTORS("(a=1,2,3 + b=x,y)")),
        "zip '(a=1,2,3 + b=x,y)': 'a' has 3 values, 'b' has 2; zipped factors need the "
        "same number");
    cr_assert(strstr(MESSAGE(FACTORS("(a=1,2 + b=x,y")), "has no ) at its end"));
    cr_assert(strstr(MESSAGE(FACTORS("()")), "'' is no factor"));
    cr_assert(strstr(MESSAGE(FACTORS("(a=1 + a=2)")), "factor 'a' is given twice"));
    cr_assert(strstr(MESSAGE(FACTORS("(a=1,1 + b=x,x)")), "rows 1 and 2 of the factors 'a'"));
    cr_assert(strstr(MESSAGE(FACTORS("(a=1,2 + b=0..1)"), .design = "lhs", .n = 2),
                     "'b' is continuous and cannot be zipped"));
}

Test(name, that_is_wrong_says_why)
{
    char long_name[120] = "";

    memset(long_name, 'x', 101);
    cr_assert_str_eq(MESSAGE(FACTORS("T")), "'T' is no factor; write NAME=VALUES, for example "
                                            "T=280:320:10 or n=1,2,4, or @TABLE.csv");
    cr_assert_str_eq(MESSAGE(FACTORS("T=1,2", "n=1", "T=3")),
                     "factor 'T' is given twice; give it once, with all its values");
    cr_assert(strstr(MESSAGE(FACTORS("1x=1")),
                     "'1x' is no name of a factor; use letters, digits and _, and"));
    cr_assert(strstr(MESSAGE(FACTORS("a-b=1")), "'a-b' is no name of a factor"));
    cr_assert(strstr(MESSAGE(FACTORS("=1")), "'' is no name of a factor"));
    cr_assert(strstr(MESSAGE(FACTORS("rep=1")), "{rep} has a meaning of its own"));
    cr_assert(strstr(MESSAGE(FACTORS("out=1")), "cannot be named 'out'"));
    cr_assert(strstr(MESSAGE(FACTORS("study=1")), "cannot be named 'study'"));
    cr_assert(strstr(MESSAGE(FACTORS(help_word("%s=1", long_name))), "the factor name 'xxx"));
    cr_assert(strstr(MESSAGE(FACTORS(help_word("%s=1", long_name))), "' has more than 100 bytes"));
    cr_assert_str_eq(LABELS(FACTORS("seed=5")), "seed=5");
}

Test(name, at_most_64_factors)
{
    char text[70][8];
    const char *words[70];

    for (int k = 0; k < 70; k++) {
        snprintf(text[k], sizeof text[k], "f%d=1", k);
        words[k] = text[k];
    }
    study_free(STUDY(.factors = words, .n_factors = 64));
    cr_assert(strstr(MESSAGE(.factors = words, .n_factors = 65), "more than the limit of 64"));
    cr_assert(strstr(MESSAGE(.factors = words, .n_factors = 64, LISTS(TEXTS("a"))),
                     "there are more than 64 factors"));
    cr_assert(strstr(MESSAGE(.factors = words, .n_factors = 63, LISTS(TEXTS("a"), TEXTS("b"))),
                     "there are more than 64 factors"));
}

Test(lists, are_factors_with_numbers_for_names)
{
    cr_assert_str_eq(LABELS(LISTS(TEXTS("1", "2"), TEXTS("a", "b"))),
                     "1=1 2=a; 1=1 2=b; 1=2 2=a; 1=2 2=b");
    cr_assert_str_eq(LABELS(FACTORS("T=7,8"), LISTS(TEXTS("x,y"))), "T=7 1=x,y; T=8 1=x,y");
    const char *const none[] = { NULL };
    cr_assert(strstr(MESSAGE(LISTS(TEXTS("a"), none)), "list 2 (behind :::) is empty"));
    cr_assert_str_eq(MESSAGE(LISTS(TEXTS("a", "a"))),
                     "list '1' has the value 'a' twice; leave one out, or use --reps to run each "
                     "point several times");
}

Test(factor, is_numeric_when_all_its_values_are)
{
    struct study *s = STUDY(FACTORS("a=1,2.5e3,-.5", "b=1,0x10", "c=1:3", "d=1,nan", "e=1,\"\""));
    static const bool numeric[] = { true, false, true, false, false };

    for (size_t j = 0; j < 5; j++)
        cr_assert_eq(study_factor_numeric(s, j), numeric[j], "factor %zu", j);
    study_free(s);
}
