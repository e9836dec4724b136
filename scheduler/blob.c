/* blob - payloads and results that are files of their own: DIR/blobs/ID, in hex.
 *
 * Nothing is kept in memory about them: a part is written where the file ends, and what is there
 * follows from the file. A file has its name once all of it is durable; until then it is ID.part.
 * Which files are wanted is said by the store; those of nobody are deleted at a start, once they
 * have been there so long that whoever sent them will not name them any more. */
#include "scheduler/calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    UNWANTED_S = 3600,                  /* a file that nothing in the store names is kept so long */
    BEHIND_BYTES = 4 * BLOB_PART_BYTES, /* written and perhaps not on the disk yet */
    WAITING_MAX =
        128 << 20 /* for a peer that asks for parts and does not read; then it is dropped */
};

static void path_of(const struct scheduler *s, uint64_t id, const char *suffix, char *path,
                    size_t n)
{
    snprintf(path, n, "%s/blobs/%016llx%s", s->opt->dir, (unsigned long long)id, suffix);
}

static void answer(struct scheduler *s, peer_id to, uint64_t id, uint64_t offset, bool done)
{
    send_message(s, to,
                 &(struct message){
                     .kind = MSG_BLOB_ACK,
                     .blob_ack = { .blob = id, .offset = offset, .done = done, .text = "" } });
}

static void refuse(struct scheduler *s, peer_id to, uint64_t id, enum err code, const char *text)
{
    log_error("event=blob blob=%016llx error=\"%s\"", (unsigned long long)id, text);
    send_message(
        s, to,
        &(struct message){ .kind = MSG_BLOB_ACK,
                           .blob_ack = { .blob = id, .code = (uint32_t)code, .text = text } });
}

bool blob_is_there(const struct scheduler *s, uint64_t id, uint64_t bytes)
{
    char path[PATH_MAX];
    struct stat st;

    path_of(s, id, "", path, sizeof path);
    return stat(path, &st) == 0 && (uint64_t)st.st_size == bytes;
}

void blob_delete(const struct scheduler *s, uint64_t id)
{
    char path[PATH_MAX];

    path_of(s, id, "", path, sizeof path);
    if (unlink(path) != 0 && errno != ENOENT)
        log_error("event=blob path=%s error=\"%s\"", path, strerror(errno));
}

/* --- coming --- */

