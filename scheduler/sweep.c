/* sweep - directories of attempts whose worker did not live to put them in place or to remove them:
 * that of a recorded end is renamed into place, any other is removed. Done once, when every worker
 * from before has come back or is given up, so that nobody works in them any more. */

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "scheduler/loop.h"
#include "study/study.h"

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    remove(path); /* what cannot be removed stays: it harms nobody */
    return 0;
}

/* has_later - whether a later array of the same study may have put its own directory there. */
static bool has_later(struct scheduler *s, study_id study, uint32_t than)
{
    struct array_row row;
    struct buf text = { 0 };
    struct fault f;
    bool found = false, later = false;

    for (uint32_t id = than + 1; id < s->next.array && !later; id++) {
        buf_clear(&text);
        if (store_array(s->store, (array_id){ id }, &found, &row, &text, &f))
            break;
        later = found && row.study.n == study.n;
    }
    buf_fini(&text);
    return later;
}

/* Where the directory of a task belongs: points/STUDY/NAME. False when its array is not in the
 * store. */
static bool place_of(struct scheduler *s, task_id task, struct buf *path, bool *later)
{
    struct array_row row;
    struct buf text = { 0 };
    struct fault f;
    bool found = false, good = false;

    for (uint32_t id = 1; id < s->next.array && !good; id++) {
        buf_clear(&text);
        if (store_array(s->store, (array_id){ id }, &found, &row, &text, &f))
            break;
        if (!found || task.n < row.first.n || task.n - row.first.n >= row.n)
            continue;
        struct study *spec;
        if (study_from_json(row.spec, row.spec_bytes, &spec, &f))
            break;
        struct point p;
        point_init(&p);
        study_point(spec, task.n - row.first.n, &p);
        buf_addf(path, "%s/points/%s/", s->opt->dir, row.name);
        study_point_dirname(spec, &p, path);
        point_fini(&p);
        study_free(spec);
        *later = has_later(s, row.study, id);
        good = true;
    }
    buf_fini(&text);
    return good;
}

static void put_in_place(const char *from, const char *to)
{
    char parent[4096];

    snprintf(parent, sizeof parent, "%s", to);
    for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(parent, 0777);
        *slash = '/';
    }
    /* What an earlier attempt left there is aside until the new one is in place. */
    char old[4096 + 8];
    snprintf(old, sizeof old, "%s.old", from);
    bool aside = rename(to, old) == 0;
    if (rename(from, to) == 0) {
        log_info("event=directory_put_in_place path=%s", to);
        if (aside)
            nftw(old, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    } else if (aside) {
        rename(old, to);
    }
}

/* newer - that directory was changed last, as far as there is one. */
static bool newer(const char *path, const char *than)
{
    struct stat a, b;

    if (stat(path, &a) != 0 || stat(than, &b) != 0)
        return false;
    return a.st_mtim.tv_sec != b.st_mtim.tv_sec ? a.st_mtim.tv_sec > b.st_mtim.tv_sec
                                                : a.st_mtim.tv_nsec > b.st_mtim.tv_nsec;
}

static void sweep_one(struct scheduler *s, const char *path, lease_id lease)
{
    struct fault f;
    struct buf place = { 0 };
    task_id task;
    bool won, later = false;

    if (store_lease_won(s->store, lease, &won, &task, &f))
        return;
    /* A winner replaces what is there, unless that is the winner of a later array. */
    if (won && !place_of(s, task, &place, &later))
        log_error("event=directory_without_place path=%s", path);
    else if (won && !(later && newer(place.data, path)))
        put_in_place(path, place.data);
    else
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    buf_fini(&place);
}

void sweep_attempts(struct scheduler *s)
{
    struct core_farm farm;
    struct buf path = { 0 };
    struct dirent *d;

    core_farm(s->core, &farm);
    if (farm.n_away)
        return;
    s->swept = true;
    buf_addf(&path, "%s/attempts", s->opt->dir);
    DIR *dir = opendir(path.data);
    size_t base = path.n;
    while (dir && (d = readdir(dir))) {
        char *end;
        unsigned long long lease = strtoull(d->d_name, &end, 10);
        if (*end || !lease || (lease >> 32) >= s->epoch ||
            core_leased(s->core, (lease_id){ lease }).n)
            continue;
        path.n = base;
        buf_addf(&path, "/%s", d->d_name);
        sweep_one(s, path.data, (lease_id){ lease });
    }
    if (dir)
        closedir(dir);
    buf_fini(&path);
}
