#ifndef GRANGE_WORKER_RUN_H
#define GRANGE_WORKER_RUN_H
/* run - one attempt of one point as processes: start, capture, stop, reap.
 *
 * The child gets its own session and process group, stdin from /dev/null, pipes for stdout and
 * stderr, default signals, SIGKILL when the worker's thread dies, and its limits. When its main
 * process has exited, what the pipes still hold is read and the rest of its group is killed. Started
 * by vfork and exec, so the cost does not grow with the worker. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/ids.h"

/* capture - one stream: the first OUTPUT_STORE_MAX bytes in memory; when there is more, all of it (up
 * to OUTPUT_FILE_MAX) in a file; beyond that only counted. */
struct capture {
    int fd;            /* our end of the pipe; -1 when closed */
    struct buf head;
    int spill_fd;      /* -1: none */
    char *spill_path;  /* where it would go; owned */
    uint64_t total, spilled;
    bool spill_failed; /* the file could not be written (disk full): said in the result */
};

struct run_spec {
    char *const *argv;     /* NULL-terminated; argv[0] is resolved by path below */
    const char *path;      /* file to exec, already resolved */
    char *const *envp;
    const char *cwd;
    uint32_t memory_mib;   /* 0: no limit; RLIMIT_DATA of each process */
    const char *out_spill, *err_spill; /* absolute paths for long streams */
};

struct run {
    pid_t pid;             /* also its process group and session; 0 before start and after reap */
    struct capture out, err;
    ms_t started_ms;       /* wall clock */
    uint64_t started_us, ended_us; /* monotonic */
    int status;            /* as of waitpid, once reaped */
    struct rusage usage;   /* of the main process and what it waited for */
};

/* run_start - 0, or errno of what failed (exec's errno included). The pipes are non-blocking. */
int run_start(struct run *r, const struct run_spec *spec);
/* run_read - what a readable pipe holds now; false when that stream is at its end (closed here). */
bool run_read(struct run *r, bool stderr_stream);
/* run_signal - to the whole group; a group that is gone is fine. */
void run_signal(struct run *r, int sig);
/* run_reaped - waitpid gave status and usage: drains the pipes, kills the rest of the group. */
void run_reaped(struct run *r, int status, const struct rusage *usage);
void run_fini(struct run *r); /* closes and frees; unlinks nothing */

/* run_resolve - PATH look-up as execvp does, once per command: malloc'd absolute path, or NULL and errno. */
char *run_resolve(const char *file, const char *cwd);

#endif
