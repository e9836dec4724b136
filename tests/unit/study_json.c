/* study: what is stored of one, as it comes back from the disk or a client: trusted in nothing. */
#include "tests/unit/study_help.h"

static enum err read_json(const char *json, struct fault *f)
{
    struct study *s;
    enum err err = study_from_json(json, strlen(json), &s, f);

    if (!err)
        study_free(s);
    else
        cr_assert_null(s);
    return err;
}

#define AFTER      "{\"stage\":\"a\",\"study\":\"b\",\"on\":\"success\",\"keys\":\"\""
#define SPEC(more) "{\"version\":1,\"name\":\"a\",\"cwd\":\"/\",\"command\":[\"a\"]" more "}"

Test(json, that_is_malformed_is_refused)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"version\":\"1\"}",
        "{\"version\":2}",
        "{\"version\":1}",
        "{\"version\":1,\"name\":\"a\",\"cwd\":\"/\"}",
        "{\"version\":1,\"cwd\":\"/\",\"command\":[\"a\"]}",
        "{\"version\":1,\"name\":\"a\",\"command\":[\"a\"]}",
        SPEC(",\"surprise\":1"),
        SPEC(",\"name\":\"b\""),
        SPEC(",\"where\":1"),
        SPEC(",\"seed\":1"),
        SPEC(",\"seed\":\"-1\""),
        SPEC(",\"seed\":\"99999999999999999999\""),
        SPEC(",\"seed\":\"1x\""),
        SPEC(",\"n\":-1"),
        SPEC(",\"n\":1e3"),
        SPEC(",\"n\":99999999999999999999"),
        SPEC(",\"reps\":0"),
        SPEC(",\"reps\":67108865"),
        SPEC(",\"retries\":1001"),
        SPEC(",\"cores\":4097"),
        SPEC(",\"shuffle\":1"),
        SPEC(",\"factors\":{}"),
        SPEC(",\"factors\":[1]"),
        SPEC(",\"factors\":[\"T=1:0\"]"),
        SPEC(",\"factors\":[\"T=@file\"]"),
        SPEC(",\"factors\":[\"T=@/etc/passwd\"]"),
        SPEC(",\"factors\":[\"T=1:99999999999\"]"),
        SPEC(",\"lists\":[1]"),
        SPEC(",\"lists\":[[]]"),
        SPEC(",\"lists\":[[null]]"),
        SPEC(",\"files\":[{}]"),
        SPEC(",\"files\":1"),
        SPEC(",\"files\":[{\"path\":\"a\"}]"),
        SPEC(",\"inputs\":[{\"path\":\"a\",\"text\":1}]"),
        SPEC(",\"inputs\":[{\"path\":\"a\",\"text\":\"\",\"base64\":\"\"}]"),
        SPEC(",\"inputs\":[{\"path\":\"a\",\"base64\":\"AAA\"}]"),
        SPEC(",\"inputs\":[{\"path\":\"a\",\"base64\":\"A=AA\"}]"),
        SPEC(",\"inputs\":[{\"path\":\"a\",\"base64\":\"=AAA\"}]"),
        SPEC(",\"inputs\":[{\"path\":\"..\",\"text\":\"\"}]"),
        SPEC(",\"inputs\":[{\"path\":\"\",\"text\":\"\"}]"),
        SPEC(",\"timeout\":\"x\""),
        SPEC(",\"name\\u0000\":1"),
        SPEC(",\"where\":\"\\u0000\""),
        SPEC(",\"metrics\":[\"\"]"),
        SPEC(",\"design\":\"lhs\",\"n\":100000000"),
        SPEC(",\"keeps_dirs\":false"),
        SPEC(",\"lists\":{}"),
        SPEC(",\"after\":{}"),
        SPEC(",\"after\":[1]"),
        SPEC(",\"after\":[{\"stage\":\"a\",\"study\":\"b\",\"on\":\"success\"}]"),
        SPEC(",\"after\":[" AFTER ",\"each\":1}]"),
    };
    struct fault f;

    cr_assert_eq(read_json(SPEC(""), &f), ERR_NONE, "%s", f.text);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        cr_assert_eq(read_json(bad[k], &f), ERR_MALFORMED, "%s", bad[k]);
}

