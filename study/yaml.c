/* yaml - a study file: the words of a study, written down. Values are taken as they are spelled:
 * `no` is the text no and 1e-3 stays 1e-3; YAML's own types play no part. */
#include "study/yaml_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "study/text.h"

enum {
    STUDY_FILE_MAX = 16 << 20
}; /* bytes of a study file; long lists belong into tables; refused */

static enum err load(struct file_words *y, const struct buf *text);
static void put_over(struct file_words *y, const struct words *over);

enum err file_words_open(struct file_words *y, const char *path, const yaml_node_t **root,
                         struct fault *f)
{
    struct buf text = { 0 };

    *y = (struct file_words){ .path = path, .f = f };
    int rc = buf_read_file(&text, path, STUDY_FILE_MAX);
    if (rc == EFBIG)
        return fault_set(f, ERR_LIMIT,
                         "study file %s is larger than %d MiB; put long lists into a "
                         "file: NAME: '@FILE'",
                         path, STUDY_FILE_MAX >> 20);
    if (rc)
        return fault_set(f, rc == ENOENT ? ERR_NOT_FOUND : ERR_IO, "study file %s: %s", path,
                         strerror(rc));
    enum err err = load(y, &text);
    buf_fini(&text);
    if (err != ERR_NONE)
        return err;
    *root = yaml_document_get_root_node(&y->document);
    if (!*root) {
        err = fault_set(f, ERR_USAGE, "%s: the study file is empty; it needs at least: command",
                        path);
        file_words_close(y);
    }
    return err;
}

void file_words_close(struct file_words *y)
{
    yaml_document_delete(&y->document);
    arena_fini(&y->arena);
}

enum err study_from_yaml(const char *path, const char *cwd, const struct words *over,
                         struct study **s, struct fault *f)
{
    struct stages stages;
    enum err err = stages_from_yaml(path, cwd, over, &stages, f);

    if (err != ERR_NONE)
        return err;
    if (stages.staged)
        err = fault_set(f, ERR_USAGE, "%s: a study with stages is run as a whole: grange run %s",
                        path, path);
    else
        *s = stages.items[0];
    if (err == ERR_NONE)
        stages.n = 0;
    stages_free(&stages);
    return err;
}

enum err file_words_make(struct file_words *y, const char *cwd, const struct words *over,
                         struct study **s)
{
    struct sources from = { 0 };
    struct blame blame = { WORD_NONE, 0 };
    char *real = realpath(y->path, NULL);

    put_over(y, over);
    y->words.cwd = cwd;
    if (real && strrchr(real, '/'))
        *strrchr(real, '/') = '\0';
    const char *dir = real && *real ? real : "/";
    from.factors_dir = over->n_factors ? cwd : dir;
    from.inputs_dir = over->n_inputs ? cwd : dir;
    enum err err = study_make(&y->words, &from, s, y->f, &blame);
    free(real);
    if (err == ERR_NONE)
        return err;
    const struct place *place = &y->places[blame.word];
    size_t line = place->n > blame.i ? place->lines[blame.i] : place->line;
    struct fault why = *y->f;
    if (line)
        return fault_set(y->f, err, "%s:%zu: %.900s", y->path, line, why.text);
    if (!place->over)
        return fault_set(y->f, err, "%s: %.900s", y->path, why.text);
    return err;
}

/* --- the words that win --- */

#define OVER(field, word)                                                                          \
    if (over->field) {                                                                             \
        y->words.field = over->field;                                                              \
        y->places[word] = (struct place){ .over = true };                                          \
    }
#define OVER_LIST(field, word)                                                                     \
    if (over->n_##field) {                                                                         \
        y->words.field = over->field;                                                              \
        y->words.n_##field = over->n_##field;                                                      \
        y->places[word] = (struct place){ .over = true };                                          \
    }

/* A word that is given beside the file replaces the file's, lists as a whole. Nothing is ever wrong
 * with a seed or a shuffle; they go by the word for what is never in the file. */
static void put_over(struct file_words *y, const struct words *over)
{
    if (over->n_command)
        y->words.function = NULL;
    if (over->function)
        y->words.n_command = 0;
    OVER(name, WORD_NAME)
    OVER_LIST(command, WORD_COMMAND)
    OVER(function, WORD_FUNCTION)
    OVER_LIST(factors, WORD_FACTORS)
    OVER_LIST(lists, WORD_LISTS)
    OVER(where, WORD_WHERE)
    OVER(design, WORD_DESIGN)
    OVER(n, WORD_N)
    OVER(reps, WORD_REPS)
    OVER(seed, WORD_CWD)
    OVER(code_version, WORD_CODE_VERSION)
    OVER_LIST(inputs, WORD_INPUTS)
    OVER_LIST(metrics, WORD_METRICS)
    OVER(timeout, WORD_TIMEOUT)
    OVER(halt, WORD_HALT)
    OVER(exits, WORD_EXITS)
    OVER(memory, WORD_MEMORY)
    OVER(retries, WORD_RETRIES)
    OVER(cores, WORD_CORES)
#define X(name, word) OVER(name, word)
    RUN_TEXTS(X)
#undef X
#define X(name, word, max) OVER(name, word)
    RUN_NUMBERS(X)
#undef X
    OVER(shuffle, WORD_CWD)
}

/* --- libyaml --- */

static enum err syntax_error(struct file_words *y, const yaml_parser_t *p, const struct buf *text)
{
    size_t at = p->problem_mark.index, line = p->problem_mark.line + 1;
    const char *problem = p->problem ? p->problem : "is no YAML";

    if (at < text->n && text->data[at] == '\t')
        return fault_set(y->f, ERR_USAGE, "%s:%zu: a tab stands here; YAML is indented with spaces",
                         y->path, line);
    if (strstr(problem, "mapping values"))
        return fault_set(y->f, ERR_USAGE,
                         "%s:%zu: column %zu: a second ': ' here; is the indentation right? A text "
                         "with ': ' in it needs quotes",
                         y->path, line, p->problem_mark.column + 1);
    if (p->context)
        return fault_set(y->f, ERR_USAGE, "%s:%zu: column %zu: %s (%s that starts on line %zu)",
                         y->path, line, p->problem_mark.column + 1, problem, p->context,
                         p->context_mark.line + 1);
    return fault_set(y->f, ERR_USAGE, "%s:%zu: column %zu: %s", y->path, line,
                     p->problem_mark.column + 1, problem);
}

static enum err load(struct file_words *y, const struct buf *text)
{
    yaml_parser_t parser;
    yaml_document_t second;
    enum err err = ERR_NONE;

    size_t line = text_line_of_no_utf8(buf_text(text), text->n);
    if (line)
        return fault_set(y->f, ERR_USAGE, "%s:%zu: this line is not UTF-8 text", y->path, line);
    must(yaml_parser_initialize(&parser));
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)buf_text(text), text->n);
    if (!yaml_parser_load(&parser, &y->document)) {
        err = syntax_error(y, &parser, text);
    } else if (yaml_document_get_root_node(&y->document)) {
        if (!yaml_parser_load(&parser, &second)) {
            err = syntax_error(y, &parser, text);
        } else {
            if (yaml_document_get_root_node(&second))
                err = fault_set(y->f, ERR_USAGE, "%s:%zu: a second document; a study file has one",
                                y->path, second.start_mark.line + 1);
            yaml_document_delete(&second);
        }
        if (err != ERR_NONE)
            yaml_document_delete(&y->document);
    }
    yaml_parser_delete(&parser);
    return err;
}
