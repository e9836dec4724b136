/* nth - a library for LD_PRELOAD: where the machine has no more of something, which a test cannot
 * bring about by real means. GRANGE_FAULT="fork:2" lets the second fork of each process fail. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool fails(const char *name, unsigned *n)
{
    const char *which = getenv("GRANGE_FAULT");
    size_t length = strlen(name);

    ++*n;
    return which && strncmp(which, name, length) == 0 && which[length] == ':' &&
           strtoul(which + length + 1, NULL, 10) == *n;
}

/* The real one; a data pointer becomes a function pointer by its bytes. */
static void find(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

pid_t fork(void)
{
    static unsigned n;
    static pid_t (*real)(void);

    if (!real)
        find("fork", &real);
    if (!fails("fork", &n))
        return real();
    errno = EAGAIN;
    return -1;
}

int pipe2(int fd[2], int flags)
{
    static unsigned n;
    static int (*real)(int[2], int);

    if (!real)
        find("pipe2", &real);
    if (!fails("pipe2", &n))
        return real(fd, flags);
    errno = EMFILE;
    return -1;
}

FILE *popen(const char *command, const char *mode)
{
    static unsigned n;
    static FILE *(*real)(const char *, const char *);

    if (!real)
        find("popen", &real);
    if (!fails("popen", &n))
        return real(command, mode);
    errno = ENOMEM;
    return NULL;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
                const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    static unsigned n;
    static int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                       const posix_spawnattr_t *, char *const[], char *const[]);

    if (!real)
        find("posix_spawn", &real);
    return fails("posix_spawn", &n) ? EAGAIN : real(pid, path, files, attr, argv, envp);
}

ssize_t pread(int fd, void *data, size_t bytes, off_t at)
{
    static unsigned n;
    static ssize_t (*real)(int, void *, size_t, off_t);

    if (!real)
        find("pread", &real);
    if (!fails("pread", &n))
        return real(fd, data, bytes, at);
    errno = EIO;
    return -1;
}
