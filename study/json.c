/* A study as JSON: the words that it was made from and the contents of the files that they name, so
 * that study_make can make it again anywhere. Keys that were not given are left out. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "study/impl.h"
#include "study/text.h"

enum { SPEC_VERSION = 1 };

static void add_key(struct buf *out, const char *key)
{
    buf_addf(out, ",\"%s\":", key);
}

static void add_text(struct buf *out, const char *key, const char *text)
{
    if (!text)
        return;
    add_key(out, key);
    buf_add_json(out, text, strlen(text));
}

static void add_number(struct buf *out, const char *key, uint64_t v)
{
    if (v == 0)
        return;
    add_key(out, key);
    buf_addf(out, "%" PRIu64, v);
}

static void add_array(struct buf *out, const char *const *texts, size_t n)
{
    buf_addc(out, '[');
    for (size_t k = 0; k < n; k++) {
        if (k)
            buf_addc(out, ',');
        buf_add_json(out, texts[k], strlen(texts[k]));
    }
    buf_addc(out, ']');
}

static void add_texts(struct buf *out, const char *key, const char *const *texts, size_t n)
{
    if (n == 0)
        return;
    add_key(out, key);
    add_array(out, texts, n);
}

static void add_lists(struct buf *out, const struct words *w)
{
    if (w->n_lists == 0)
        return;
    add_key(out, "lists");
    for (size_t l = 0; l < w->n_lists; l++) {
        size_t n = 0;
        while (w->lists[l][n])
            n++;
        buf_addc(out, l ? ',' : '[');
        add_array(out, w->lists[l], n);
    }
    buf_addc(out, ']');
}

static void add_files(struct buf *out, const char *key, const struct file *files, size_t n)
{
    if (n == 0)
        return;
    add_key(out, key);
    for (size_t k = 0; k < n; k++) {
        bool text = text_line_of_no_utf8(files[k].data, files[k].n) == 0;
        buf_adds(out, k ? ",{\"path\":" : "[{\"path\":");
        buf_add_json(out, files[k].path, strlen(files[k].path));
        add_key(out, text ? "text" : "base64");
        if (text) {
            buf_add_json(out, files[k].data, files[k].n);
        } else {
            buf_addc(out, '"');
            text_add_base64(out, files[k].data, files[k].n);
            buf_addc(out, '"');
        }
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static const char *const on_words[N_AFTER_ON] = { "success", "failure", "either" };

static void add_stage(const struct study *s, size_t k, bool within, struct buf *out)
{
    const struct after *a = study_after(s, k);
    const struct upstream *u = &s->upstreams[k];

    buf_adds(out, "{\"stage\":");
    buf_add_json(out, a->stage, strlen(a->stage));
    add_text(out, "study", a->study);
    buf_addf(out, ",\"each\":%s,\"any\":%s", a->each ? "true" : "false", a->any ? "true" : "false");
    add_text(out, "on", on_words[a->on]);
    if (within || !u->study) {
        add_key(out, "keys");
        buf_addf(out, "\"%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "\"",
                 u->template_key[0], u->template_key[1], u->key[0], u->key[1]);
    } else {
        add_key(out, "spec");
        study_write(u->study, true, out);
    }
    buf_addc(out, '}');
}

static void add_after(const struct study *s, bool within, struct buf *out)
{
    if (s->words.n_after == 0)
        return;
    add_key(out, "after");
    for (size_t k = 0; k < s->words.n_after; k++) {
        buf_addc(out, k ? ',' : '[');
        add_stage(s, k, within, out);
    }
    buf_addc(out, ']');
}

void study_to_json(const struct study *s, struct buf *out)
{
    study_write(s, false, out);
}

void study_write(const struct study *s, bool within, struct buf *out)
{
    const struct words *w = &s->words;

    buf_addf(out, "{\"version\":%d", SPEC_VERSION);
    add_text(out, "name", w->name);
    add_texts(out, "command", w->command, w->n_command);
    add_text(out, "function", w->function);
    add_texts(out, "factors", w->factors, w->n_factors);
    add_lists(out, w);
    add_text(out, "where", w->where);
    add_text(out, "design", w->design);
    add_number(out, "n", w->n);
    add_number(out, "reps", w->reps);
    if (w->seed) { /* a text: it may be larger than the numbers of many readers of JSON */
        add_key(out, "seed");
        buf_addf(out, "\"%" PRIu64 "\"", w->seed);
    }
    add_text(out, "code_version", w->code_version);
    add_texts(out, "metrics", w->metrics, w->n_metrics);
    add_text(out, "timeout", w->timeout);
    add_text(out, "halt", w->halt);
    add_text(out, "exits", w->exits);
    add_text(out, "memory", w->memory);
    add_number(out, "retries", w->retries);
    add_number(out, "cores", w->cores);
#define X(name, word) add_text(out, #name, w->name);
    RUN_TEXTS(X)
#undef X
#define X(name, word, max) add_number(out, #name, w->name);
    RUN_NUMBERS(X)
