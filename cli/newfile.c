#include "cli/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err failed(const struct newfile *n, int error, struct fault *f)
{
    enum err err = error == ENOSPC || error == EDQUOT                    ? ERR_DISK_FULL
                   : error == EACCES || error == EPERM || error == EROFS ? ERR_PERMISSION
                                                                         : ERR_IO;
    return fault_set(f, err, "cannot write %s: %s", n->path, strerror(error));
}

static enum err open_temporary(struct newfile *n, mode_t mode, struct fault *f)
{
    buf_addf(&n->temporary, "%s.XXXXXX", n->path);
    int fd = mkostemp(n->temporary.data, O_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        buf_fini(&n->temporary);
        return failed(n, error, f);
    }
    (void)fchmod(fd, mode);
    n->to = fdopen(fd, "w");
    return ERR_NONE;
}

enum err newfile_open(struct newfile *n, const char *path, struct fault *f)
{
    struct stat st;
    *n = (struct newfile){ .path = path };
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return failed(n, EISDIR, f);
        if (S_ISREG(st.st_mode))
            return open_temporary(n, st.st_mode & 07777, f);
        n->to = fopen(path, "we");
        return n->to ? ERR_NONE : failed(n, errno, f);
    }
    mode_t mask = umask(0);
    umask(mask);
    return open_temporary(n, 0666 & ~mask, f);
}

enum err newfile_close(struct newfile *n, bool keep, struct fault *f)
{
    int error = 0;
    if (!n->to)
        return ERR_NONE;
    errno = 0;
    if (fflush(n->to) != 0 || ferror(n->to))
        error = errno ? errno : EIO;
    if (!error && keep && n->temporary.n && fsync(fileno(n->to)) != 0)
        error = errno;
    if (fclose(n->to) != 0 && !error)
        error = errno;
    if (n->temporary.n) {
        if (keep && !error && rename(n->temporary.data, n->path) != 0)
            error = errno;
        if (!keep || error)
            unlink(n->temporary.data);
    }
    buf_fini(&n->temporary);
    n->to = NULL;
    return keep && error ? failed(n, error, f) : ERR_NONE;
}
