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

/* settle - what becomes of a directory. Of a winner it replaces what is there, unless that is of
 * the winner of a later array. `aside`: it is what another one had set aside when that was cut off
 * in the middle; it goes, unless it is all that is there of the point. */
static void settle(struct scheduler *s, const char *path, lease_id lease, bool aside)
{
    struct fault f;
    struct buf place = { 0 };
    task_id task;
    bool won, later = false;

    if (store_lease_won(s->store, lease, &won, &task, &f))
        return;
    bool placed = won && place_of(s, task, &place, &later);
    if (won && !placed)
        log_error("event=directory_without_place path=%s", path);
    else if (placed && aside && access(place.data, F_OK) != 0)
        rename(path, place.data);
    else if (placed && !aside && !(later && newer(place.data, path)))
        put_in_place(path, place.data);
    else
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    buf_fini(&place);
}

/* is_output - a file that holds a stream: output/.., or blobs/ID. A worker said the name: one that
 * leads elsewhere is not ours to remove. */
static bool is_output(const char *name)
{
    if (strncmp(name, "output/", 7) == 0)
        return !strstr(name, "..");
    return strncmp(name, "blobs/", 6) == 0 && strspn(name + 6, "0123456789abcdef") == 16 &&
           !name[6 + 16];
}

void sweep_committed(struct scheduler *s)
{
    size_t n;
    const char *names = store_files_gone(s->store, &n);
    struct buf path = { 0 };

    for (const char *name = names; name && name < names + n; name += strlen(name) + 1) {
        if (!is_output(name))
            continue;
        buf_clear(&path);
        buf_addf(&path, "%s/%s", s->opt->dir, name);
        unlink(path.data);
    }
    buf_fini(&path);
}

static void sweep_named(struct scheduler *s, const char *folder, const char *name, bool aside)
{
    char *end;
    unsigned long long lease = strtoull(name, &end, 10);
    struct buf path = { 0 };

    if (strcmp(end, aside ? ".old" : "") != 0 || !lease || (lease >> 32) >= s->epoch ||
        core_leased(s->core, (lease_id){ lease }).n)
        return;
    buf_addf(&path, "%s/%s", folder, name);
    settle(s, path.data, (lease_id){ lease }, aside);
    buf_fini(&path);
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
    for (int aside = 0; dir && aside < 2; aside++) { /* what was set aside goes last */
        while ((d = readdir(dir)))
            sweep_named(s, path.data, d->d_name, aside);
        rewinddir(dir);
    }
    if (dir)
        closedir(dir);
    buf_fini(&path);
}