#undef X
    if (w->shuffle)
        buf_adds(out, w->shuffle > 0 ? ",\"shuffle\":true" : ",\"shuffle\":false");
    add_after(s, within, out);
    if (w->keeps_dirs)
        buf_adds(out, ",\"keeps_dirs\":true");
    add_text(out, "cwd", w->cwd);
    add_files(out, "files", s->files, s->n_files);
    add_files(out, "inputs", s->inputs, w->n_inputs);
    buf_addc(out, '}');
}

/* struct reading - a study while it is read. Texts are jansson's, arrays the arena's. */
struct reading {
    json_t *root;
    struct arena arena;
    struct words words;
    struct sources from;
    size_t n_keys;     /* keys that were known */
    const char *wrong; /* first key that is not what it should be */
};

static const json_t *take(struct reading *r, const char *key)
{
    const json_t *v = json_object_get(r->root, key);

    r->n_keys += v != NULL;
    return v;
}

static void wrong(struct reading *r, const char *key)
{
    if (!r->wrong)
        r->wrong = key;
}

static const char *take_text(struct reading *r, const char *key)
{
    const json_t *v = take(r, key);

    if (v && !json_is_string(v))
        wrong(r, key);
    return json_string_value(v);
}

static uint64_t take_number(struct reading *r, const char *key, uint64_t max)
{
    const json_t *v = take(r, key);
    json_int_t n = json_integer_value(v);

    if (v && (!json_is_integer(v) || n < 1 || (uint64_t)n > max))
        wrong(r, key);
    return (uint64_t)n;
}

static uint64_t take_seed(struct reading *r)
{
    const char *text = take_text(r, "seed");
    char *end = NULL;

    if (!text)
        return 0;
    errno = 0;
    uint64_t seed = strtoull(text, &end, 10);
    if (*text < '1' || *text > '9' || *end || errno)
        wrong(r, "seed");
    return seed;
}

/* An array of texts with a NULL behind the last. */
static const char *const *read_texts(struct reading *r, const char *key, const json_t *v, size_t *n)
{
    *n = json_array_size(v);
    if (v && !json_is_array(v))
        wrong(r, key);
    const char **texts = arena_array(&r->arena, *n + 1, sizeof *texts);
    for (size_t k = 0; k < *n; k++) {
        texts[k] = json_string_value(json_array_get(v, k));
        if (!texts[k]) {
            wrong(r, key);
            texts[k] = "";
        }
    }
    return texts;
}

static const char *const *take_texts(struct reading *r, const char *key, size_t *n)
{
    return read_texts(r, key, take(r, key), n);
}

static void take_lists(struct reading *r)
{
    const json_t *v = take(r, "lists");
    size_t n = json_array_size(v), unused;

    if (v && !json_is_array(v))
        wrong(r, "lists");
    const char *const **lists = arena_array(&r->arena, n + 1, sizeof *lists);
    for (size_t l = 0; l < n; l++)
        lists[l] = read_texts(r, "lists", json_array_get(v, l), &unused);
    r->words.lists = lists;
    r->words.n_lists = n;
}

static void read_file(struct reading *r, const char *key, const json_t *v, struct file *file)
{
    const json_t *text = json_object_get(v, "text"), *packed = json_object_get(v, "base64");
    struct buf data = { 0 };

    *file = (struct file){ .path = json_string_value(json_object_get(v, "path")) };
    if (!file->path || !json_is_string(text) == !json_is_string(packed)) {
        wrong(r, key);
        file->path = "";
        return;
    }
    file->data = json_string_value(text);
    file->n = json_string_length(text);
    if (!packed)
        return;
    if (!text_add_unbase64(&data, json_string_value(packed), json_string_length(packed)))
        wrong(r, key);
    file->data = arena_bytes(&r->arena, data.data, data.n);
    file->n = data.n;
    buf_fini(&data);
}

static struct file *take_files(struct reading *r, const char *key, size_t *n)
{
    const json_t *v = take(r, key);

    *n = json_array_size(v);
    if (v && !json_is_array(v))
        wrong(r, key);
    struct file *files = arena_array(&r->arena, *n + 1, sizeof *files);
    for (size_t k = 0; k < *n; k++)
        read_file(r, key, json_array_get(v, k), &files[k]);
    return files;
}

static void take_inputs(struct reading *r)
{
    size_t n;
    const struct file *inputs = take_files(r, "inputs", &n);
    const char **paths = arena_array(&r->arena, n + 1, sizeof *paths);

    for (size_t k = 0; k < n; k++)
        paths[k] = inputs[k].path;
    r->from.inputs = inputs;
    r->words.inputs = paths;
    r->words.n_inputs = n;
}

static bool read_bool(struct reading *r, const json_t *v)
{
    if (v && !json_is_boolean(v))
        wrong(r, "after");
    return json_is_true(v);
}

