#include "worker/kept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "worker/tree.h"

enum { LOCK_BYTES_MAX = 2 * PATH_MAX };

static char *inside(const char *dir, const char *name)
{
    char *path;

    must(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

/* write_lock - all of it or nothing: who finds half of it could not know the rest. */
static bool write_lock(int fd, const char *host, const char *scratch)
{
    char *text;
    int n = asprintf(&text, "%s\n%s\n", host, scratch);

    must(n > 0);
    bool good = flock(fd, LOCK_EX) == 0 && write(fd, text, (size_t)n) == n;
    free(text);
    return good;
}

int kept_open(const char *dir, const char *host, const char *scratch)
{
    if (tree_make(dir) != 0)
        return -1;
    char *path = inside(dir, "lock");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && !write_lock(fd, host, scratch)) {
        unlink(path);
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

/* remove_empty - DIR/NAME and what is in it, as far as that is empty: what points left is not. */
static void remove_empty(const char *dir, const char *name)
{
    char *path = inside(dir, name);
    DIR *d = opendir(path);

    for (struct dirent *e; d && (e = readdir(d));) {
        char *inner = inside(path, e->d_name);
        if (e->d_name[0] != '.')
            rmdir(inner);
        free(inner);
    }
    if (d)
        closedir(d);
    rmdir(path);
    free(path);
}

bool kept_close(const char *dir)
{
    char *attempts = inside(dir, "attempts"), *lock = inside(dir, "lock");

    if (tree_delete(attempts) == 0)
        unlink(lock); /* else the next one tries again */
    remove_empty(dir, "output");
    remove_empty(dir, "points");
    free(attempts);
    free(lock);
    return rmdir(dir) == 0 || errno == ENOENT;
}

/* read_lock - of a worker on that host: where its scratch directory was. */
static bool read_lock(int fd, const char *host, char text[LOCK_BYTES_MAX], const char **scratch)
{
    ssize_t n = pread(fd, text, LOCK_BYTES_MAX - 1, 0);

    if (n <= 0 || text[n - 1] != '\n')
        return false;
    text[n - 1] = '\0';
    char *line = strchr(text, '\n');
    if (!line)
        return false;
    *line = '\0';
    *scratch = line + 1;
    return strcmp(text, host) == 0;
}

/* is_ours - whether a directory is there that a worker of this user may have made. */
static bool is_ours(const char *scratch)
{
    struct stat st;
    const char *slash = strrchr(scratch, '/');

    return scratch[0] == '/' && strncmp(slash, "/grange-", 8) == 0 && lstat(scratch, &st) == 0 &&
           S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static void sweep_one(const char *dir, const char *host)
{
    char text[LOCK_BYTES_MAX], *path = inside(dir, "lock");
    const char *scratch;
    struct stat st;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    free(path);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && read_lock(fd, host, text, &scratch)) {
        if (is_ours(scratch))
            tree_delete(scratch);
        kept_close(dir);
    }
    close(fd);
}

void kept_sweep(const char *base, const char *host)
{
    DIR *d = opendir(base);

    for (struct dirent *e; d && (e = readdir(d));) {
        char *dir = inside(base, e->d_name);
        if (e->d_name[0] != '.')
            sweep_one(dir, host);
        free(dir);
    }
    if (d)
        closedir(d);
}
