#include "worker/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "worker/tree.h"

#define ATTEMPTS "/attempts"

static bool prepare(struct attempt *a, struct workplace *wp);
static bool start_process(struct attempt *a, struct workplace *wp, uint64_t out_tag,
                          uint64_t err_tag);

void workplace_init(struct workplace *wp, const char *dir, const char *host, int epoll_fd)
{
    *wp = (struct workplace){ .host = host, .epoll_fd = epoll_fd };
    wp->dir = strdup(dir);
    must(wp->dir != NULL);
    point_init(&wp->point);
    command_init(&wp->command);
}

void workplace_fini(struct workplace *wp)
{
    free(wp->dir);
    point_fini(&wp->point);
    command_fini(&wp->command);
    buf_fini(&wp->text);
    buf_fini(&wp->packed);
}

struct attempt *attempt_new(lease_id lease, task_id task, struct payload *payload, char *order)
{
    struct attempt *a = calloc(1, sizeof *a);

    must(a != NULL);
    a->lease = lease;
    a->task = task;
    a->payload = payload_ref(payload);
    a->order = order;
    capture_init(&a->run.out);
    capture_init(&a->run.err);
    a->long_out.ahead.fd = a->long_err.ahead.fd = -1;
    return a;
}

static void free_stream(struct long_stream *s)
{
    if (s->ahead.fd >= 0)
        close(s->ahead.fd);
    ahead_fini(&s->ahead);
    free(s->path);
    free(s->name);
}

void attempt_free(struct attempt *a)
{
    run_fini(&a->run);
    free_stream(&a->long_out);
    free_stream(&a->long_err);
    payload_unref(a->payload);
    free(a->dir);
    free(a->place);
    free(a->note);
    free(a->order);
    free(a->text);
    free(a->out);
    free(a->err);
    free(a);
}

/* fail - it ends before it began. */
__attribute__((format(printf, 4, 5))) static bool fail(struct attempt *a, enum end_reason reason,
                                                       int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    must(vasprintf(&a->note, format, args) >= 0);
    va_end(args);
    a->row.reason = reason;
    a->row.code = err;
    a->ended = true;
    return false;
}

static bool run_function(struct attempt *a, const char *name)
{
    if (strcmp(name, "noop") != 0)
        return fail(a, END_NOT_STARTED, ENOSYS, "this worker has no function '%s'", name);
    a->row.reason = END_EXIT;
    a->row.started_ms = a->row.ended_ms = clock_wall_ms();
    a->ended = true;
    return false;
}

bool attempt_start(struct attempt *a, struct workplace *wp, uint64_t out_tag, uint64_t err_tag)
{
    const char *function = payload_function(a->payload);

    if (function)
        return run_function(a, function);
    if (!payload_study(a->payload)) {
        wp->point.index = payload_index(a->payload, a->task);
        if (!a->order)
            return fail(a, END_NOT_STARTED, EINVAL, "a call of an array of commands without one");
        return start_process(a, wp, out_tag, err_tag);
    }
    study_point(payload_study(a->payload), payload_index(a->payload, a->task), &wp->point);
    return prepare(a, wp) && start_process(a, wp, out_tag, err_tag);
}

