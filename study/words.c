#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "study/impl.h"
#include "study/text.h"

static const char name_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

static enum err check_counts(const struct words *w, struct fault *f, struct blame *blame);
static enum err check_name(const struct words *w, struct fault *f);
static enum err check_command(const struct words *w, struct fault *f, struct blame *blame);
static enum err check_letters(const struct words *w, struct fault *f, struct blame *blame);
static enum err check_inputs(const struct words *w, struct fault *f, struct blame *blame);

enum err words_check(const struct words *w, struct fault *f, struct blame *blame)
{
    enum err err = check_letters(w, f, blame);

    if (!err)
        err = check_command(w, f, blame);
    if (!err)
        err = check_counts(w, f, blame);
    if (!err) {
        *blame = (struct blame){ .word = WORD_NAME };
        err = check_name(w, f);
    }
    if (!err)
        err = check_inputs(w, f, blame);
    if (!err && w->cwd && w->cwd[0] != '/') {
        *blame = (struct blame){ .word = WORD_CWD };
        err =
            fault_set(f, ERR_USAGE, "the working directory '%s' should start with /", CLIP(w->cwd));
    }
    return err;
}

static enum err check_counts(const struct words *w, struct fault *f, struct blame *blame)
{
    const struct {
        enum word word;
        size_t n, max;
        const char *what;
    } counts[] = { { WORD_COMMAND, w->n_command, ARGS_MAX, "arguments of the command" },
                   { WORD_FACTORS, w->n_factors, FACTORS_MAX, "factors" },
                   { WORD_LISTS, w->n_lists, FACTORS_MAX, "lists" },
                   { WORD_INPUTS, w->n_inputs, INPUTS_MAX, "input files" },
                   { WORD_METRICS, w->n_metrics, METRICS_MAX, "metrics" },
                   { WORD_AFTER, w->n_after, STAGES_MAX, "stages that come first" } };

    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        *blame = (struct blame){ .word = counts[k].word, .i = counts[k].max };
        if (counts[k].n > counts[k].max)
            return fault_set(f, ERR_LIMIT, "%zu %s are more than the limit of %zu", counts[k].n,
                             counts[k].what, counts[k].max);
    }
    *blame = (struct blame){ .word = WORD_REPS };
    if (w->reps > POINTS_MAX)
        return fault_set(f, ERR_LIMIT, "%u replicates are more than the limit of %d", w->reps,
                         POINTS_MAX);
    return ERR_NONE;
}

/* The name becomes part of paths and of SQL. */
static enum err check_name(const struct words *w, struct fault *f)
{
    if (!w->name)
        return ERR_NONE;
    if (strlen(w->name) > NAME_BYTES_MAX)
        return fault_set(f, ERR_LIMIT, "the study's name '%s' has more than %d bytes",
                         CLIP(w->name), NAME_BYTES_MAX);
    if (*w->name == '\0' || strchr(".-", *w->name) || w->name[strspn(w->name, name_letters)])
        return fault_set(f, ERR_USAGE,
                         "'%s' cannot be the name of a study; use letters, digits, _, - and ., and "
                         "start with a letter, a digit or _",
                         w->name);
    return ERR_NONE;
}

static enum err check_command(const struct words *w, struct fault *f, struct blame *blame)
{
    *blame = (struct blame){ .word = WORD_COMMAND };
    if (w->function) {
        blame->word = WORD_FUNCTION;
        if (w->n_command)
            return fault_set(f, ERR_USAGE, "a study runs a command or the function '%s', not both",
                             CLIP(w->function));
        if (*w->function == '\0' || strlen(w->function) > NAME_BYTES_MAX)
            return fault_set(f, ERR_USAGE, "the name of a function has 1 to %d bytes",
                             NAME_BYTES_MAX);
        return ERR_NONE;
    }
    if (w->n_command == 0)
        return fault_set(f, ERR_USAGE,
                         "there is no command to run; for example ./sim -T {T} with the factor "
                         "T=280:320:10");
    if (w->command[0][strspn(w->command[0], " \t\n")] == '\0')
        return fault_set(f, ERR_USAGE, "the command is empty");
    return ERR_NONE;
}

static enum err check_text(const char *text, const char *what, struct fault *f)
{
    if (text && text_line_of_no_utf8(text, strlen(text)))
        return fault_set(f, ERR_USAGE, "%s is not UTF-8 text", what);
    return ERR_NONE;
}

static enum err check_texts(const char *const *texts, size_t n, const char *what, struct fault *f,
                            struct blame *blame, enum word word)
{
    enum err err = ERR_NONE;

    for (size_t k = 0; k < n && !err; k++) {
        char whose[64];
        snprintf(whose, sizeof whose, "%s %zu", what, k + 1);
        *blame = (struct blame){ .word = word, .i = k };
        err = check_text(texts[k], whose, f);
    }
    return err;
}

/* A study becomes JSON, which is UTF-8. */
static enum err check_letters(const struct words *w, struct fault *f, struct blame *blame)
{
    const struct {
        enum word word;
        const char *text, *what;
    } single[] = { { WORD_NAME, w->name, "the study's name" },
                   { WORD_FUNCTION, w->function, "the function" },
                   { WORD_WHERE, w->where, "where" },
                   { WORD_DESIGN, w->design, "the design" },
                   { WORD_CODE_VERSION, w->code_version, "the code version" },
                   { WORD_TIMEOUT, w->timeout, "the timeout" },
                   { WORD_HALT, w->halt, "halt" },
                   { WORD_EXITS, w->exits, "exits" },
                   { WORD_MEMORY, w->memory, "memory" },
#define X(name, word) { word, w->name, #name },
                   RUN_TEXTS(X)
#undef X
                       { WORD_CWD, w->cwd, "the working directory" } };
    enum err err = ERR_NONE;

