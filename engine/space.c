#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"
#include "base/spare.h"
#include "engine/host_inner.h"

static char *new_path(const char *dir)
{
    static uint64_t number;
    char *path;

    must(asprintf(&path, "%s/%d-%llu", dir, (int)getpid(), (unsigned long long)++number) > 0);
    return path;
}

/* reserve - so that a full disk is an error here and not a SIGBUS later; file systems that cannot
 * are trusted. */
static int reserve(int fd, size_t n)
{
    if (fallocate(fd, 0, 0, (off_t)n) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return -1;
    return ftruncate(fd, (off_t)n);
}

static bool make_file(struct space *s, const char *dir, size_t n)
{
    char *path = new_path(dir);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    void *data = MAP_FAILED;

    if (fd >= 0 && reserve(fd, n) == 0)
        data = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int err = errno;
    if (fd >= 0)
        close(fd);
    if (data == MAP_FAILED) {
        unlink(path);
        free(path);
        errno = err;
        return false;
    }
    *s = (struct space){ data, n, n, path, 0, false };
    return true;
}

static bool make_memory(struct space *s, size_t n)
{
    if (n > s->room || !s->data) {
        void *data = malloc(n ? n : 1);
        if (!data)
            return false;
        free(s->data);
        s->data = data;
        s->room = n;
    }
    s->bytes = n;
    return true;
}

bool space_make(struct space *s, const char *dir, size_t n)
{
    if (space_is_file(s))
        space_free(s);
    if (n <= ENGINE_INLINE_MAX)
        return make_memory(s, n);
    space_free(s);
    return make_file(s, dir, n);
}

bool space_map(struct space *s, const char *path, size_t offset, size_t n, bool owned)
{
    size_t slack = offset % (size_t)sysconf(_SC_PAGESIZE);
    int fd = open(path, (owned ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    void *data;

    space_free(s);
    if (fd < 0)
        return false;
    data = mmap(NULL, n + slack, PROT_READ | PROT_WRITE, owned ? MAP_SHARED : MAP_PRIVATE, fd,
                (off_t)(offset - slack));
    int err = errno;
    close(fd);
    errno = err;
    if (data == MAP_FAILED)
        return false;
    *s = (struct space){ (char *)data + slack, n, n + slack, strdup(path), slack, owned };
    must(s->path != NULL);
    return true;
}

bool space_suits(const struct space *s, size_t n)
{
    return spare_suits(s->room - s->map_offset, n);
}

void space_give(struct space *s, const char *dir)
{
    if (dir && s->map_offset == 0 && spare_give(dir, s->path, s->room))
        space_let_go(s);
    else
        space_free(s);
}

static void unmap(struct space *s)
{
    munmap((char *)s->data - s->map_offset, s->room);
    free(s->path);
}

void space_let_go(struct space *s)
{
    if (space_is_file(s))
        unmap(s);
    else
        free(s->data);
    *s = (struct space){ 0 };
}

void space_free(struct space *s)
{
    if (space_is_file(s))
        unlink(s->path);
    space_let_go(s);
}
