#include "cli/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/zip.h"
#include "farm/registry.h"

struct stream stream_of(const struct end_body *body, bool err)
{
    if (err)
        return (struct stream){ "stderr",        body->err_file,   body->err,
                                body->err_bytes, body->err_packed, body->err_total };
    return (struct stream){ "stdout",        body->out_file,   body->out,
                            body->out_bytes, body->out_packed, body->out_total };
}

static enum err write_all(int to, const char *data, size_t n, struct fault *f)
{
    while (n > 0) {
        ssize_t done = write(to, data, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fault_set(f, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO,
                             "cannot write what it printed: %s", strerror(errno));
        data += done;
        n -= (size_t)done;
    }
    return ERR_NONE;
}

/* host_bytes - of HOST in HOST:/PATH; 0: it is in the grange directory. */
static size_t host_bytes(const char *name)
{
    const char *slash = strchr(name, '/');

    return slash && slash > name && slash[-1] == ':' ? (size_t)(slash - name) - 1 : 0;
}

bool kept_here(const char *name)
{
    size_t n = host_bytes(name);
    const char *host = farm_host();

    return n && strlen(host) == n && strncmp(name, host, n) == 0;
}

const char *kept_at(const char *name)
{
    return host_bytes(name) ? strchr(name, '/') : NULL;
}

bool kept_path(const char *name, const char *dir, struct buf *path)
{
    bool here = kept_here(name), elsewhere = !here && host_bytes(name);

    if (here)
        buf_adds(path, strchr(name, '/'));
    else if (elsewhere)
        buf_adds(path, name);
    else
        buf_addf(path, "%s/%s", dir, name);
    return !elsewhere;
}

/* open_file - errno is EREMOTE when it is on another machine. */
static int open_file(const struct stream *s, const char *dir, struct buf *path)
{
    if (kept_path(s->file, dir, path))
        return open(path->data, O_RDONLY | O_CLOEXEC);
    errno = EREMOTE;
    return -1;
}

static enum err not_opened(const struct stream *s, const char *path, struct fault *f)
{
    if (errno == EREMOTE)
        return fault_set(f, ERR_NOT_FOUND,
                         "%s of this point is on the disk of its worker: %s; look there, or copy "
                         "it from there",
                         s->name, path);
    return fault_set(f, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s of this point was in %s: %s",
                     s->name, path, strerror(errno));
}

static enum err copy_file(const struct stream *s, const char *dir, int to, uint64_t *kept,
                          struct fault *f)
{
    struct buf path = { 0 };
    char part[65536];
    enum err err = ERR_NONE;
    int fd = open_file(s, dir, &path);
    if (fd < 0)
        err = not_opened(s, path.data, f);
    while (!err) {
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = fault_set(f, ERR_IO, "%s: %s", path.data, strerror(errno));
        if (n <= 0)
            break;
        err = write_all(to, part, (size_t)n, f);
        *kept += (uint64_t)n;
    }
    if (fd >= 0)
        close(fd);
    buf_fini(&path);
    return err;
}

enum err stream_copy(const struct stream *s, const char *dir, int to, uint64_t *kept,
                     struct fault *f)
{
    *kept = 0;
    if (s->file && s->file[0])
        return copy_file(s, dir, to, kept, f);
    if (!s->packed) {
        *kept = s->bytes;
        return write_all(to, s->data, s->bytes, f);
    }
    struct buf plain = { 0 };
    enum err err = ERR_NONE;
    if (!zip_unpack(s->data, s->bytes, OUTPUT_STORE_MAX, &plain))
        err = fault_set(f, ERR_DAMAGED, "%s of this point cannot be unpacked: the store is damaged",
                        s->name);
    else
        err = write_all(to, buf_text(&plain), plain.n, f);
    *kept = plain.n;
    buf_fini(&plain);
    return err;
}

void stream_read(const struct stream *s, const char *dir, struct buf *out)
{
    if (s->file && s->file[0]) {
        struct buf path = { 0 };
        if (kept_path(s->file, dir, &path))
            (void)buf_read_file(out, path.data, STREAM_READ_MAX);
        buf_fini(&path);
    } else if (!s->packed) {
        buf_add(out, s->data, s->bytes);
    } else {
        (void)zip_unpack(s->data, s->bytes, OUTPUT_STORE_MAX, out);
    }
}

static void add_last_line(const char *data, size_t n, struct buf *out)
{
    while (n && strchr(" \t\r\n", data[n - 1]) && data[n - 1])
        n--;
    size_t start = n;
    while (start && data[start - 1] != '\n')
        start--;
    if (n - start > ERROR_LINE_MAX)
        n = start + ERROR_LINE_MAX;
    buf_add(out, data + start, n - start);
}

void stream_last_line(const struct stream *s, const char *dir, struct buf *out)
{
    struct buf bytes = { 0 };
    if (s->file && s->file[0]) {
        char tail[STREAM_TAIL];
        int fd = open_file(s, dir, &bytes);
        off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
        off_t from = size > STREAM_TAIL ? size - STREAM_TAIL : 0;
        ssize_t n = fd >= 0 ? pread(fd, tail, sizeof tail, from) : 0;
        if (n > 0)
            add_last_line(tail, (size_t)n, out);
        if (fd >= 0)
            close(fd);
    } else if (!s->packed) {
        add_last_line(s->data ? s->data : "", s->bytes, out);
    } else if (zip_unpack(s->data, s->bytes, OUTPUT_STORE_MAX, &bytes)) {
        add_last_line(buf_text(&bytes), bytes.n, out);
    }
    buf_fini(&bytes);
}
