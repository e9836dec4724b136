#ifndef GRANGE_WORKER_RUN_H
#define GRANGE_WORKER_RUN_H
/* run - one attempt of one point as processes: start, capture, stop, reap.
 *
 * The child gets its own session and process group, stdin from /dev/null, pipes for stdout and
 * stderr, default signals, no other descriptor, SIGKILL when the worker's thread dies, and its
 * limits. When its main process has exited, the rest of its group is killed and what the pipes
 * still hold is read. Started by vfork and exec, so the cost does not grow with the worker. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/ids.h"

/* capture - one stream: the first OUTPUT_STORE_MAX bytes in memory; when there is more, all of it
 * (up to OUTPUT_FILE_MAX) in a file; beyond that only counted. */
struct capture {
    int fd;       /* our end of the pipe; -1 when closed */
    int epoll_fd; /* where fd is registered; -1: nowhere */
    struct buf head;
    int spill_fd;     /* -1: none */
    char *spill_path; /* where it would go; owned */
    uint64_t total, spilled;
    bool spill_failed; /* the file could not be written (disk full) and was removed */
};
/* capture_init - closed and empty. */
void capture_init(struct capture *c);
/* capture_open - takes our end of a pipe over and registers it for reading under `tag`. */
void capture_open(struct capture *c, int fd, int epoll_fd, uint64_t tag, const char *spill_path);
/* capture_read - one read; false when the stream is at its end and was closed. *n: bytes, 0: none
 * now. */
bool capture_read(struct capture *c, size_t *n);
/* capture_drain - what is in the pipe now, and closes it, whoever else holds it open. */
void capture_drain(struct capture *c);
void capture_fini(struct capture *c); /* closes and frees; unlinks nothing */

struct run_spec {
    char *const *argv; /* NULL-terminated; argv[0] is what the program sees as its name */
    const char *path;  /* file to exec, already resolved */
    char *const *envp;
    const char *cwd;
    uint32_t memory_mib;               /* 0: no limit; RLIMIT_DATA of each process */
    const char *out_spill, *err_spill; /* absolute paths for long streams */
    int in_fd, out_fd;         /* become its descriptors 3 and 4; both above 4, or 0: no such */
    int epoll_fd;              /* -1: the caller does without */
    uint64_t out_tag, err_tag; /* epoll_event.data.u64 of the two pipes */
};

enum run_step { RUN_PIPE, RUN_FORK, RUN_CHDIR, RUN_LIMIT, RUN_EXEC };

struct run {
    pid_t pid; /* also its process group and session; 0 before start and after reap */
    struct capture out, err;
    ms_t started_ms;               /* wall clock */
    uint64_t started_us, ended_us; /* monotonic */
    int status;                    /* as of waitpid, once reaped */
    struct rusage usage;           /* of the main process and what it waited for */
    enum run_step failed;          /* what failed when run_start returned an errno */
};

/* run_start - 0, or errno of what failed (exec's errno included); run_fini is due either way. The
 * worker's signal mask is as it was. Not for more than one thread at a time. */
int run_start(struct run *r, const struct run_spec *spec);
/* run_read - what a readable pipe holds now, at most one buffer; false when that stream is at its
 * end (closed here). */
bool run_read(struct run *r, bool stderr_stream);
/* run_signal - to the whole group; a group that is gone is fine. */
void run_signal(struct run *r, int sig);
/* run_reap - the main process has exited and was not waited for (waitid with WNOWAIT told): kills
 * the rest of its group while its pid still keeps the number from others, takes status and usage,
 * drains the pipes. ru_maxrss is at least what the worker itself had: Linux counts from before
 * exec. */
void run_reap(struct run *r);
void run_fini(struct run *r); /* closes and frees; unlinks nothing */

/* run_resolve - PATH look-up as execvp does, once per command: malloc'd absolute path, or NULL and
 * errno. Relative paths, those in PATH too, start at cwd. */
char *run_resolve(const char *file, const char *cwd);

#endif
