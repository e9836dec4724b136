#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/rng.h"
#include "study/impl.h"
#include "study/text.h"

enum {
    SHUFFLE_ABOVE = 1000
}; /* points: partial results of a long study should be representative */

/* struct maker - what is needed while a study is made. */
struct maker {
    struct study *s;
    const struct sources *from;
    struct blame *blame;
    size_t bytes; /* of all files so far */
};

static enum err make_all(struct maker *m, struct fault *f);
static enum err make_factors(struct maker *m, struct fault *f);
static enum err make_inputs(struct maker *m, struct fault *f);
static enum err make_metrics(struct maker *m, struct fault *f);
static enum err check_size(struct maker *m, struct fault *f);
static void make_order(struct study *s);
static enum err find_longest_first(struct study *s, struct fault *f, struct blame *blame);

enum err study_make(const struct words *w, const struct sources *from, struct study **s,
                    struct fault *f, struct blame *blame)
{
    struct blame unused;
    struct sources disk = { 0 };
    struct words copy = *w;
    char cwd[PATH_MAX];

    *s = NULL;
    blame = blame ? blame : &unused;
    *blame = (struct blame){ 0 };
    if (!copy.cwd && !getcwd(cwd, sizeof cwd))
        return fault_set(f, ERR_IO, "cannot tell the working directory: %s", strerror(errno));
    if (!copy.cwd)
        copy.cwd = cwd;
    enum err err = words_check(&copy, f, blame);
    if (err)
        return err;
    struct study *made = calloc(1, sizeof *made);
    must(made != NULL);
    words_copy(&made->arena, &copy, &made->words);
    struct maker m = { .s = made, .from = from ? from : &disk, .blame = blame };
    err = make_all(&m, f);
    if (err)
        study_free(made);
    else
        *s = made;
    return err;
}

static enum err make_all(struct maker *m, struct fault *f)
{
    struct study *s = m->s;
    enum err err = policy_parse(&s->words, &s->policy, f, m->blame);

    if (!err)
        err = make_factors(m, f);
    if (!err)
        err = design_prepare(s, f, m->blame);
    if (!err)
        err = find_longest_first(s, f, m->blame);
    if (!err)
        err = after_prepare(s, f, m->blame);
    if (!err)
        err = command_prepare(s, f, m->blame);
    if (!err)
        err = make_inputs(m, f);
    if (!err)
        err = make_metrics(m, f);
    if (err)
        return err;
    identity_prepare(s);
    make_order(s);
    return check_size(m, f);
}

static enum err cannot_read(const char *path, const char *dir, int error, struct fault *f)
{
    enum err err = error == ENOENT ? ERR_NOT_FOUND : error == EACCES ? ERR_PERMISSION : ERR_IO;

    if (error == EFBIG)
        return fault_set(f, ERR_LIMIT, "'%s' makes the study larger than the limit of %d MiB",
                         CLIP(path), SPEC_BYTES_MAX >> 20);
    if (*path == '/')
        return fault_set(f, err, "cannot read '%s': %s", CLIP(path), strerror(error));
    return fault_set(f, err, "cannot read '%s': %s (in the directory %s)", CLIP(path),
                     strerror(error), dir);
}

/* A file from the disk, into the arena. */
static enum err load(struct maker *m, const char *path, const char *dir, struct file *file,
                     struct fault *f)
{
    struct buf full = { 0 }, data = { 0 };

    if (!dir)
        dir = m->s->words.cwd;
    bool from_stdin = strcmp(path, "-") == 0; /* ./- is the file of that name */
    if (*path != '/' && !from_stdin)
        buf_addf(&full, "%s/", dir);
    buf_adds(&full, from_stdin ? "/dev/stdin" : path);
    int error = buf_read_file(&data, full.data, SPEC_BYTES_MAX - m->bytes);
    m->bytes += data.n;
    *file = (struct file){ .path = arena_text(&m->s->arena, path), .n = data.n };
    file->name = text_base_name(file->path);
    file->data = arena_bytes(&m->s->arena, data.data, data.n);
    buf_fini(&full);
    buf_fini(&data);
    return error ? cannot_read(path, dir, error, f) : ERR_NONE;
}