static int write_file(const char *path, const struct buf *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int err = 0;

    if (fd < 0)
        return errno;
    for (size_t done = 0; !err && done < text->n;) {
        ssize_t n = write(fd, text->data + done, text->n - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            err = n == 0 ? EIO : errno;
    }
    if (close(fd) != 0 && !err)
        err = errno;
    return err;
}

static char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *print(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    must(vasprintf(&text, format, args) >= 0);
    va_end(args);
    return text;
}

/* see_stages - the output of the stages that it waited for: there, and listed where that is asked
 * for. Another worker may put it in place only a moment from now, or on another machine for ever:
 * the former is tried again, the latter ends with what is said here. */
static bool see_stages(struct attempt *a, struct workplace *wp)
{
    const struct study *s = payload_study(a->payload);

    for (size_t k = 0; k < study_n_after(s); k++) {
        if (study_after_list(s, k)) {
            char *path = print("%s/%s.csv", a->dir, study_after(s, k)->stage);
            int err = study_after_write(s, k, wp->dir, path);
            if (err)
                fail(a, END_INFRA, err, "cannot write '%s': %s", path, strerror(err));
            free(path);
            if (err)
                return false;
        }
        buf_clear(&wp->text);
        study_after_dir(s, k, wp->point.index, wp->dir, &wp->text);
        if (study_after_used(s, k) && study_after(s, k)->on == AFTER_SUCCESS &&
            access(buf_text(&wp->text), F_OK) != 0)
            return fail(a, END_INFRA, ENOENT,
                        "the output of stage '%s' is not here: '%s'; do all workers share the "
                        "directory?",
                        study_after(s, k)->stage, buf_text(&wp->text));
    }
    return true;
}

/* prepare - its directory with the input files, when it has one. */
static bool prepare(struct attempt *a, struct workplace *wp)
{
    const struct study *s = payload_study(a->payload);

    if (!study_needs_dir(s))
        return true;
    a->dir = print("%s" ATTEMPTS "/%llu", wp->dir, (unsigned long long)a->lease.n);
    buf_clear(&wp->text);
    study_point_dirname(s, &wp->point, &wp->text);
    a->place = print("%s/points/%s/%s", wp->dir, payload_folder(a->payload), buf_text(&wp->text));
    int err = tree_make(a->dir);
    if (err)
        return fail(a, END_INFRA, err, "cannot make the directory '%s': %s", a->dir, strerror(err));
    for (size_t k = 0; k < study_n_inputs(s); k++) {
        buf_clear(&wp->text);
        study_input_render(s, k, &wp->point, &(struct dirs){ a->dir, wp->dir }, &wp->text);
        char *path = print("%s/%s", a->dir, study_input_name(s, k));
        err = write_file(path, &wp->text);
        if (err)
            fail(a, END_INFRA, err, "cannot write '%s': %s", path, strerror(err));
        free(path);
        if (err)
            return false;
    }
    return see_stages(a, wp);
}

static bool no_command(struct attempt *a, const char *argv0, int err)
{
    if (err == ENOENT && !strchr(argv0, '/'))
        return fail(a, END_NOT_STARTED, err, "cannot start '%s': no such command in PATH", argv0);
    return fail(a, END_NOT_STARTED, err, "cannot start '%s': %s", argv0, strerror(err));
}

/* not_started - which step failed says whose trouble it is: the command's or this machine's. */
static bool not_started(struct attempt *a, const char *argv0, int err)
{
    if (a->run.failed == RUN_CHDIR)
        return fail(a, END_NOT_STARTED, err, "cannot change to the directory '%s': %s",
                    payload_cwd(a->payload), strerror(err));
    if (a->run.failed != RUN_EXEC)
        return fail(a, END_INFRA, err, "cannot start a process: %s", strerror(err));
    payload_forget_path(a->payload);
    if (err == ENOENT)
        return fail(a, END_NOT_STARTED, err, "cannot start '%s': its interpreter is not there",
                    argv0);
    if (err == ENOEXEC)
        return fail(a, END_NOT_STARTED, err,
                    "cannot start '%s': neither a program nor a script with a #! line", argv0);
    if (err == EAGAIN || err == ENOMEM)
        return fail(a, END_INFRA, err, "cannot start '%s': %s", argv0, strerror(err));
    return fail(a, END_NOT_STARTED, err, "cannot start '%s': %s", argv0, strerror(err));
}

static bool start_process(struct attempt *a, struct workplace *wp, uint64_t out_tag,
                          uint64_t err_tag)
{
    const struct study *s = payload_study(a->payload);
    unsigned long long index = payload_index(a->payload, a->task);
    const char *folder = payload_folder(a->payload);

    static char shell[] = "sh", option[] = "-c";
    char *restart = a->again && !s ? (char *)(uintptr_t)payload_restart(a->payload) : NULL;
    char *sh[] = { shell,    option, restart ? restart : a->order, restart ? shell : NULL,
                   a->order, NULL };
    if (s)
        study_command(s, &wp->point, &(struct dirs){ a->dir, wp->dir }, a->again, &wp->command);
    char *const *argv = s ? wp->command.argv : sh;
    const char *argv0 = argv[0];
    const char *path = payload_path(a->payload, argv0);
    if (!path)
        return no_command(a, argv0, errno);
    /* The lease makes the names unique: the same index means another point in another array. */
    const char *under = wp->own ? ATTEMPTS : "";
    char *out = print("%s%s/output/%s/%llu-%llu.stdout", wp->dir, under, folder, index,
                      (unsigned long long)a->lease.n);
    char *err = print("%s%s/output/%s/%llu-%llu.stderr", wp->dir, under, folder, index,
                      (unsigned long long)a->lease.n);
    struct run_spec spec = {
        .argv = argv,
        .path = path,
        .envp = payload_environment(a->payload, &wp->point, a->lease, a->dir),
        .cwd = s && study_runs_in_dir(s) ? a->dir : payload_cwd(a->payload),
        .memory_mib = payload_policy(a->payload)->needs.memory_mib,
        .out_spill = out,
        .err_spill = err,
        .epoll_fd = wp->epoll_fd,
        .out_tag = out_tag,
        .err_tag = err_tag,
    };
    int e = run_start(&a->run, &spec);
    free(out);
    free(err);
    if (e)
        return not_started(a, argv0, e);
    a->ran = true;
    return true;
}

void attempt_stop(struct attempt *a, enum stop_why why, ms_t limit_ms)
{
    siginfo_t info = { 0 };

    if (a->run.pid <= 0 ||
        waitid(P_PID, (id_t)a->run.pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != 0)
        return;
    a->why = why;
    a->limit_ms = limit_ms;
    run_signal(&a->run, SIGTERM);
    run_signal(&a->run, SIGCONT); /* a stopped one could not hear it */
}

void attempt_reap(struct attempt *a)
{
    run_reap(&a->run);
    a->ended = true;
}

bool attempt_counts(const struct attempt *a)
{
    return a->row.reason != END_REVOKED && a->row.reason != END_INFRA;
}

char *attempt_elsewhere(const struct workplace *wp, const char *path)
{
    bool fits = strlen(wp->host) + strlen(path) + 2 < PATH_MAX;

    return print("%s%s%s", fits ? wp->host : "", fits ? ":" : "", fits ? path : "");
}

char *attempt_keep_stream(const struct workplace *wp, struct long_stream *s)
{
    size_t n = strlen(wp->dir);

    if (wp->own) {
        char *to = print("%s%s", wp->dir, s->path + n + strlen(ATTEMPTS));
        int err = tree_place(s->path, to, true);
        if (err)
            log_error("event=output path=%s error=\"%s\"", s->path, strerror(err));
        free(s->path);
        s->path = to;
    }
    return attempt_elsewhere(wp, s->path);
}

/* settle_stream - its file goes, unless the result names it. */
static void settle_stream(const struct attempt *a, const struct long_stream *s, bool dropped)
{
    bool kept = attempt_counts(a) && (a->at_farm || (s->ahead.failed && !dropped && !a->useless));

    if (s->path && !kept && unlink(s->path) != 0 && errno != ENOENT)
        log_error("event=output path=%s error=\"%s\"", s->path, strerror(errno));
}

/* delete_dir - wherever it is; what a later attempt put in its place is not its own. */
static int delete_dir(const struct attempt *a)
{
    struct stat st;

    if (!a->placed)
        return tree_delete(a->dir);
    return stat(a->place, &st) == 0 && st.st_ino == a->placed ? tree_delete(a->place) : 0;
}

void attempt_settle(struct attempt *a, bool dropped)
{
    settle_stream(a, &a->long_out, dropped);
    settle_stream(a, &a->long_err, dropped);
    if (!a->dir)
        return;
    int err = 0;
    bool keep = !*a->body.dir ? false : !dropped || a->why == STOP_NOT;
    if (a->useless && !a->at_farm) /* there the next attempt replaces it */
        keep = false;
    if (keep && !a->placed)
        err = tree_place(a->dir, a->place, !dropped);
    /* Revoked after it had ended: it may have won all the same, so that what is in place may be the
     * older one. The scheduler's sweep knows, at its next start. */
    if (keep && dropped && err == EEXIST)
        return;
    if (!keep)
        err = delete_dir(a);
    if (err)
        log_error("event=directory path=%s error=\"%s\"", a->dir, strerror(err));
}
