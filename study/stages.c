/* The stages of a study file: each is a study of its own, and knows those that it waits for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "study/suggest.h"
#include "study/text.h"
#include "study/yaml_impl.h"

static const char stage_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/* struct plan - the stages of a file while they are read. */
struct plan {
    struct file_words *y;
    struct words base; /* what stands beside `stages` and holds for all of them */
    const char *name, *cwd;
    const struct words *over;
    size_t n;
    struct stage {
        const char *name;
        const yaml_node_t *key;
        struct words words;
        struct place places[N_WORDS];
        struct after *after; /* [words.n_after] */
        size_t upstream[STAGES_MAX];
        enum { FRESH, ENTERED, ORDERED } mark;
        struct study *study;
    } * stages;
    size_t order[STAGES_MAX], n_order;
    size_t path[STAGES_MAX], n_path; /* of the depth-first walk */
};

static enum err check_stage_name(struct plan *p, const struct pair *pair)
{
    struct file_words *y = p->y;

    if (!*pair->name || pair->name[strspn(pair->name, stage_letters)] || *pair->name == '-')
        return node_wrong(y, pair->key,
                          "'%s' cannot be the name of a stage; use letters, digits, _ and -",
                          CLIP(pair->name));
    if (strlen(p->name) + 1 + strlen(pair->name) > NAME_BYTES_MAX)
        return node_wrong(y, pair->key, "'%s.%s' has more than %d bytes", CLIP(p->name),
                          CLIP(pair->name), NAME_BYTES_MAX);
    return ERR_NONE;
}

static enum err read_stage(struct plan *p, struct stage *st, const struct pair *pair)
{
    struct file_words *y = p->y;

    y->words = p->base;
    memset(y->places, 0, sizeof y->places);
    enum err err = check_stage_name(p, pair);
    if (!err)
        err = file_words_read(y, pair->value);
    if (err)
        return err;
    size_t bytes = strlen(p->name) + strlen(pair->name) + 2;
    char *full = arena_take(&y->arena, bytes);
    snprintf(full, bytes, "%s.%s", p->name, pair->name);
    y->words.name = full;
    y->words.keeps_dirs = true;
    st->name = pair->name;
    st->key = pair->key;
    st->words = y->words;
    memcpy(st->places, y->places, sizeof st->places);
    st->after = arena_array(&y->arena, y->words.n_after, sizeof *st->after);
    for (size_t k = 0; k < y->words.n_after; k++)
        st->after[k] = y->words.after[k];
    st->words.after = st->after;
    return ERR_NONE;
}

static size_t line_of(const struct stage *st, size_t k)
{
    const struct place *place = &st->places[WORD_AFTER];

    return k < place->n ? place->lines[k] : place->line;
}

static enum err find_stage(struct plan *p, const struct stage *st, size_t k, size_t *found)
{
    const char *names[STAGES_MAX], *name = st->after[k].stage;

    for (size_t i = 0; i < p->n; i++) {
        names[i] = p->stages[i].name;
        if (strcmp(names[i], name) == 0) {
            *found = i;
            return ERR_NONE;
        }
    }
    const char *near = suggest_nearest(name, names, p->n);
    return fault_set(p->y->f, ERR_USAGE,
                     "%s:%zu: stage '%s' waits for '%s', which is no stage%s%s%s", p->y->path,
                     line_of(st, k), st->name, CLIP(name), near ? "; did you mean '" : "",
                     near ? near : "", near ? "'?" : "");
}

static enum err say_cycle(struct plan *p, size_t from, size_t line)
{
    struct buf path = { 0 };
    size_t at = 0;

    while (p->path[at] != from)
        at++;
    for (; at < p->n_path; at++)
        buf_addf(&path, "%s -> ", p->stages[p->path[at]].name);
    buf_adds(&path, p->stages[from].name);
    enum err err = fault_set(p->y->f, ERR_USAGE, "%s:%zu: these stages wait for each other: %s",
                             p->y->path, line, buf_text(&path));
    buf_fini(&path);
    return err;
}

/* Depth first: a stage is put in order behind those that it waits for. At most STAGES_MAX deep. */
static enum err put_in_order(struct plan *p, size_t i)
{
    struct stage *st = &p->stages[i];
    enum err err = ERR_NONE;

    st->mark = ENTERED;
    p->path[p->n_path++] = i;
    for (size_t k = 0; k < st->words.n_after && !err; k++) {
        err = find_stage(p, st, k, &st->upstream[k]);
        size_t up = st->upstream[k];
        if (!err && p->stages[up].mark == ENTERED)
            err = say_cycle(p, up, line_of(st, k));
        else if (!err && p->stages[up].mark == FRESH)
            err = put_in_order(p, up);
    }
    p->n_path--;
    st->mark = ORDERED;
    p->order[p->n_order++] = i;
    return err;
}

/* The points of a stage that waits point by point are those of the other one. */
static enum err share_points(struct plan *p, struct stage *st, const struct stage *up)
{
    struct words *w = &st->words;
    const struct words *from = &up->words;

    if (w->n_factors || w->n_lists || w->design || w->n || w->reps || w->where)
        return fault_set(p->y->f, ERR_USAGE,
                         "%s:%zu: stage '%s' waits for each point of '%s', so it has the points of "
                         "that; leave out its factors, lists, design, n, reps and where",
                         p->y->path, node_line(st->key), st->name, up->name);
    w->factors = from->factors;
    w->n_factors = from->n_factors;
    w->lists = from->lists;
    w->n_lists = from->n_lists;
    w->design = from->design;
    w->n = from->n;
    w->reps = from->reps;
    w->where = from->where;
    return ERR_NONE;
}

