/* run: real processes. Ends are seen through pidfds; nothing sleeps. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "worker/run.h"
#include "worker/tree.h"

enum { DEADLINE_MS = 100000 };

extern char **environ;
static char scratch[] = "/tmp/grange-run-XXXXXX";
static char spill_out[128], spill_err[128];

static void begin(void)
{
    cr_assert(mkdtemp(scratch) != NULL);
    snprintf(spill_out, sizeof spill_out, "%s/a/b/out", scratch);
    snprintf(spill_err, sizeof spill_err, "%s/a/b/err", scratch);
}

static void finish(void)
{
    tree_delete(scratch);
}

static struct run_spec spec_of(char *const *argv)
{
    return (struct run_spec){ .argv = argv,
                              .path = argv[0],
                              .envp = environ,
                              .cwd = "/",
                              .out_spill = spill_out,
                              .err_spill = spill_err,
                              .epoll_fd = -1 };
}

static struct run_spec sh(const char *script)
{
    static char *argv[4];

    argv[0] = strdup("/bin/sh");
    argv[1] = strdup("-c");
    argv[2] = strdup(script);
    return spec_of(argv);
}

/* wait_end - reads as a loop would until the main process has exited, then reaps it. */
static void wait_end(struct run *r)
{
    int fd = (int)syscall(SYS_pidfd_open, r->pid, 0);

    cr_assert(fd >= 0);
    for (;;) {
        struct pollfd p[] = { { .fd = fd, .events = POLLIN },
                              { .fd = r->out.fd, .events = POLLIN },
                              { .fd = r->err.fd, .events = POLLIN } };
        cr_assert(poll(p, 3, DEADLINE_MS) > 0, "the process does not end");
        if (p[1].revents)
            run_read(r, false);
        if (p[2].revents)
            run_read(r, true);
        if (p[0].revents)
            break;
    }
    close(fd);
    run_reap(r);
}

static void run_it(struct run *r, const struct run_spec *spec)
{
    int err = run_start(r, spec);

    cr_assert_eq(err, 0, "%s", strerror(err));
    wait_end(r);
}

TestSuite(run, .init = begin, .fini = finish);

Test(run, exit_code_output_and_times_come_back)
{
    struct run r;
    struct run_spec spec = sh("echo out; echo err >&2; exit 3");

    run_it(&r, &spec);
    cr_expect(WIFEXITED(r.status) && WEXITSTATUS(r.status) == 3);
    cr_expect_str_eq(buf_text(&r.out.head), "out\n");
    cr_expect_str_eq(buf_text(&r.err.head), "err\n");
    cr_expect(r.pid == 0 && r.ended_us > r.started_us && r.usage.ru_maxrss > 0);
    cr_expect(r.out.fd == -1 && r.err.fd == -1 && r.out.spilled == 0);
    run_fini(&r);
}

Test(run, a_signal_comes_back)
{
    struct run r;
    struct run_spec spec = sh("kill -USR1 $$");

    run_it(&r, &spec);
    cr_expect(WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGUSR1);
    run_fini(&r);
}

Test(run, what_cannot_start_says_why)
{
    struct run r;
    char missing[] = "/no/such/program", script[160], *argv[] = { missing, NULL };
    struct run_spec spec = spec_of(argv);

    cr_expect_eq(run_start(&r, &spec), ENOENT);
    cr_expect_eq(r.failed, RUN_EXEC);
    run_fini(&r);

    snprintf(script, sizeof script, "%s/script", scratch);
    int fd = open(script, O_WRONLY | O_CREAT, 0755);
    cr_assert(write(fd, "echo hi\n", 8) == 8);
    close(fd);
    spec.path = script;
    cr_expect_eq(run_start(&r, &spec), ENOEXEC);
    run_fini(&r);
    chmod(script, 0644);
    cr_expect_eq(run_start(&r, &spec), EACCES);
    run_fini(&r);

    spec = sh("true");
    spec.cwd = "/no/such/directory";
    cr_expect_eq(run_start(&r, &spec), ENOENT);
    cr_expect_eq(r.failed, RUN_CHDIR);
    run_fini(&r);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
}

Test(run, binary_output_is_kept_byte_for_byte)
{
    struct run r;
    struct run_spec spec = sh("printf '\\000\\001\\377\\n\\000'");

    run_it(&r, &spec);
    cr_expect_eq(r.out.total, 5);
    cr_expect(r.out.head.n == 5 && memcmp(r.out.head.data, "\0\1\377\n\0", 5) == 0);
    run_fini(&r);
}