static enum err held(struct maker *m, const struct file *found, struct file *file)
{
    *file = (struct file){ .path = arena_text(&m->s->arena, found->path), .n = found->n };
    file->name = text_base_name(file->path);
    file->data = arena_bytes(&m->s->arena, found->data, found->n);
    return ERR_NONE;
}

static enum err load_factor_file(struct maker *m, const char *path, struct file *file,
                                 struct fault *f)
{
    const struct sources *from = m->from;

    for (size_t k = 0; k < from->n_factor_files; k++) {
        if (strcmp(from->factor_files[k].path, path) == 0)
            return held(m, &from->factor_files[k], file);
    }
    if (from->held_only)
        return fault_set(f, ERR_NOT_FOUND, "the content of '%s' is missing", CLIP(path));
    return load(m, path, from->factors_dir, file, f);
}

/* What factors read: each file once, and text only. */
static enum err read_factor_file(void *context, const char *path, const char **data, size_t *n,
                                 struct fault *f)
{
    struct maker *m = context;
    struct study *s = m->s;
    struct file *file = s->files;

    while (file < s->files + s->n_files && strcmp(file->path, path) != 0)
        file++;
    if (file == s->files + s->n_files) {
        must(s->n_files <= FACTORS_MAX); /* each before gave a factor, and one more is refused */
        enum err err = load_factor_file(m, path, file, f);
        if (err)
            return err;
        size_t line = text_line_of_no_utf8(file->data, file->n);
        if (line)
            return fault_set(f, ERR_USAGE, "file '%s', line %zu: this is not UTF-8 text",
                             CLIP(path), line);
        s->n_files++;
    }
    *data = file->data;
    *n = file->n;
    return ERR_NONE;
}

static enum err make_factors(struct maker *m, struct fault *f)
{
    struct study *s = m->s;
    struct factors c;
    enum err err = ERR_NONE;

    s->files = arena_array(&s->arena, FACTORS_MAX + 1, sizeof *s->files);
    factors_init(&c, &s->arena, (struct file_reader){ .read = read_factor_file, .context = m });
    for (size_t k = 0; k < s->words.n_factors && !err; k++) {
        *m->blame = (struct blame){ .word = WORD_FACTORS, .i = k };
        err = factors_add(&c, s->words.factors[k], f);
    }
    s->n_named = c.n_factors;
    for (size_t k = 0; k < s->words.n_lists && !err; k++) {
        *m->blame = (struct blame){ .word = WORD_LISTS, .i = k };
        err = factors_add_list(&c, s->words.lists[k], f);
    }
    s->factors = c.factors;
    s->n_factors = c.n_factors;
    s->groups = c.groups;
    s->n_groups = c.n_groups;
    return err;
}

static enum err make_inputs(struct maker *m, struct fault *f)
{
    struct study *s = m->s;

    s->inputs = arena_array(&s->arena, s->words.n_inputs, sizeof *s->inputs);
    s->input_templates = arena_array(&s->arena, s->words.n_inputs, sizeof *s->input_templates);
    for (size_t k = 0; k < s->words.n_inputs; k++) {
        *m->blame = (struct blame){ .word = WORD_INPUTS, .i = k };
        enum err err = m->from->inputs
                           ? held(m, &m->from->inputs[k], &s->inputs[k])
                           : load(m, s->words.inputs[k], m->from->inputs_dir, &s->inputs[k], f);
        if (err)
            return err;
        template_input(s, s->inputs[k].data, s->inputs[k].n, &s->input_templates[k]);
    }
    return ERR_NONE;
}

/* To SQL, whose columns they become, a name is the same in upper and in lower case. */
#define CASE_WORDS(a, b) (strcmp(a, b) == 0 ? "" : " (upper and lower case are the same here)")

static enum err check_metric(const struct study *s, size_t k, struct fault *f)
{
    const char *name = metric_name(s->metrics[k]);

