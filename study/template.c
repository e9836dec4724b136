#include "study/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/must.h"
#include "study/impl.h"
#include "study/suggest.h"
#include "study/text.h"

/* struct pieces - a template while its length is not known. */
struct pieces {
    struct piece *items;
    size_t n, cap;
};

static void pieces_add(struct pieces *v, struct piece piece)
{
    if (piece.kind == PIECE_TEXT && piece.n == 0)
        return;
    if (v->n == v->cap) {
        v->cap = v->cap ? 2 * v->cap : 8;
        v->items = realloc(v->items, v->cap * sizeof *v->items);
        must(v->items != NULL);
    }
    v->items[v->n++] = piece;
}

static void pieces_finish(struct pieces *v, struct study *s, struct template *t)
{
    t->n = v->n;
    t->pieces = arena_array(&s->arena, v->n, sizeof *t->pieces);
    if (v->n)
        memcpy(t->pieces, v->items, v->n * sizeof *t->pieces);
    free(v->items);
}

static bool is(const char *name, size_t n, const char *known)
{
    return strlen(known) == n && memcmp(name, known, n) == 0;
}

/* What {name} stands for. A factor wins, so that one named seed is what {seed} means. */
static bool find_name(const struct study *s, const char *name, size_t n, struct piece *piece)
{
    static const struct {
        const char *name;
        enum piece_kind kind;
    } known[] = { { "#", PIECE_INDEX },
                  { "rep", PIECE_REP },
                  { "seed", PIECE_SEED },
                  { "study", PIECE_STUDY },
                  { "out", PIECE_OUT } };

    *piece = (struct piece){ 0 };
    for (size_t j = 0; j < s->n_factors; j++) {
        if (is(name, n, s->factors[j].name)) {
            piece->kind = PIECE_FACTOR;
            piece->factor = (uint32_t)j;
            return true;
        }
    }
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        if (is(name, n, known[k].name)) {
            piece->kind = known[k].kind;
            return true;
        }
    }
    return after_find(s, name, n, piece);
}

static void mark_use(struct study *s, const struct piece *piece)
{
    s->uses |= TEMPLATE_USES_ANY;
    if (piece->kind == PIECE_SEED)
        s->uses |= TEMPLATE_USES_SEED;
    else if (piece->kind == PIECE_OUT)
        s->uses |= TEMPLATE_USES_OUT;
    else if (piece->kind == PIECE_STAGE_OUT)
        s->upstreams[piece->factor].used = true;
    else if (piece->kind == PIECE_STAGE_LIST)
        s->upstreams[piece->factor].listed = true;
    else if (piece->kind == PIECE_FACTOR)
        s->factors[piece->factor].used = true;
    for (size_t j = s->n_named; piece->kind == PIECE_ALL && j < s->n_factors; j++)
        s->factors[j].used = true;
}

static bool is_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool is_name(const char *text)
{
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-";

    return strspn(text, rest) > 0 && text[strspn(text, rest)] == '\0' && strspn(text, ".-") == 0 &&
           strspn(text, "0123456789") == 0;
}

static enum err say_unknown(const struct study *s, const char *name, struct fault *f)
{
    const char *words[FACTORS_MAX + 5 + STAGES_MAX];
    char stages[STAGES_MAX][NAME_BYTES_MAX + 8];
    struct buf known = { 0 };
    size_t n = 0;

    for (size_t j = 0; j < s->n_factors; j++)
        words[n++] = s->factors[j].name;
    words[n++] = "#";
    words[n++] = "seed";
    words[n++] = "rep";
    words[n++] = "study";
    words[n++] = "out";
    for (size_t k = 0; k < s->words.n_after; k++) {
        snprintf(stages[k], sizeof stages[k], "%s.out", s->words.after[k].stage);
        words[n++] = stages[k];
    }
    for (size_t k = 0; k < n; k++)
        buf_addf(&known, "%s{%s}", k ? ", " : "", words[k]);
    const char *nearest = suggest_nearest(name, words, n);
    enum err err = fault_set(f, ERR_USAGE,
                             "the command has an unknown placeholder {%s}%s%s%s; write {{%s}} for "
                             "the text itself; known are %s",
                             CLIP(name), nearest ? "; did you mean {" : "", nearest ? nearest : "",
                             nearest ? "}?" : "", CLIP(name), buf_text(&known));
    buf_fini(&known);
    return err;
}

static enum err say_wrong(const struct study *s, const char *inside, struct fault *f)
{
    if (*inside == '\0')
        return fault_set(
            f, ERR_USAGE,
            "{} stands for the values behind :::, and there are none; write {NAME} for a "
            "factor, or {{}} for the text itself");
    if (is_digits(inside))
        return fault_set(
            f, ERR_USAGE,
            "the command has {%s}, but there %s %zu list%s behind :::; write {{%s}} for "
            "the text itself",
            CLIP(inside), s->n_factors - s->n_named == 1 ? "is" : "are", s->n_factors - s->n_named,
            s->n_factors - s->n_named == 1 ? "" : "s", CLIP(inside));
    if (is_name(inside))
        return say_unknown(s, inside, f);
    return fault_set(
        f, ERR_USAGE,
        "'{%s}' in the command is no placeholder; write {{ for a brace that belongs to "
        "the command: '{{%s}}'",
        CLIP(inside), CLIP(inside));
}