Test(json, cut_anywhere_is_refused)
{
    static const char json[] =
        SPEC(",\"factors\":[\"T=1:3\"],\"inputs\":[{\"path\":\"a\",\"base64\":\"AA==\"}]");
    struct study *s;
    struct fault f;

    cr_assert_eq(read_json(json, &f), ERR_NONE, "%s", f.text);
    for (size_t n = 0; n < sizeof json - 1; n++) {
        char *copy =
            malloc(n ? n : 1); /* exactly as long, so that a sanitizer sees every byte beyond */
        memcpy(copy, json, n);
        cr_assert_eq(study_from_json(copy, n, &s, &f), ERR_MALFORMED);
        free(copy);
    }
}

Test(json, with_any_byte_changed_is_refused_or_read)
{
    static const char json[] =
        SPEC(",\"factors\":[\"T=1:3\",\"@t\"],\"files\":[{\"path\":\"t\",\"text\":\"a,b\\n1,2\"}],"
             "\"lists\":[[\"x\"]],\"timeout\":\"3s\"");
    char copy[sizeof json];
    struct fault f;

    cr_assert_eq(read_json(json, &f), ERR_NONE, "%s", f.text);
    for (size_t k = 0; k < sizeof json - 1; k++) {
        static const char letters[] = "\"{}[],:0-e\\\xff ";
        for (size_t l = 0; l < sizeof letters - 1; l++) {
            memcpy(copy, json, sizeof json);
            copy[k] = letters[l];
            enum err err = read_json(copy, &f);
            cr_assert(err == ERR_NONE || err == ERR_MALFORMED);
        }
    }
}

static void says(const char *json, const char *words)
{
    struct fault f;

    cr_assert_neq(read_json(json, &f), ERR_NONE, "%s", json);
    cr_assert(strstr(f.text, words), "'%s' lacks '%s'", f.text, words);
}

Test(json, that_is_malformed_says_where)
{
    says("{\"version\":1,", "the stored study is malformed: line 1: ");
    says("{\"name\":\"a\"}", "malformed: it has no version");
    says("{\"version\":2}", "has the version 2, this program knows version 1");
    says("{\"calls\":{\"commands\":true}}", "is one of calls that a program made, not of points");
    says(SPEC(",\"seed\":1"), "malformed: 'seed' is not what it should be");
    says(SPEC(",\"keeps_dirs\":false"), "malformed: 'keeps_dirs' is not");
    says(SPEC(",\"after\":[" AFTER "}]"), "the keys of stage 'a' are not what they should be");
    says(SPEC(",\"after\":[{\"stage\":\"a\",\"study\":\"b\",\"on\":\"success\",\"each\":true,"
              "\"spec\":" SPEC(",\"factors\":[\"T=1:3\"]") "}]"),
         "this stage has 1 points and stage 'a' 3; to wait for each other point by point");
    says(SPEC(",\"surprise\":1"), "malformed: it has unknown keys");
    says(SPEC(",\"factors\":[\"T=1:0\"]"),
         "the stored study is malformed: factor 'T': '1:0' never");
    says(SPEC(",\"factors\":[\"T=@file\"]"), "the content of 'file' is missing");
}

Test(json, that_is_longer_than_any_study_is_not_looked_at)
{
    char *json = calloc(1, SPEC_BYTES_MAX + 1);
    struct study *s;
    struct fault f;

    cr_assert_eq(study_from_json(json, SPEC_BYTES_MAX + 1, &s, &f), ERR_MALFORMED);
    cr_assert(strstr(f.text, "the stored study has 67108865 bytes, the limit is 67108864"), "%s",
              f.text);
    free(json);
}
