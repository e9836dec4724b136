/* The stages that a study waits for: what they are, and where their output is. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "study/impl.h"
#include "study/text.h"

enum { KEY_DIGITS = 16 };

static bool read_keys(const char *text, uint64_t keys[4])
{
    if (strlen(text) != 4 * KEY_DIGITS || text[strspn(text, "0123456789abcdef")])
        return false;
    for (size_t k = 0; k < 4; k++) {
        keys[k] = 0;
        for (size_t i = 0; i < KEY_DIGITS; i++) {
            char c = text[k * KEY_DIGITS + i];
            keys[k] = keys[k] << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
    }
    return true;
}

static enum err prepare(const struct study *s, const struct after *a, struct upstream *u,
                        struct fault *f)
{
    uint64_t keys[4];

    if (!a->spec) {
        if (!a->keys || !read_keys(a->keys, keys))
            return fault_set(f, ERR_MALFORMED, "the keys of stage '%s' are not what they should be",
                             CLIP(a->stage));
        memcpy(u->template_key, keys, sizeof u->template_key);
        memcpy(u->key, keys + 2, sizeof u->key);
        return ERR_NONE;
    }
    enum err err = study_from_json(a->spec, strlen(a->spec), &u->study, f);
    if (err)
        return err;
    study_template_key(u->study, u->template_key);
    study_key(u->study, u->key);
    if (a->each && study_n_points(u->study) != s->n_points)
        return fault_set(f, ERR_USAGE,
                         "this stage has %" PRIu64 " points and stage '%s' %" PRIu64
                         "; to wait for each other point by point they must be as many",
                         s->n_points, CLIP(a->stage), study_n_points(u->study));
    return ERR_NONE;
}

enum err after_prepare(struct study *s, struct fault *f, struct blame *blame)
{
    enum err err = ERR_NONE;

    s->upstreams = arena_array(&s->arena, s->words.n_after, sizeof *s->upstreams);
    for (size_t k = 0; k < s->words.n_after && !err; k++) {
        *blame = (struct blame){ .word = WORD_AFTER, .i = k };
        err = prepare(s, &s->words.after[k], &s->upstreams[k], f);
    }
    return err;
}

void after_fini(struct study *s)
{
    for (size_t k = 0; s->upstreams && k < s->words.n_after; k++)
        study_free(s->upstreams[k].study);
}

bool after_find(const struct study *s, const char *name, size_t n, struct piece *piece)
{
    for (size_t k = 0; k < s->words.n_after; k++) {
        const char *stage = s->words.after[k].stage;
        size_t length = strlen(stage);
        if (n <= length || memcmp(name, stage, length) != 0)
            continue;
        const char *rest = name + length;
        size_t left = n - length;
        piece->factor = (uint32_t)k;
        if (left == strlen(".out") && memcmp(rest, ".out", left) == 0)
            piece->kind = PIECE_STAGE_OUT;
        else if (left == strlen(".list") && memcmp(rest, ".list", left) == 0)
            piece->kind = PIECE_STAGE_LIST;
        else
            continue;
        return true;
    }
    return false;
}

bool study_is_stage(const struct study *s)
{
    return s->words.keeps_dirs;
}

size_t study_n_after(const struct study *s)
{
    return s->words.n_after;
}

const struct after *study_after(const struct study *s, size_t k)
{
    return &s->words.after[k];
}

bool study_after_used(const struct study *s, size_t k)
{
    return s->upstreams[k].used;
}

bool study_after_list(const struct study *s, size_t k)
{
    return s->upstreams[k].listed;
}

static void add_point_dir(const struct study *up, uint64_t i, const char *root, struct buf *out)
{
    struct point p;

    point_init(&p);
    study_point(up, i, &p);
    buf_addf(out, "%s/points/%s/", root, study_name(up));
    study_point_dirname(up, &p, out);
    point_fini(&p);
}

void study_after_dir(const struct study *s, size_t k, uint64_t i, const char *root, struct buf *out)
{
    const struct study *up = s->upstreams[k].study;
    bool one = up && study_n_points(up) == 1;

    if (up && (one || s->words.after[k].each))
        add_point_dir(up, one ? 0 : i, root, out);
    else
        buf_addf(out, "%s/points/%s", root, s->words.after[k].study);
}

static void write_csv(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\n\r")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void write_points(FILE *file, const struct study *up, const char *root)
{
    struct buf dir = { 0 };
    struct point p;

    point_init(&p);
    for (uint64_t i = 0; i < study_n_points(up) && !ferror(file); i++) {
        study_point(up, i, &p);
        fprintf(file, "%" PRIu64 ",", i);
        for (size_t j = 0; j < p.n; j++) {
            write_csv(file, p.values[j]);
            fputc(',', file);
        }
        if (study_reps(up) > 1)
            fprintf(file, "%" PRIu32 ",", p.rep);
        buf_clear(&dir);
        add_point_dir(up, i, root, &dir);
        write_csv(file, buf_text(&dir));
        fputc('\n', file);
    }
    point_fini(&p);
    buf_fini(&dir);
}

int study_after_write(const struct study *s, size_t k, const char *root, const char *path)
{
    const struct study *up = s->upstreams[k].study;
    FILE *file = fopen(path, "we");

    if (!file)
        return errno;
    fputs("index,", file);
    for (size_t j = 0; j < study_n_factors(up); j++) {
        write_csv(file, study_factor_name(up, j));
        fputc(',', file);
    }
    fputs(study_reps(up) > 1 ? "rep,dir\n" : "dir\n", file);
    write_points(file, up, root);
    errno = 0;
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        return errno ? errno : EIO;
    return 0;
}
