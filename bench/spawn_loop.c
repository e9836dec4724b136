/* spawn_loop N IN_FLIGHT PROGRAM - the least that running a program N times with its output
 * captured can cost: posix_spawn, two pipes, epoll, waitpid, and nothing else. Prints runs a
 * second. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"

enum { IN_FLIGHT_MAX = 256 };

extern char **environ;

struct child {
    pid_t pid;
    int fds[2];
    int open;
};

static int epoll_fd;
static struct child children[IN_FLIGHT_MAX];

static void start(unsigned slot, const char *program)
{
    struct child *c = &children[slot];
    int pipes[2][2];
    posix_spawn_file_actions_t actions;
    char *argv[] = { (char *)(size_t)program, NULL };

    must(posix_spawn_file_actions_init(&actions) == 0);
    must(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) == 0);
    for (int k = 0; k < 2; k++) {
        must(pipe2(pipes[k], O_CLOEXEC) == 0);
        must(posix_spawn_file_actions_adddup2(&actions, pipes[k][1], k + 1) == 0);
    }
    must(posix_spawnp(&c->pid, program, &actions, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    for (int k = 0; k < 2; k++) {
        close(pipes[k][1]);
        c->fds[k] = pipes[k][0];
        struct epoll_event ev = { .events = EPOLLIN, .data.u32 = slot * 2 + (unsigned)k };
        must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fds[k], &ev) == 0);
    }
    c->open = 2;
}

/* Reads what is there; true when both streams have ended and the child was waited for. */
static int drain(struct child *c, int k)
{
    char text[65536];
    ssize_t n = read(c->fds[k], text, sizeof text);

    if (n > 0 || (n < 0 && errno == EINTR))
        return 0;
    /* A child that has just been spawned may still hold a duplicate of the pipe, so closing alone
     * would leave the item in the epoll set. */
    must(epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fds[k], NULL) == 0);
    close(c->fds[k]);
    if (--c->open)
        return 0;
    int status;
    must(waitpid(c->pid, &status, 0) == c->pid);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: spawn_loop N IN_FLIGHT PROGRAM\n");
        return 2;
    }
    long n = atol(argv[1]), started = 0, ended = 0, in_flight = atol(argv[2]);
    must(n > 0 && in_flight > 0 && in_flight <= IN_FLIGHT_MAX);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    uint64_t begin = clock_mono_us();

    for (; started < in_flight && started < n; started++)
        start((unsigned)started, argv[3]);
    while (ended < n) {
        struct epoll_event events[64];
        int got = epoll_wait(epoll_fd, events, 64, -1);
        for (int i = 0; i < got; i++) {
            unsigned slot = events[i].data.u32 / 2;
            if (!drain(&children[slot], (int)(events[i].data.u32 % 2)))
                continue;
            ended++;
            if (started < n) {
                start(slot, argv[3]);
                started++;
            }
        }
    }
    printf("%.1f\n", (double)n * 1e6 / (double)(clock_mono_us() - begin));
    return 0;
}