    for (size_t k = 0; k < sizeof single / sizeof *single && !err; k++) {
        *blame = (struct blame){ .word = single[k].word };
        err = check_text(single[k].text, single[k].what, f);
    }
    if (!err)
        err = check_texts(w->command, w->n_command, "argument", f, blame, WORD_COMMAND);
    if (!err)
        err = check_texts(w->factors, w->n_factors, "factor", f, blame, WORD_FACTORS);
    if (!err)
        err = check_texts(w->inputs, w->n_inputs, "the path of input", f, blame, WORD_INPUTS);
    if (!err)
        err = check_texts(w->metrics, w->n_metrics, "metric", f, blame, WORD_METRICS);
    for (size_t l = 0; l < w->n_lists && !err; l++) {
        for (size_t i = 0; w->lists[l][i] && !err; i++) {
            char whose[64];
            snprintf(whose, sizeof whose, "value %zu of list %zu", i + 1, l + 1);
            *blame = (struct blame){ .word = WORD_LISTS, .i = l };
            err = check_text(w->lists[l][i], whose, f);
        }
    }
    return err;
}

static enum err check_inputs(const struct words *w, struct fault *f, struct blame *blame)
{
    for (size_t k = 0; k < w->n_inputs; k++) {
        const char *name = text_base_name(w->inputs[k]);
        *blame = (struct blame){ .word = WORD_INPUTS, .i = k };
        if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            return fault_set(f, ERR_USAGE, "the input '%s' names no file", CLIP(w->inputs[k]));
        for (size_t j = 0; j < k; j++) {
            if (strcmp(name, text_base_name(w->inputs[j])) == 0)
                return fault_set(
                    f, ERR_USAGE,
                    "the inputs '%s' and '%s' would both be '%s' in the directory of a "
                    "point; rename one of them",
                    CLIP(w->inputs[j]), CLIP(w->inputs[k]), CLIP(name));
        }
    }
    return ERR_NONE;
}

static const char *const *copy_texts(struct arena *a, const char *const *texts, size_t n)
{
    const char **copy = arena_array(a, n + 1, sizeof *copy);

    for (size_t k = 0; k < n; k++)
        copy[k] = arena_text(a, texts[k]);
    return copy;
}

/* The word of a command that names what is run: behind sh -c the first one that sets no variable.
 */
static const char *program_word(struct arena *a, const struct words *w)
{
    const char *text = w->command[0];
    const char *base = text_base_name(text);
    bool is_shell = strcmp(base, "sh") == 0 || strcmp(base, "bash") == 0;

    if (is_shell && w->n_command > 2 && strcmp(w->command[1], "-c") == 0)
        text = w->command[2];
    else if (w->n_command > 1 || !strpbrk(text, " \t\n"))
        return text;
    for (;;) {
        text += strspn(text, " \t\n");
        size_t n = strcspn(text, " \t\n;|&<>()");
        const char *word = arena_bytes(a, text, n);
        if (text[n] == '\0' || !strchr(word, '='))
            return word;
        text += n ? n : 1;
    }
}

static const char *default_name(struct arena *a, const struct words *w)
{
    const char *word = w->function ? w->function : program_word(a, w);
    char *name = arena_text(a, text_base_name(word)), *to = name;

    for (const char *p = name; *p && to - name < NAME_BYTES_MAX; p++) {
        if (strchr(name_letters, *p) && !(to == name && strchr(".-", *p)))
            *to++ = *p;
    }
    *to = '\0';
    return *name ? name : "study";
}

void words_copy(struct arena *a, const struct words *w, struct words *copy)
{
    const char *const **lists = arena_array(a, w->n_lists + 1, sizeof *lists);

    *copy = *w;
    copy->name = w->name ? arena_text(a, w->name) : default_name(a, w);
    copy->command = copy_texts(a, w->command, w->n_command);
    copy->function = arena_text(a, w->function);
    copy->factors = copy_texts(a, w->factors, w->n_factors);
    for (size_t l = 0; l < w->n_lists; l++) {
        size_t n = 0;
        while (w->lists[l][n])
            n++;
        lists[l] = copy_texts(a, w->lists[l], n);
    }
    copy->lists = lists;
    copy->where = arena_text(a, w->where);
    copy->design = arena_text(a, w->design);
    copy->reps = w->reps ? w->reps : 1;
    copy->code_version = arena_text(a, w->code_version);
    copy->inputs = copy_texts(a, w->inputs, w->n_inputs);
    copy->metrics = copy_texts(a, w->metrics, w->n_metrics);
    copy->timeout = arena_text(a, w->timeout);
    copy->halt = arena_text(a, w->halt);
    copy->exits = arena_text(a, w->exits);
    copy->memory = arena_text(a, w->memory);
#define X(name, word) copy->name = arena_text(a, w->name);
    RUN_TEXTS(X)
#undef X
    copy->cwd = arena_text(a, w->cwd);
    struct after *after = arena_array(a, w->n_after, sizeof *after);
    for (size_t k = 0; k < w->n_after; k++) {
        after[k] = w->after[k];
        after[k].stage = arena_text(a, w->after[k].stage);
        after[k].study = arena_text(a, w->after[k].study);
        after[k].spec = arena_text(a, w->after[k].spec);
        after[k].keys = arena_text(a, w->after[k].keys);
    }
    copy->after = after;
}