static void read_after(struct reading *r, const json_t *v, struct after *a)
{
    const json_t *spec = json_object_get(v, "spec");
    const char *on = json_string_value(json_object_get(v, "on"));

    *a = (struct after){ .stage = json_string_value(json_object_get(v, "stage")),
                         .study = json_string_value(json_object_get(v, "study")),
                         .each = read_bool(r, json_object_get(v, "each")),
                         .any = read_bool(r, json_object_get(v, "any")),
                         .keys = json_string_value(json_object_get(v, "keys")) };
    while (a->on < N_AFTER_ON && (!on || strcmp(on, on_words[a->on]) != 0))
        a->on++;
    if (spec) {
        char *text = json_dumps(spec, JSON_COMPACT);
        a->spec = arena_text(&r->arena, text ? text : "");
        free(text);
    }
    if (!a->stage || !a->study || a->on == N_AFTER_ON || !a->spec == !a->keys) {
        wrong(r, "after");
        *a = (struct after){ .stage = "", .study = "", .keys = "" };
    }
}

static void take_after(struct reading *r)
{
    const json_t *v = take(r, "after");
    size_t n = json_array_size(v);

    if ((v && !json_is_array(v)) || n > STAGES_MAX) {
        wrong(r, "after");
        n = 0;
    }
    struct after *after = arena_array(&r->arena, n + 1, sizeof *after);
    for (size_t k = 0; k < n; k++)
        read_after(r, json_array_get(v, k), &after[k]);
    r->words.after = after;
    r->words.n_after = n;
}

static void take_words(struct reading *r)
{
    struct words *w = &r->words;
    const json_t *shuffle = take(r, "shuffle");

    w->name = take_text(r, "name");
    w->command = take_texts(r, "command", &w->n_command);
    w->function = take_text(r, "function");
    w->factors = take_texts(r, "factors", &w->n_factors);
    take_lists(r);
    w->where = take_text(r, "where");
    w->design = take_text(r, "design");
    w->n = take_number(r, "n", POINTS_MAX);
    w->reps = (uint32_t)take_number(r, "reps", POINTS_MAX);
    w->seed = take_seed(r);
    w->code_version = take_text(r, "code_version");
    w->metrics = take_texts(r, "metrics", &w->n_metrics);
    w->timeout = take_text(r, "timeout");
    w->halt = take_text(r, "halt");
    w->exits = take_text(r, "exits");
    w->memory = take_text(r, "memory");
    w->retries = (uint32_t)take_number(r, "retries", RETRIES_MAX);
    w->cores = (uint32_t)take_number(r, "cores", SLOTS_MAX);
#define X(name, word) w->name = take_text(r, #name);
    RUN_TEXTS(X)
#undef X
#define X(name, word, max) w->name = (uint32_t)take_number(r, #name, max);
    RUN_NUMBERS(X)
#undef X
    if (shuffle && !json_is_boolean(shuffle))
        wrong(r, "shuffle");
    w->shuffle = !shuffle ? 0 : json_is_true(shuffle) ? 1 : -1;
    take_after(r);
    const json_t *keeps = take(r, "keeps_dirs");
    if (keeps && !json_is_true(keeps))
        wrong(r, "keeps_dirs");
    w->keeps_dirs = keeps != NULL;
    w->cwd = take_text(r, "cwd");
    r->from.held_only = true;
    r->from.factor_files = take_files(r, "files", &r->from.n_factor_files);
    take_inputs(r);
    if (!w->name)
        wrong(r, "name");
    if (!w->cwd)
        wrong(r, "cwd");
}

static enum err read_root(struct reading *r, struct study **s, struct fault *f)
{
    const json_t *version = take(r, "version");

    if (json_object_get(r->root, "calls"))
        return fault_set(f, ERR_USAGE,
                         "this study is one of calls that a program made, not of points");
    if (!json_is_integer(version))
        return fault_set(f, ERR_MALFORMED, "the stored study is malformed: it has no version");
    if (json_integer_value(version) != SPEC_VERSION)
        return fault_set(f, ERR_MALFORMED,
                         "the stored study has the version %" JSON_INTEGER_FORMAT
                         ", this program knows version %d",
                         json_integer_value(version), SPEC_VERSION);
    take_words(r);
    if (r->wrong)
        return fault_set(f, ERR_MALFORMED,
                         "the stored study is malformed: '%s' is not what it should be", r->wrong);
    if (r->n_keys != json_object_size(r->root))
        return fault_set(f, ERR_MALFORMED, "the stored study is malformed: it has unknown keys");
    struct fault inner = { 0 };
    if (study_make(&r->words, &r->from, s, &inner, NULL))
        return fault_set(f, ERR_MALFORMED, "the stored study is malformed: %.900s", inner.text);
    return ERR_NONE;
}

enum err study_from_json(const void *json, size_t bytes, struct study **s, struct fault *f)
{
    struct reading r = { 0 };
    json_error_t error;

    *s = NULL;
    if (bytes > SPEC_BYTES_MAX)
        return fault_set(f, ERR_MALFORMED, "the stored study has %zu bytes, the limit is %d", bytes,
                         SPEC_BYTES_MAX);
    r.root = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!r.root)
        return fault_set(f, ERR_MALFORMED, "the stored study is malformed: line %d: %s", error.line,
                         error.text);
    enum err err = read_root(&r, s, f);
    arena_fini(&r.arena);
    json_decref(r.root);
    return err;
}
