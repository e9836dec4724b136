#ifndef GRANGE_TESTS_STUDY_HELP_H
#define GRANGE_TESTS_STUDY_HELP_H
/* study_help - studies for tests, from a few words. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "study/study.h"

#define TEXTS(...)   ((const char *const[]){ __VA_ARGS__, NULL })
#define COUNT(...)   (sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define FACTORS(...) .factors = TEXTS(__VA_ARGS__), .n_factors = COUNT(__VA_ARGS__)
#define COMMAND(...) .command = TEXTS(__VA_ARGS__), .n_command = COUNT(__VA_ARGS__)
#define LISTS(...)                                                                                 \
    .lists = (const char *const *const[]){ __VA_ARGS__ },                                          \
    .n_lists = sizeof((const char *const *const[]){ __VA_ARGS__ }) / sizeof(void *)
#define INPUTS(...) .inputs = TEXTS(__VA_ARGS__), .n_inputs = COUNT(__VA_ARGS__)

/* A study from words; cwd is /tmp and the command ./sim unless given. */
#define STUDY(...) help_study(&(struct words){ __VA_ARGS__ })
/* The message that these words get; the test ends when they are accepted. */
#define MESSAGE(...) help_message(&(struct words){ __VA_ARGS__ })

static inline struct words help_words(const struct words *w)
{
    static const char *const sim[] = { "./sim" };
    struct words full = *w;

    if (!full.n_command && !full.function) {
        full.command = sim;
        full.n_command = 1;
    }
    if (!full.cwd)
        full.cwd = "/tmp";
    return full;
}

static inline struct study *help_study(const struct words *w)
{
    struct words full = help_words(w);
    struct study *s = NULL;
    struct fault f = { 0 };

    enum err err = study_from_words(&full, &s, &f);
    cr_assert_eq(err, ERR_NONE, "%s", f.text);
    return s;
}

static inline const char *help_message(const struct words *w)
{
    static struct fault f;
    struct words full = help_words(w);
    struct study *s = NULL;

    enum err err = study_from_words(&full, &s, &f);
    cr_assert_neq(err, ERR_NONE, "accepted, %llu points",
                  (unsigned long long)(s ? study_n_points(s) : 0));
    cr_assert_eq(err, f.code);
    cr_assert_null(s);
    return f.text;
}

/* The labels of all points, with "; " between. Static: the last four stay valid. */
static inline const char *help_labels(const struct study *s)
{
    static struct buf ring[4];
    static int next;
    struct buf *out = &ring[next++ % 4];
    struct point p;

    buf_clear(out);
    point_init(&p);
    for (uint64_t i = 0; i < study_n_points(s); i++) {
        study_point(s, i, &p);
        if (i)
            buf_adds(out, "; ");
        study_point_label(s, &p, out);
    }
    point_fini(&p);
    return buf_text(out);
}

/* The same of a study that is made from words and freed. */
#define LABELS(...) help_labels_once(STUDY(__VA_ARGS__))
static inline const char *help_labels_once(struct study *s)
{
    const char *labels = help_labels(s);

    study_free(s);
    return labels;
}

/* A file with these bytes in a directory of its own; the path is static, the last four stay valid.
 */
static inline const char *help_file(const char *name, const void *data, size_t n)
{
    static char paths[4][200];
    static int next;
    char *path = paths[next++ % 4], dir[] = "/tmp/grange-test-XXXXXX";

    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, n, file), n);
    cr_assert_eq(fclose(file), 0);
    return path;
}

static inline void help_remove(const char *path)
{
    char dir[200];

    unlink(path);
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    rmdir(dir);
}

/* A word that has a path in it: help_word("seed=@%s", path). Static: the last four stay valid. */
__attribute__((format(printf, 1, 2))) static inline const char *help_word(const char *format, ...)
{
    static char words[4][400];
    static int next;
    char *word = words[next++ % 4];
    va_list args;

    va_start(args, format);
    vsnprintf(word, sizeof words[0], format, args);
    va_end(args);
    return word;
}

#endif