static int open_part(const struct scheduler *s, const char *path)
{
    char folder[PATH_MAX];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0 || errno != ENOENT)
        return fd;
    snprintf(folder, sizeof folder, "%s/blobs", s->opt->dir);
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return -1;
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static int write_all(int fd, const char *data, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t put = pwrite(fd, data + done, n - done, (off_t)(at + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put == 0 ? EIO : errno;
        done += (size_t)put;
    }
    return 0;
}

/* behind - the disk begins with what was written now, and has what was written a while ago: so that
 * the sync at the end is short, however long the file is. */
static void behind(int fd, uint64_t at, size_t n)
{
    sync_file_range(fd, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE);
    if (at >= BEHIND_BYTES)
        sync_file_range(fd, (off_t)(at - BEHIND_BYTES), BLOB_PART_BYTES,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER);
}

/* finish - durable under its name. */
static int finish(const struct scheduler *s, int fd, const char *part, uint64_t id)
{
    char path[PATH_MAX], folder[PATH_MAX];

    path_of(s, id, "", path, sizeof path);
    snprintf(folder, sizeof folder, "%s/blobs", s->opt->dir);
    if (fdatasync(fd) != 0 || rename(part, path) != 0)
        return errno;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = dir < 0 || fsync(dir) != 0 ? errno : 0;
    if (dir >= 0)
        close(dir);
    return err;
}

static void failed(struct scheduler *s, peer_id from, uint64_t id, const char *path, int err)
{
    char text[PATH_MAX + 100];

    unlink(path);
    snprintf(text, sizeof text, "cannot write %s: %s", path, strerror(err));
    refuse(s, from, id, err == ENOSPC || err == EDQUOT ? ERR_DISK_FULL : ERR_IO, text);
}

static void on_part(struct scheduler *s, peer_id from, const struct message *m)
{
    uint64_t id = m->blob.blob, total = m->blob.total, have;
    char path[PATH_MAX];
    struct stat st;
    int err = 0;

    if (blob_is_there(s, id, total)) {
        answer(s, from, id, total, true);
        return;
    }
    path_of(s, id, ".part", path, sizeof path);
    int fd = open_part(s, path);
    if (fd < 0 || fstat(fd, &st) != 0) {
        failed(s, from, id, path, errno);
        return;
    }
    have = (uint64_t)st.st_size;
    if (m->blob.offset == have && have < total) { /* else it hears how much is there */
        err = write_all(fd, m->blob.data, m->blob.data_bytes, have);
        behind(fd, have, m->blob.data_bytes);
        have += m->blob.data_bytes;
    }
    if (!err && have >= total)
        err = have > total ? EFBIG : finish(s, fd, path, id);
    close(fd);
    if (err)
        failed(s, from, id, path, err);
    else
        answer(s, from, id, have, have == total);
}

/* --- going --- */

static void send_parts(struct scheduler *s, peer_id to, const struct message *m, int fd,
                       uint64_t total)
{
    char *part = malloc(BLOB_PART_BYTES);
    uint64_t at = m->blob_want.offset;

    must(part != NULL);
    for (uint32_t i = 0; i < m->blob_want.parts && at < total; i++) {
        ssize_t n = pread(fd, part, BLOB_PART_BYTES, (off_t)at);
        if (n <= 0) {
            refuse(s, to, m->blob_want.blob, ERR_IO, "a payload or result cannot be read");
            break;
        }
        send_message(s, to,
                     &(struct message){ .kind = MSG_BLOB,
                                        .blob = { .blob = m->blob_want.blob,
                                                  .offset = at,
                                                  .total = total,
                                                  .data = part,
                                                  .data_bytes = (size_t)n } });
        at += (uint64_t)n;
    }
    free(part);
}

static void on_want(struct scheduler *s, peer_id from, const struct message *m)
{
    char path[PATH_MAX];
    struct stat st;

    if (link_queued(s->link, from) > WAITING_MAX) {
        log_error("event=drop peer=%llu reason=\"asks for parts and does not read them\"",
                  (unsigned long long)from.n);
        link_close_peer(s->link, from);
        return;
    }
    path_of(s, m->blob_want.blob, "", path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        refuse(s, from, m->blob_want.blob, ERR_NOT_FOUND,
               "this payload or result is not here any more");
    else
        send_parts(s, from, m, fd, (uint64_t)st.st_size);
    if (fd >= 0)
        close(fd);
}

bool blob_request(struct scheduler *s, peer_id from, const struct message *m)
{
    if (m->kind == MSG_BLOB)
        on_part(s, from, m);
    else if (m->kind == MSG_BLOB_WANT)
        on_want(s, from, m);
    else
        return false;
    return true;
}

/* --- those of nobody --- */

void blob_committed(struct scheduler *s)
{
    size_t n;
    const uint64_t *gone = store_blobs_gone(s->store, &n);

    for (size_t i = 0; i < n; i++)
        blob_delete(s, gone[i]);
    for (size_t i = 0; i < s->out.n_changes; i++) {
        const struct change *ch = &s->out.changes[i];
        if (ch->kind == CHG_ATTEMPT && ch->end.body && ch->end.body->blob)
            blob_delete(s, ch->end.body->blob);
    }
}

static void sweep_one(struct scheduler *s, const char *folder, const char *name)
{
    char path[PATH_MAX];
    char *end;
    struct stat st;
    struct fault f;
    bool wanted = false;
    uint64_t id = strtoull(name, &end, 16);

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (end == name)
        return;
    if (strcmp(end, ".part") == 0) {
        unlink(path); /* who sends it hears that nothing is there */
        return;
    }
    if (*end || stat(path, &st) != 0 || clock_wall_ms() / 1000 - st.st_mtime < UNWANTED_S ||
        store_has_blob(s->store, id, &wanted, &f) || wanted)
        return;
    log_info("event=blob_unwanted path=%s", path);
    unlink(path);
}

void blob_sweep(struct scheduler *s)
{
    char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%s/blobs", s->opt->dir);
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));)
        if (*e->d_name != '.')
            sweep_one(s, folder, e->d_name);
    closedir(dir);
}