    for (size_t j = 0; j < k; j++) {
        if (strcasecmp(name, metric_name(s->metrics[j])) == 0)
            return fault_set(f, ERR_USAGE,
                             "metric '%s' is given twice%s; give each a name of its own",
                             CLIP(name), CASE_WORDS(name, metric_name(s->metrics[j])));
    }
    for (size_t j = 0; j < s->n_factors; j++) {
        if (strcasecmp(name, s->factors[j].name) == 0)
            return fault_set(
                f, ERR_USAGE,
                "metric '%s' has the name of a factor%s; both are columns of the results, "
                "so choose another name",
                CLIP(name), CASE_WORDS(name, s->factors[j].name));
    }
    return ERR_NONE;
}

static enum err make_metrics(struct maker *m, struct fault *f)
{
    struct study *s = m->s;

    s->metrics = arena_array(&s->arena, s->words.n_metrics, sizeof *s->metrics);
    for (size_t k = 0; k < s->words.n_metrics; k++) {
        *m->blame = (struct blame){ .word = WORD_METRICS, .i = k };
        enum err err = metric_parse(s->words.metrics[k], &s->metrics[k], f);
        if (!err)
            err = check_metric(s, k, f);
        if (err)
            return err;
    }
    return ERR_NONE;
}

static enum err find_longest_first(struct study *s, struct fault *f, struct blame *blame)
{
    const char *name = s->words.longest_first;

    if (!name)
        return ERR_NONE;
    *blame = (struct blame){ .word = WORD_LONGEST_FIRST };
    for (size_t j = 0; j < s->n_factors; j++) {
        if (strcmp(study_factor_name(s, j), name) != 0)
            continue;
        if (!study_factor_numeric(s, j))
            return fault_set(f, ERR_USAGE,
                             "longest first: the values of factor '%s' are not all numbers", name);
        s->longest_first = j + 1;
        return ERR_NONE;
    }
    return fault_set(f, ERR_USAGE, "longest first: there is no factor '%s'", CLIP(name));
}

/* Dispatched in a permutation: the same for the same study, so that a resumed one goes on in it. */
static void make_order(struct study *s)
{
    int shuffle = s->words.shuffle;

    if (s->longest_first)
        return; /* by the scheduler, which has the points */

    if (shuffle > 0 || (shuffle == 0 && s->n_points > SHUFFLE_ABOVE))
        s->policy.order_seed = rng_mix(s->template_key[0] ^ s->words.seed) | 1;
}

static size_t bytes_of(const char *const *texts, size_t n)
{
    size_t bytes = 0;

    for (size_t k = 0; k < n; k++)
        bytes += strlen(texts[k]);
    return bytes;
}

/* A byte takes at most six in JSON, so only large studies have to be written to know. */
static enum err check_size(struct maker *m, struct fault *f)
{
    const struct words *w = &m->s->words;
    size_t bytes = m->bytes + bytes_of(w->command, w->n_command) +
                   bytes_of(w->factors, w->n_factors) + bytes_of(w->metrics, w->n_metrics);
    struct buf json = { 0 };

    for (size_t l = 0; l < w->n_lists; l++) {
        for (size_t i = 0; w->lists[l][i]; i++)
            bytes += strlen(w->lists[l][i]) + 3;
    }
    *m->blame = (struct blame){ 0 };
    if (m->from->held_only || bytes < SPEC_BYTES_MAX / 8)
        return ERR_NONE;
    study_to_json(m->s, &json);
    bytes = json.n;
    buf_fini(&json);
    if (bytes > SPEC_BYTES_MAX)
        return fault_set(
            f, ERR_LIMIT,
            "the study has %zu MiB with its files, the limit is %d MiB; let the points "
            "read large files by their path",
            bytes >> 20, SPEC_BYTES_MAX >> 20);
    return ERR_NONE;
}

enum err study_from_words(const struct words *w, struct study **s, struct fault *f)
{
    return study_make(w, NULL, s, f, NULL);
}

void study_free(struct study *s)
{
    if (!s)
        return;
    for (size_t k = 0; s->metrics && k < s->words.n_metrics; k++) {
        if (s->metrics[k])
            metric_free(s->metrics[k]);
    }
    after_fini(s);
    arena_fini(&s->arena);
    free(s);
}
