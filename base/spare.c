#include "base/spare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_ullong last_number; /* of the names that this process gave */

void spare_path(const char *grange_dir, char *path, size_t n)
{
    snprintf(path, n, "%s/engines/spare", grange_dir);
}

/* room_of - a file's name begins with it; 0: it is not one of those that may be taken. */
static size_t room_of(const struct dirent *at)
{
    return (size_t)strtoull(at->d_name, NULL, 10);
}

static void name_taken(const char *dir, char *path, size_t path_bytes)
{
    snprintf(path, path_bytes, "%s/taken-%d-%llu", dir, (int)getpid(), ++last_number);
}

static int claim(const char *dir, const char *name, size_t n, char *path, size_t path_bytes)
{
    char from[PATH_MAX];
    struct stat st;

    snprintf(from, sizeof from, "%s/%s", dir, name);
    name_taken(dir, path, path_bytes);
    if (rename(from, path) != 0) /* somebody was faster */
        return -1;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        ((size_t)st.st_size == n || ftruncate(fd, (off_t)n) == 0))
        return fd;
    unlink(path);
    if (fd >= 0)
        close(fd);
    return -1;
}

int spare_take(const char *dir, size_t n, char *path, size_t path_bytes)
{
    DIR *d = opendir(dir);
    int fd = -1;

    for (struct dirent *at; fd < 0 && d && (at = readdir(d)) != NULL;)
        if (spare_suits(room_of(at), n))
            fd = claim(dir, at->d_name, n, path, path_bytes);
    if (d)
        closedir(d);
    return fd;
}

int spare_make(const char *dir, char *path, size_t path_bytes)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return -1;
    name_taken(dir, path, path_bytes);
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static bool has_room(const char *dir, size_t room)
{
    size_t files = 0, bytes = 0;
    DIR *d = opendir(dir);

    if (!d)
        return errno == ENOENT && mkdir(dir, 0700) == 0;
    for (struct dirent *at; (at = readdir(d)) != NULL;) {
        files += room_of(at) > 0;
        bytes += room_of(at);
    }
    closedir(d);
    return files < SPARE_FILES_MAX && bytes + room <= SPARE_BYTES_MAX;
}

bool spare_give(const char *dir, const char *path, size_t room)
{
    char to[PATH_MAX];

    snprintf(to, sizeof to, "%s/%zu-%d-%llu", dir, room, (int)getpid(), ++last_number);
    return has_room(dir, room) && rename(path, to) == 0;
}