/* The placeholder whose { is at p; *end is set behind its }. */
static enum err take_placeholder(struct study *s, const char *p, const char **end,
                                 struct pieces *pieces, struct fault *f)
{
    const char *close = strchr(p, '}');
    struct piece piece = { .kind = PIECE_ALL };

    if (!close)
        return fault_set(f, ERR_USAGE,
                         "'%s' in the command has a { without its }; write {{ for a brace that "
                         "belongs to the command",
                         CLIP(p));
    size_t n = (size_t)(close - p) - 1;
    bool known = n == 0 ? s->n_factors > s->n_named : find_name(s, p + 1, n, &piece);
    if (!known) {
        char *inside = strndup(p + 1, n);
        must(inside != NULL);
        enum err err = say_wrong(s, inside, f);
        free(inside);
        return err;
    }
    mark_use(s, &piece);
    pieces_add(pieces, piece);
    *end = close + 1;
    return ERR_NONE;
}

enum err template_command(struct study *s, const char *text, struct template *t, struct fault *f)
{
    struct pieces pieces = { 0 };
    enum err err = ERR_NONE;
    const char *p = text;

    while (*p && !err) {
        size_t n = strcspn(p, "{}");
        pieces_add(&pieces, (struct piece){ .text = arena_bytes(&s->arena, p, n), .n = n });
        p += n;
        if (*p == '{' && p[1] != '{') {
            err = take_placeholder(s, p, &p, &pieces, f);
        } else if (*p) {
            pieces_add(&pieces, (struct piece){ .text = *p == '{' ? "{" : "}", .n = 1 });
            p += p[1] == *p ? 2 : 1;
        }
    }
    pieces_finish(&pieces, s, t);
    return err;
}

void template_input(struct study *s, const char *data, size_t n, struct template *t)
{
    struct pieces pieces = { 0 };
    const char *p = data, *end = data + n, *start = data;

    while (p < end && (p = memchr(p, '{', (size_t)(end - p))) != NULL) {
        size_t left = (size_t)(end - p);
        if (left > 1 && p[1] == '{') {
            p += 2;
            continue;
        }
        const char *close = memchr(p, '}', left < NAME_BYTES_MAX + 2 ? left : NAME_BYTES_MAX + 2);
        struct piece piece;
        if (!close || !find_name(s, p + 1, (size_t)(close - p) - 1, &piece)) {
            p++;
            continue;
        }
        pieces_add(&pieces, (struct piece){ .text = start, .n = (size_t)(p - start) });
        mark_use(s, &piece);
        pieces_add(&pieces, piece);
        p = start = close + 1;
    }
    pieces_add(&pieces, (struct piece){ .text = start, .n = (size_t)(end - start) });
    pieces_finish(&pieces, s, t);
}

static void add_value(struct buf *out, const char *value, bool sh)
{
    if (sh)
        buf_add_sh(out, value);
    else
        buf_adds(out, value);
}

static void add_number(struct buf *out, uint64_t v)
{
    char text[24], *p = text + sizeof text;

    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_add(out, p, (size_t)(text + sizeof text - p));
}

static void add_stage(const struct piece *piece, const struct scene *scene, struct buf *out)
{
    const struct dirs *dirs = scene->dirs;
    struct buf path = { 0 };

    if (piece->kind == PIECE_STAGE_LIST)
        buf_addf(&path, "%s/%s.csv", dirs->out ? dirs->out : "",
                 study_after(scene->s, piece->factor)->stage);
    else
        study_after_dir(scene->s, piece->factor, scene->p->index, dirs->root ? dirs->root : "",
                        &path);
    add_value(out, buf_text(&path), scene->sh);
    buf_fini(&path);
}

static void add_piece(const struct piece *piece, const struct scene *scene, struct buf *out)
{
    const struct point *p = scene->p;

    switch (piece->kind) {
    case PIECE_TEXT:
        buf_add(out, piece->text, piece->n);
        break;
    case PIECE_FACTOR:
        add_value(out, p->values[piece->factor], scene->sh);
        break;
    case PIECE_ALL:
        for (size_t j = scene->s->n_named; j < p->n; j++) {
            if (j > scene->s->n_named)
                buf_addc(out, ' ');
            add_value(out, p->values[j], scene->sh);
        }
        break;
    case PIECE_INDEX:
        add_number(out, p->index);
        break;
    case PIECE_REP:
        add_number(out, p->rep);
        break;
    case PIECE_SEED:
        add_number(out, study_seed(scene->s, p));
        break;
    case PIECE_STUDY:
        add_value(out, study_name(scene->s), scene->sh);
        break;
    case PIECE_OUT:
        add_value(out, scene->dirs->out ? scene->dirs->out : "", scene->sh);
        break;
    case PIECE_STAGE_OUT:
    case PIECE_STAGE_LIST:
        add_stage(piece, scene, out);
        break;
    }
}

void template_add(const struct template *t, const struct scene *scene, struct buf *out)
{
    for (size_t k = 0; k < t->n; k++)
        add_piece(&t->pieces[k], scene, out);
}