static enum err prepare_after(struct plan *p, struct stage *st)
{
    bool shared = false;

    for (size_t k = 0; k < st->words.n_after; k++) {
        struct after *a = &st->after[k];
        const struct stage *up = &p->stages[st->upstream[k]];
        struct buf spec = { 0 };
        a->study = study_name(up->study);
        study_write(up->study, true, &spec);
        a->spec = arena_text(&p->y->arena, buf_text(&spec));
        buf_fini(&spec);
        if (!a->each)
            continue;
        enum err err = shared ? ERR_NONE : share_points(p, st, up);
        if (err)
            return err;
        shared = true;
    }
    return ERR_NONE;
}

static enum err make_stage(struct plan *p, struct stage *st)
{
    struct file_words *y = p->y;
    struct words over = *p->over;
    enum err err = prepare_after(p, st);

    if (err)
        return err;
    y->words = st->words;
    memcpy(y->places, st->places, sizeof y->places);
    over.name = NULL; /* it named the file's study */
    return file_words_make(y, p->cwd, &over, &st->study);
}

static enum err check_over(struct plan *p)
{
    const struct words *o = p->over;

    if (o->n_command || o->function || o->n_factors || o->n_lists || o->where || o->design ||
        o->n || o->reps || o->n_inputs || o->n_metrics)
        return fault_set(p->y->f, ERR_USAGE,
                         "%s has stages: commands, factors, inputs and metrics belong to one of "
                         "them; change them in the file",
                         p->y->path);
    return ERR_NONE;
}

static enum err check_base(struct plan *p)
{
    const struct words *w = &p->base;

    if (w->n_command || w->function || w->n_factors || w->n_lists || w->where || w->design ||
        w->n || w->reps || w->n_inputs || w->n_metrics)
        return node_wrong(p->y, p->y->stages,
                          "beside 'stages' only what holds for all of them can stand (study, seed, "
                          "task, exit, halt, shuffle, code_version); move the rest into a stage");
    return check_over(p);
}

static enum err read_all(struct plan *p)
{
    struct file_words *y = p->y;
    enum err err = check_base(p);

    p->n = node_pairs(y->stages);
    if (!err && p->n == 0)
        err = node_wrong(y, y->stages, "'stages' is empty");
    if (!err && p->n > STAGES_MAX)
        err =
            node_wrong(y, y->stages, "%zu stages are more than the limit of %d", p->n, STAGES_MAX);
    if (err)
        return err;
    p->stages = arena_array(&y->arena, p->n, sizeof *p->stages);
    y->in_stage = true;
    for (size_t i = 0; i < p->n && !err; i++) {
        struct pair pair = node_pair(y, y->stages, i);
        err = read_stage(p, &p->stages[i], &pair);
    }
    for (size_t i = 0; i < p->n && !err; i++)
        if (p->stages[i].mark == FRESH)
            err = put_in_order(p, i);
    for (size_t i = 0; i < p->n_order && !err; i++)
        err = make_stage(p, &p->stages[p->order[i]]);
    return err;
}

/* The name of the file's study: given, or the file's own without what is behind the dot. */
static const char *plan_name(struct file_words *y, const struct words *over)
{
    if (over->name)
        return over->name;
    if (y->words.name)
        return y->words.name;
    char *name = arena_text(&y->arena, text_base_name(y->path));
    if (strrchr(name, '.') > name)
        *strrchr(name, '.') = '\0';
    return name;
}

static enum err make_stages(struct file_words *y, const char *cwd, const struct words *over,
                            struct stages *out)
{
    struct plan p = { .y = y, .cwd = cwd, .over = over, .base = y->words };

    p.name = plan_name(y, over);
    p.base.name = NULL;
    enum err err = read_all(&p);
    out->items = calloc(p.n + 1, sizeof(struct study *));
    out->name = strdup(p.name);
    must(out->items && out->name);
    out->staged = true;
    for (size_t i = 0; i < p.n_order; i++)
        if (p.stages[p.order[i]].study)
            out->items[out->n++] = p.stages[p.order[i]].study;
    return err;
}

static enum err make_one(struct file_words *y, const char *cwd, const struct words *over,
                         struct stages *out)
{
    out->items = calloc(1, sizeof(struct study *));
    must(out->items != NULL);
    enum err err = file_words_make(y, cwd, over, &out->items[0]);
    if (err)
        return err;
    out->n = 1;
    out->name = strdup(study_name(out->items[0]));
    must(out->name != NULL);
    return ERR_NONE;
}

enum err stages_from_yaml(const char *path, const char *cwd, const struct words *over,
                          struct stages *stages, struct fault *f)
{
    static const struct words nothing;
    struct file_words y;
    const yaml_node_t *root;

    *stages = (struct stages){ 0 };
    over = over ? over : &nothing;
    enum err err = file_words_open(&y, path, &root, f);
    if (err)
        return err;
    err = file_words_read(&y, root);
    if (!err)
        err = y.stages ? make_stages(&y, cwd, over, stages) : make_one(&y, cwd, over, stages);
    file_words_close(&y);
    if (err)
        stages_free(stages);
    return err;
}

void stages_free(struct stages *stages)
{
    for (size_t i = 0; i < stages->n; i++)
        study_free(stages->items[i]);
    free(stages->items);
    free(stages->name);
    *stages = (struct stages){ 0 };
}
