#include "farm/keepers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { TEXT_MAX = 80, FIELDS = 5 };

static void entry_path(const char *dir, char *path, size_t bytes)
{
    snprintf(path, bytes, "%s/keepers/%d", dir, (int)getpid());
}

/* Always as long as before, so that nobody reads half of it. */
static bool entry_write(int fd, const struct keeper_entry *e)
{
    char text[TEXT_MAX];
    int n = snprintf(text, sizeof text, "%10d %10u %10u %10u %d\n", (int)e->pid, e->first,
                     e->n_numbers, e->left, e->scheduler);

    return pwrite(fd, text, (size_t)n, 0) == n;
}

int keepers_enter(const char *dir, const struct keeper_entry *entry)
{
    char path[PATH_MAX], made[PATH_MAX + 8];

    snprintf(path, sizeof path, "%s/keepers", dir);
    mkdir(path, 0700);
    entry_path(dir, path, sizeof path);
    snprintf(made, sizeof made, "%s.new", path);
    /* It is complete before it has its name. */
    int fd = open(made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || !entry_write(fd, entry) ||
        rename(made, path) != 0)
        log_error("event=no_lock path=%s error=\"%s\"", path, strerror(errno));
    return fd;
}

void keepers_change(int fd, const struct keeper_entry *entry)
{
    if (fd >= 0 && !entry_write(fd, entry))
        log_error("event=no_lock error=\"%s\"", strerror(errno));
}

void keepers_leave(const char *dir, int fd)
{
    char path[PATH_MAX];

    entry_path(dir, path, sizeof path);
    unlink(path);
    if (fd >= 0)
        close(fd);
}

static bool entry_read(int dir, const char *name, struct keeper_entry *e)
{
    char text[TEXT_MAX] = "";
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), pid = 0, scheduler = 0;

    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
    ssize_t n = held ? read(fd, text, sizeof text - 1) : 0;
    if (!held)
        unlinkat(dir, name, 0);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    int fields =
        sscanf(text, "%d %u %u %u %d", &pid, &e->first, &e->n_numbers, &e->left, &scheduler);
    if (fields == 3) /* a keeper of an earlier version, which is still there */
        e->left = e->n_numbers;
    e->pid = pid;
    e->scheduler = fields == FIELDS && scheduler != 0;
    return held && fields >= 3;
}

size_t keepers_list(const char *dir, struct keeper_entry *found, size_t most)
{
    char path[PATH_MAX];
    size_t n = 0;

    snprintf(path, sizeof path, "%s/keepers", dir);
    DIR *d = opendir(path);
    if (!d)
        return 0;
    for (struct dirent *e; n < most && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && !strchr(e->d_name, '.'))
            n += entry_read(dirfd(d), e->d_name, &found[n]);
    closedir(d);
    return n;
}

bool keepers_restart(const char *dir)
{
    struct keeper_entry found[KEEPERS_MAX];
    size_t n = keepers_list(dir, found, KEEPERS_MAX);

    for (size_t i = 0; i < n; i++)
        if (found[i].scheduler)
            return true;
    return false;
}
