#include "farm/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err failed(const char *what, const char *path, int error, struct fault *f)
{
    enum err err = error == ENOSPC || error == EDQUOT                    ? ERR_DISK_FULL
                   : error == EACCES || error == EPERM || error == EROFS ? ERR_PERMISSION
                   : error == ENOENT                                     ? ERR_NOT_FOUND
                                                                         : ERR_IO;

    return fault_set(f, err, "cannot %s %s: %s", what, path, strerror(error));
}

/* write_all - 0 or errno; the descriptor is closed either way. */
static int write_all(int fd, const char *text, size_t n)
{
    int error = fchmod(fd, 0600) ? errno : 0;

    for (size_t at = 0; !error && at < n;) {
        ssize_t wrote = write(fd, text + at, n - at);
        if (wrote > 0)
            at += (size_t)wrote;
        else if (wrote < 0 && errno != EINTR)
            error = errno;
    }
    if (!error && fsync(fd))
        error = errno;
    if (close(fd) && !error)
        error = errno;
    return error;
}

enum err secret_write(const char *path, const char *text, size_t n, struct fault *f)
{
    char other[PATH_MAX];
    int length = snprintf(other, sizeof other, "%s.%d.new", path, (int)getpid());

    if (length >= (int)sizeof other)
        return failed("write", path, ENAMETOOLONG, f);
    unlink(other); /* of a process that had our number and was killed */
    int fd = open(other, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed("write", path, errno, f);
    int error = write_all(fd, text, n);
    if (!error && rename(other, path))
        error = errno;
    if (!error)
        return ERR_NONE;
    unlink(other);
    return failed("write", path, error, f);
}

static enum err check_private(const char *path, int fd, struct fault *f)
{
    struct stat st;

    if (fstat(fd, &st))
        return failed("read", path, errno, f);
    if (!S_ISREG(st.st_mode))
        return fault_set(f, ERR_USAGE, "%s is not a file", path);
    if (st.st_mode & 077)
        return fault_set(f, ERR_PERMISSION,
                         "%s holds a secret, and others may read or write it (mode %04o); make it "
                         "private: chmod 600 %s",
                         path, st.st_mode & 07777, path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return fault_set(f, ERR_PERMISSION, "%s belongs to another user (uid %u): it is not used",
                         path, (unsigned)st.st_uid);
    if (st.st_size > SECRET_BYTES_MAX)
        return fault_set(f, ERR_LIMIT, "%s has more than %d bytes: it is no such file", path,
                         (int)SECRET_BYTES_MAX);
    return ERR_NONE;
}

enum err secret_read(const char *path, struct buf *text, struct fault *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody waits for a pipe's writer */

    if (fd < 0)
        return failed("read", path, errno, f);
    enum err err = check_private(path, fd, f);
    char block[4096];
    ssize_t n = 0;
    while (!err && (n = read(fd, block, sizeof block)) > 0 && text->n < SECRET_BYTES_MAX)
        buf_add(text, block, (size_t)n);
    if (!err && n < 0)
        err = failed("read", path, errno, f);
    close(fd);
    return err;
}

enum err secret_home(const char *path, struct fault *f)
{
    struct stat st;

    if (mkdir(path, 0700) && errno != EEXIST)
        return fault_set(f, errno == ENOSPC ? ERR_DISK_FULL : ERR_PERMISSION,
                         "cannot make the directory '%s': %s", path, strerror(errno));
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return fault_set(f, ERR_IO, "'%s' is not a directory", path);
    if (access(path, W_OK | X_OK))
        return fault_set(f, ERR_PERMISSION, "cannot write in the directory '%s': %s", path,
                         strerror(errno));
    if (st.st_mode & 022)
        return fault_set(f, ERR_PERMISSION,
                         "others may write in the directory %s (mode %04o), so they could run "
                         "commands as you; keep them out: chmod go-w %s",
                         path, st.st_mode & 07777, path);
    return ERR_NONE;
}

enum err secret_dir(const char *path, struct fault *f)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    if (n >= sizeof part)
        return failed("make", path, ENAMETOOLONG, f);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) && errno != EEXIST)
            return failed("make the directory", part, errno, f);
    }
    return ERR_NONE;
}