Test(run, a_long_stream_is_in_the_file_from_its_first_byte)
{
    struct run r;
    struct run_spec spec = sh("yes 0123456789 | head -c 3000000; head -c 1048576 /dev/zero >&2");
    struct buf file = { 0 };

    run_it(&r, &spec);
    cr_expect_eq(r.out.total, 3000000);
    cr_expect_eq(r.out.spilled, 3000000);
    cr_expect_eq(r.out.head.n, OUTPUT_STORE_MAX);
    cr_assert_eq(buf_read_file(&file, spill_out, 4000000), 0);
    cr_assert_eq(file.n, 3000000);
    for (size_t i = 0; i < file.n; i++)
        cr_assert_eq(file.data[i], "0123456789\n"[i % 11]);
    cr_expect(r.err.total == OUTPUT_STORE_MAX && r.err.spilled == 0);
    cr_expect_eq(access(spill_err, F_OK), -1);
    buf_fini(&file);
    run_fini(&r);
}

Test(run, a_file_that_cannot_be_written_costs_only_the_rest)
{
    struct run r;
    struct run_spec spec = sh("head -c 3000000 /dev/zero");

    spec.out_spill = "/dev/null/file";
    run_it(&r, &spec);
    cr_expect(r.out.spill_failed && r.out.spilled == 0);
    cr_expect(r.out.total == 3000000 && r.out.head.n == OUTPUT_STORE_MAX);
    run_fini(&r);
}

Test(run, the_whole_group_gets_the_signal)
{
    struct run r;
    char byte;
    struct run_spec spec = sh("sleep 1000 & sh -c 'sleep 1000 & wait' & echo ready; wait");

    cr_assert_eq(run_start(&r, &spec), 0);
    struct pollfd p = { .fd = r.out.fd, .events = POLLIN };
    cr_assert_eq(poll(&p, 1, DEADLINE_MS), 1);
    int out = dup(r.out.fd);
    fcntl(out, F_SETFL, 0);
    run_signal(&r, SIGKILL);
    wait_end(&r);
    cr_expect(WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGKILL);
    while (read(out, &byte, 1) == 1) /* its end: nobody holds the other end any more */
        ;
    close(out);
    run_fini(&r);
}

Test(run, what_the_main_process_leaves_in_its_group_is_killed)
{
    struct run r;
    char byte;
    struct run_spec spec = sh("sleep 1000 & echo $!");

    cr_assert_eq(run_start(&r, &spec), 0);
    int out = dup(r.out.fd);
    fcntl(out, F_SETFL, 0);
    wait_end(&r);
    cr_expect(WIFEXITED(r.status) && WEXITSTATUS(r.status) == 0);
    while (read(out, &byte, 1) == 1)
        ;
    close(out);
    run_fini(&r);
}

Test(run, the_child_has_three_descriptors_default_signals_and_a_session_of_its_own)
{
    struct run r;
    int forgotten = open("/dev/null", O_RDONLY); /* without close-on-exec */
    struct run_spec spec = sh("for f in 0 1 2 3 4 5 6 7 8 9; do"
                              " [ -e /proc/$$/fd/$f ] && printf $f; done; echo;"
                              "readlink /proc/$$/fd/0;"
                              "set -- $(cat /proc/$$/stat);"
                              "[ $5 = $$ ] && [ $6 = $$ ] && echo session;"
                              "while read name value; do case $name in"
                              " SigBlk:|SigIgn:) echo $value;; esac; done < /proc/$$/status");

    cr_assert(forgotten > 2 && forgotten < 10);
    signal(SIGPIPE, SIG_IGN);
    run_it(&r, &spec);
    cr_expect_str_eq(buf_text(&r.out.head), "012\n/dev/null\nsession\n"
                                            "0000000000000000\n0000000000000000\n");
    close(forgotten);
    run_fini(&r);
}

Test(run, memory_is_limited)
{
    struct run r;
    struct run_spec spec = sh("ulimit -d");

    spec.memory_mib = 64;
    run_it(&r, &spec);
    cr_expect_str_eq(buf_text(&r.out.head), "65536\n");
    run_fini(&r);
}

Test(run, commands_are_looked_up_as_exec_does)
{
    char *path = run_resolve("sh", "/");

    cr_assert(path != NULL && path[0] == '/' && strcmp(strrchr(path, '/'), "/sh") == 0);
    free(path);
    cr_expect(run_resolve("no-such-program", "/") == NULL && errno == ENOENT);
    cr_expect(run_resolve("", "/") == NULL && errno == ENOENT);
    cr_expect(run_resolve("/etc/passwd", "/") == NULL && errno == EACCES);
    cr_expect(run_resolve("/tmp", "/") == NULL && errno == EACCES);
    path = run_resolve("bin/sh", "/");
    cr_assert_str_eq(path, "//bin/sh");
    free(path);
}
