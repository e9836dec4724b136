#include "worker/tree.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

enum { TREE_FDS = 16 }; /* descriptors that nftw may hold open at once */

int tree_make(const char *path)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno == EEXIST) {
        struct stat st;
        return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    }
    if (errno != ENOENT)
        return errno;
    int err = tree_make_parent(path);
    if (err)
        return err;
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : errno;
}

int tree_make_parent(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path)
        return 0;
    char *parent = strndup(path, (size_t)(slash - path));
    must(parent != NULL);
    int err = tree_make(parent);
    free(parent);
    return err;
}

/* Only looked at by unlink_one; nftw passes no argument on, and there is one thread. */
static int delete_errno;

static int unlink_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_DNR) /* a point may take its own permissions away */
        chmod(path, 0700);
    if (remove(path) != 0 && errno != ENOENT)
        delete_errno = errno;
    return 0;
}

int tree_delete(const char *path)
{
    delete_errno = 0;
    if (nftw(path, unlink_one, TREE_FDS, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return errno;
    return delete_errno;
}

int tree_place(const char *from, const char *to, bool replace)
{
    if (replace && rename(from, to) == 0)
        return 0;
    int err = tree_make_parent(to);
    if (err)
        return err;
    if (!replace && access(to, F_OK) == 0)
        return EEXIST;
    if (rename(from, to) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
        return errno;
    char *old;
    must(asprintf(&old, "%s.old", from) > 0);
    err = rename(to, old) == 0 ? 0 : errno;
    if (!err && rename(from, to) != 0) {
        err = errno;
        rename(old, to); /* as it was */
    }
    if (!err)
        tree_delete(old);
    free(old);
    return err;
}
