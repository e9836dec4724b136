#include "cli/stored.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"
#include "cli/where.h"
#include "store/reader.h"

struct gathering {
    const char *name; /* of the file's study */
    struct stages found;
};

static void add(struct stages *st, struct study *s)
{
    st->items = realloc(st->items, (st->n + 1) * sizeof(struct study *));
    must(st->items != NULL);
    st->items[st->n++] = s;
}

static enum err take(void *ctx, const struct reader_study *row, struct fault *f)
{
    struct gathering *g = ctx;
    size_t n = strlen(g->name);
    struct study *s;

    if (strncmp(row->name, g->name, n) != 0 || row->name[n] != '.' ||
        row->array.kind != ARRAY_POINTS)
        return ERR_NONE;
    enum err err = study_from_json(row->array.spec, row->array.spec_bytes, &s, f);
    if (!err && study_is_stage(s))
        add(&g->found, s);
    else if (!err)
        study_free(s);
    return err;
}

static size_t find(const struct stages *st, const char *name)
{
    size_t i = 0;
    while (i < st->n && strcmp(study_name(st->items[i]), name) != 0)
        i++;
    return i;
}

/* Whether nothing that stage i waits for is among the first `n` that are still to be placed. */
static bool is_free(const struct stages *st, size_t from, size_t i)
{
    for (size_t k = 0; k < study_n_after(st->items[i]); k++) {
        size_t at = find(st, study_after(st->items[i], k)->study);
        if (at >= from && at < st->n && at != i)
            return false;
    }
    return true;
}

/* A selection sort by dependence: few stages, and a file that could be submitted has no cycle; what
 * an older submission left in one stays where it is. */
static void sort(struct stages *st)
{
    for (size_t from = 0; from < st->n; from++) {
        size_t i = from;
        while (i < st->n && !is_free(st, from, i))
            i++;
        if (i == st->n)
            return;
        struct study *s = st->items[i];
        memmove(&st->items[from + 1], &st->items[from], (i - from) * sizeof *st->items);
        st->items[from] = s;
    }
}

static enum err gather(struct reader *r, const char *name, struct stages *stages, struct fault *f)
{
    struct gathering g = { .name = name };
    enum err err = reader_studies(r, take, &g, f);
    if (err) {
        stages_free(&g.found);
        return err;
    }
    sort(&g.found);
    *stages = g.found;
    stages->staged = true;
    stages->name = strdup(name);
    must(stages->name != NULL);
    return ERR_NONE;
}

static enum err load(struct reader *r, const char *name, struct study **s, struct fault *f)
{
    struct reader_study row = { 0 };
    enum err err = reader_study(r, name, &row, f);
    if (!err)
        err = study_from_json(row.array.spec, row.array.spec_bytes, s, f);
    reader_study_fini(&row);
    return err;
}

enum err stored_study(const char *dir, const char *name, struct study **s, struct fault *f)
{
    struct reader *r = NULL;
    enum err err = reader_open(dir, &r, f);
    if (!err)
        err = load(r, name, s, f);
    reader_close(r);
    return err;
}

/* One study; or, when none was named and it is a stage, all of them. */
static enum err one(struct reader *r, const char *name, struct stages *stages, struct fault *f)
{
    struct study *s = NULL;
    enum err err = load(r, name, &s, f);
    if (err)
        return err;
    char file[NAME_BYTES_MAX + 1];
    snprintf(file, sizeof file, "%s", study_name(s));
    if (!name && study_is_stage(s) && strrchr(file, '.')) {
        *strrchr(file, '.') = '\0';
        study_free(s);
        return gather(r, file, stages, f);
    }
    add(stages, s);
    return ERR_NONE;
}

enum err stored_studies(const char *dir, const char *name, struct stages *stages, struct fault *f)
{
    struct reader *r = NULL;
    enum err err = reader_open(dir, &r, f);
    *stages = (struct stages){ 0 };
    if (err)
        return err;
    err = one(r, name, stages, f);
    if (err == ERR_NOT_FOUND && name) {
        struct fault ignored;
        struct stages found = { 0 };
        if (!gather(r, name, &found, &ignored) && found.n) {
            *stages = found;
            err = ERR_NONE;
        } else {
            stages_free(&found);
        }
    }
    reader_close(r);
    return err;
}

uint64_t stored_inode(const char *dir)
{
    char path[WHERE_DIR_MAX + sizeof "/grange.db"];
    struct stat st;

    snprintf(path, sizeof path, "%s/grange.db", dir);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

bool stored_gone(const char *dir, uint64_t inode)
{
    uint64_t now;

    if (!inode)
        return false;
    errno = 0;
    now = stored_inode(dir);
    return now ? now != inode : errno == ENOENT || errno == ENOTDIR;
}
