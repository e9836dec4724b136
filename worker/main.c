#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "worker/loop.h"
#include "worker/supervise.h"
#include "worker/worker.h"

/* standard_fds - 0, 1 and 2 are open from here on, so that no pipe becomes one of them. */
static void standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

int worker_main(const struct worker_options *opt)
{
    standard_fds();
    signal(SIGCHLD, SIG_DFL);
    if (opt->inner) {
        log_open("worker", opt->log_level, opt->log_path);
        return worker_run(opt);
    }
    log_open("supervisor", opt->log_level, opt->log_path);
    char **argv = worker_inner_argv(opt);
    int status = supervise("/proc/self/exe", argv, opt->lifeline_fd);
    free(argv);
    return status;
}

enum { INNER_ARGS_MAX = 40 };

struct args {
    char **argv;
    size_t n, n_max;
    char *text;
};

static void add(struct args *a, const char *arg)
{
    must(a->n + 1 < a->n_max);
    a->argv[a->n++] = a->text;
    a->text = stpcpy(a->text, arg) + 1;
}

static void add_text(struct args *a, const char *option, const char *value)
{
    if (!value)
        return;
    add(a, option);
    add(a, value);
}

static void add_number(struct args *a, const char *option, uint64_t value)
{
    char text[24];

    if (!value)
        return;
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    add_text(a, option, text);
}

static size_t length(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

char **worker_inner_argv(const struct worker_options *opt)
{
    static const char *const levels[] = { "quiet", "error", "info", "debug" };
    size_t n_args = INNER_ARGS_MAX + 2 * opt->n_plugins;
    size_t bytes = n_args * (sizeof(char *) + 24) + length(opt->url) + length(opt->name) +
                   length(opt->dir) + length(opt->log_path) + length(opt->engine) +
                   length(opt->labels) + length(opt->resources);
    for (size_t i = 0; i < opt->n_plugins; i++)
        bytes += length(opt->plugins[i]);
    char **argv = calloc(1, bytes);
    must(argv != NULL);
    struct args a = { .argv = argv, .n_max = n_args, .text = (char *)(argv + n_args) };

    add(&a, "grange");
    add(&a, "worker");
    add(&a, "--inner");
    add_text(&a, "--lifeline-fd", "{lifeline}");
    add_text(&a, "--connect", opt->url);
    add_number(&a, "-j", opt->slots);
    add_text(&a, "--name", opt->name);
    add_text(&a, "--dir", opt->dir);
    add_number(&a, "--memory-mib", opt->memory_mib);
    add_text(&a, "--label", opt->labels);
    add_text(&a, "--resource", opt->resources);
    char end[32];
    snprintf(end, sizeof end, "@%lldms", (long long)opt->end_ms);
    add_text(&a, "--end-time", opt->end_ms ? end : NULL);
    char grace[32];
    snprintf(grace, sizeof grace, "%lldms", (long long)opt->grace_ms);
    add_text(&a, "--grace", grace);
    add_number(&a, "--ready-fd", opt->ready_fd > 0 ? (uint64_t)opt->ready_fd : 0);
    for (size_t i = 0; i < opt->n_plugins; i++)
        add_text(&a, "--plugin", opt->plugins[i]);
    add_text(&a, "--engine", opt->engine);
    add_text(&a, "--log", opt->log_path);
    add_text(&a, "--log-level", levels[opt->log_level & 3]);
    return argv;
}
