#include "base/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

uint64_t machine_id(void)
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);

    if (fd >= 0)
        close(fd);
    return n > 0 ? hash64(text, (size_t)n, 0) | 1 : 0;
}

bool shared_of(int fd, const char *path, struct shared_file *s)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return false;
    *s = (struct shared_file){ .path = path, .device = st.st_dev, .inode = st.st_ino };
    return true;
}

int shared_open(const struct shared_file *s, bool to_write)
{
    struct stat st;

    if (!s->path || s->path[0] != '/')
        return -1;
    int fd = open(s->path, (to_write ? O_WRONLY | O_NOFOLLOW : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        st.st_dev == s->device && st.st_ino == s->inode)
        return fd;
    close(fd);
    return -1;
}

bool shared_read(int fd, void *to, size_t n, uint64_t at)
{
    char *p = to;

    while (n > 0) {
        ssize_t got = pread(fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

bool shared_write(int fd, const void *from, size_t n, uint64_t at)
{
    const char *p = from;

    while (n > 0) {
        ssize_t put = pwrite(fd, p, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        p += put;
        at += (uint64_t)put;
        n -= (size_t)put;
    }
    return true;
}
