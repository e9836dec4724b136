/* study_fuzz - whatever a person types behind `:::`, and whatever JSON a peer sends as a study:
 * reading it must not crash, and what is accepted gives points, is written as JSON that is accepted
 * again, and that gives the same points.
 *
 * An input that begins with '{' is a study as JSON, anything else a word of factors a line. No file
 * is opened: words with '@' are left out, and the inputs of a study come with its JSON.
 *
 * Seeds: `fuzz_study --seeds DIR` writes one file for each of `samples`, as words and as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "study/study.h"
#include "tests/fuzz/fuzz.h"

enum { WORDS_MAX = 16, LOOK_AT = 3 };

static const char *const command[] = { "./sim", "{#}", "{seed}" };

static const struct sample {
    const char *name, *words;
} samples[] = {
    { "range", "T=280:320:10" },
    { "range-down", "x=1:-1:-0.25" },
    { "range-decimals", "k=0.1:0.3:0.1" },
    { "range-large", "x=1:60000000" },
    { "list", "n=1,2,4" },
    { "list-quoted", "n=\"a,b\",\"say \"\"so\"\"\",c" },
    { "list-exponents", "k=1e-3,1E+4,.5,-0" },
    { "lin", "k=lin(0,1,11)" },
    { "log", "k=log(1e-3,1e-1,5)" },
    { "zip", "(a=1,2,3 + b=x,y,z)" },
    { "zip-of-ranges", "(a=1:3 + k=lin(0,1,3))" },
    { "crossed", "T=280:320:10\nn=1,2,4\n(a=1,2 + b=x,y)" },
    { "continuous", "T=280..320\nk=log:1e-3..1e-1" },
};

/* What is asked of every study that was accepted. */
static void look_at_points(const struct study *s, struct buf *out)
{
    uint64_t n = study_n_points(s);
    uint64_t which[LOOK_AT] = { 0, n / 2, n - 1 }, id[2];
    struct point p;

    if (n == 0)
        return;
    point_init(&p);
    for (size_t k = 0; k < LOOK_AT; k++) {
        study_point(s, which[k], &p);
        must(p.n == study_n_factors(s) && p.rep < study_reps(s));
        study_identity(s, &p, id);
        uint32_t seed = study_seed(s, &p);
        must(seed >= 1 && seed <= INT32_MAX);
        buf_addf(out, "%llx %llx %u ", (unsigned long long)id[0], (unsigned long long)id[1], seed);
        study_point_label(s, &p, out);
        study_point_dirname(s, &p, out);
        study_command_line(s, &p, &(struct dirs){ "/tmp/out", "/tmp" }, out);
        for (size_t i = 0; i < study_n_inputs(s); i++)
            study_input_render(s, i, &p, &(struct dirs){ "/tmp/out", "/tmp" }, out);
    }
    point_fini(&p);
}

static void check(const struct study *s)
{
    struct buf json = { 0 }, json_again = { 0 }, points = { 0 }, points_again = { 0 };
    struct study *again = NULL;
    struct fault f;

    study_to_json(s, &json);
    must(study_from_json(buf_text(&json), json.n, &again, &f) == ERR_NONE);
    study_to_json(again, &json_again);
    must(json.n == json_again.n && memcmp(json.data, json_again.data, json.n) == 0);
    look_at_points(s, &points);
    look_at_points(again, &points_again);
    must(strcmp(buf_text(&points), buf_text(&points_again)) == 0);
    study_free(again);
    buf_fini(&json);
    buf_fini(&json_again);
    buf_fini(&points);
    buf_fini(&points_again);
}

static enum err from_lines(const char *text, struct study **s, struct fault *f)
{
    const char *factors[WORDS_MAX];
    char *copy = strdup(text), *rest = NULL;
    struct words w = { .command = command, .n_command = 3, .cwd = "/tmp", .seed = 7 };

    must(copy != NULL);
    for (char *line = strtok_r(copy, "\n", &rest); line && w.n_factors < WORDS_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        if (!strchr(line, '@'))
            factors[w.n_factors++] = line;
        if (strstr(line, "..")) {
            w.design = "sobol";
            w.n = 100;
        }
    }
    w.factors = factors;
    enum err err = study_from_words(&w, s, f);
    free(copy);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct study *s = NULL;
    struct fault f = { 0 };
    struct buf text = { 0 };
    enum err err;

    buf_add(&text, data, n);
    if (n > 0 && data[0] == '{')
        err = study_from_json(buf_text(&text), n, &s, &f);
    else
        err = from_lines(buf_text(&text), &s, &f);
    if (err == ERR_NONE) {
        check(s);
        study_free(s);
    } else {
        must(s == NULL && f.text[0] != '\0');
    }
    buf_fini(&text);
    return 0;
}

/* A study with everything in it: what JSON can say. */
static void full_seed(void (*write)(void *arg, const char *name, const void *data, size_t n),
                      void *arg)
{
    static const char json[] =
        "{\"version\":1,\"name\":\"all\",\"command\":[\"./"
        "sim\",\"{T}\",\"{1}\",\"{rep}\",\"{out}\"],"
        "\"factors\":[\"T=280:320:10\",\"@t.csv\"],\"lists\":[[\"a\",\"b\"]],\"where\":\"T>280\","
        "\"reps\":2,"
        "\"seed\":\"3\",\"code_version\":\"v1\",\"metrics\":[\"e=json:out.json:energy.total\","
        "\"fc=regex:fc *= "
        "*([0-9]+)\",\"x=csv:out.csv:col\"],\"timeout\":\"300%\",\"halt\":\"soon,fail=5%\","
        "\"exits\":\"75:retry,77:fail\",\"memory\":\"512M\",\"retries\":2,\"cores\":1,\"shuffle\":"
        "true,"
        "\"cwd\":\"/tmp\",\"files\":[{\"path\":\"t.csv\",\"text\":\"p,q\\n1,x\\n2,y\\n\"}],"
        "\"inputs\":[{\"path\":\"deck.cir\",\"text\":\"R={T} {{ {p}\\n\"},"
        "{\"path\":\"b.bin\",\"base64\":\"AP8=\"}]}";
    struct study *s = NULL;
    struct fault f;

    must(study_from_json(json, sizeof json - 1, &s, &f) == ERR_NONE);
    study_free(s);
    write(arg, "json-full", json, sizeof json - 1);
}

void fuzz_seeds(void (*write)(void *arg, const char *name, const void *data, size_t n), void *arg)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct study *s = NULL;
        struct fault f;
        struct buf json = { 0 };
        char name[64];

        write(arg, samples[i].name, samples[i].words, strlen(samples[i].words));
        must(from_lines(samples[i].words, &s, &f) == ERR_NONE);
        study_to_json(s, &json);
        snprintf(name, sizeof name, "json-%s", samples[i].name);
        write(arg, name, json.data, json.n);
        study_free(s);
        buf_fini(&json);
    }
    full_seed(write, arg);
}
