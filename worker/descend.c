#include "worker/descend.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

static void add(struct descend *d, pid_t pid, pid_t ppid, char state)
{
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 256;
        d->procs = realloc(d->procs, d->cap * sizeof *d->procs);
        must(d->procs != NULL);
    }
    d->procs[d->n++] = (struct descend_proc){ pid, ppid, state, false };
}

/* read_stat - "PID (NAME) STATE PPID ..."; the name may hold anything, so from its last ')'. */
static void read_stat(struct descend *d, int proc, const char *name)
{
    char path[64], text[512];

    snprintf(path, sizeof path, "%.20s/stat", name);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    char *end = strrchr(text, ')');
    char state;
    int ppid;
    if (end && sscanf(end + 1, " %c %d", &state, &ppid) == 2)
        add(d, atoi(name), ppid, state);
}

static int by_pid(const void *a, const void *b)
{
    const struct descend_proc *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* mark - numbers wrap, so a child may have a lower one than its parent: until nothing changes. */
static bool mark(struct descend *d, pid_t self, pid_t except)
{
    bool any = false, changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < d->n; i++) {
            struct descend_proc *p = &d->procs[i];
            if (p->below || p->pid == except)
                continue;
            struct descend_proc key = { .pid = p->ppid };
            struct descend_proc *parent = bsearch(&key, d->procs, d->n, sizeof *d->procs, by_pid);
            if (p->ppid == self || (parent && parent->below))
                p->below = any = changed = true;
        }
    }
    return any;
}

bool descend_scan(struct descend *d, pid_t except)
{
    DIR *dir = opendir("/proc");
    struct dirent *e;

    d->n = 0;
    if (!dir)
        return false;
    while ((e = readdir(dir)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]))
            read_stat(d, dirfd(dir), e->d_name);
    closedir(dir);
    if (d->n)
        qsort(d->procs, d->n, sizeof *d->procs, by_pid);
    return mark(d, getpid(), except);
}

void descend_fini(struct descend *d)
{
    free(d->procs);
    *d = (struct descend){ 0 };
}
