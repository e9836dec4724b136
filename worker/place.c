/* place - where a worker works. Told a directory (--dir), there. Else in two of its own: what may
 * go with it under $TMPDIR, and what points leave in a lasting one (kept.h). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "worker/kept.h"
#include "worker/loop.h"
#include "worker/tree.h"

static int trouble(struct worker *w, const char *what, int err)
{
    fprintf(stderr, "grange: worker: %s: %s\n", what, strerror(err));
    w->exit_code = WORKER_TROUBLE;
    return -1;
}

/* open_given - --dir. */
static int open_given(struct worker *w)
{
    int err = tree_make(w->opt->dir);

    w->scratch = err ? NULL : realpath(w->opt->dir, NULL);
    if (!w->scratch)
        return trouble(w, w->opt->dir, err ? err : errno);
    workplace_init(&w->place, w->scratch, w->host, w->epoll_fd);
    return 0;
}

/* open_own - the lasting one is this worker's alone: two farms may give out the same leases. */
static int open_own(struct worker *w)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME"), *tmp = getenv("TMPDIR");
    char *base, *dir;

    must(asprintf(&w->scratch, "%s/grange-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp") > 0);
    if (!mkdtemp(w->scratch)) {
        free(w->scratch);
        w->scratch = NULL;
        return trouble(w, "cannot make a scratch directory", errno);
    }
    if (state && *state == '/')
        must(asprintf(&base, "%s/grange/kept", state) > 0);
    else if (home && *home == '/')
        must(asprintf(&base, "%s/.local/state/grange/kept", home) > 0);
    else
        must((base = strdup(w->scratch)) != NULL);
    must(asprintf(&dir, "%s/%s-%08x", base, w->name, (unsigned)(w->instance >> 32)) > 0);
    for (char *slash = dir + strlen(base) + 1; (slash = strchr(slash, '/'));)
        *slash = '_';
    workplace_init(&w->place, dir, w->host, w->epoll_fd);
    w->place.own = true;
    if (strcmp(base, w->scratch) != 0) {
        w->kept_fd = kept_open(dir, w->host, w->scratch);
        kept_sweep(base, w->host);
    }
    free(base);
    free(dir);
    return 0;
}

int place_open(struct worker *w)
{
    return w->opt->dir ? open_given(w) : open_own(w);
}

/* is_of - whether a directory is that where the socket is. */
static bool is_of(const char *dir, const char *socket)
{
    char parent[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(socket, '/');

    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - socket) : 1,
             slash ? socket : ".");
    return realpath(parent, real) && strcmp(real, dir) == 0;
}

/* same_farm - whether the scheduler wrote its connection file for workers there: with its
 * authority, or where there is none with the same first address. */
static bool same_farm(const char *dir, const struct connection *c)
{
    char path[PATH_MAX];
    struct connection there;
    struct fault ignored;

    connection_path(dir, CONNECTION_WORKER, path, sizeof path);
    if (connection_read(path, CONNECTION_WORKER, &there, &ignored))
        return false;
    bool same = c->credential.ca
                    ? there.credential.ca && strcmp(there.credential.ca, c->credential.ca) == 0
                    : strcmp(there.urls[0], c->urls[0]) == 0;
    connection_fini(&there);
    return same;
}

void place_dialled(struct worker *w, const struct connection *c)
{
    const char *url = c->urls[0];

    w->place.at_farm = w->opt->dir && (strncmp(url, "ipc://", 6) == 0 ? is_of(w->place.dir, url + 6)
                                                                      : same_farm(w->place.dir, c));
}

static void close_own(struct worker *w)
{
    bool left = !kept_close(w->place.dir);

    if (left)
        fprintf(stderr, "grange: worker: what points left is in %s\n", w->place.dir);
    if (!left || strncmp(w->place.dir, w->scratch, strlen(w->scratch)) != 0)
        tree_delete(w->scratch);
    if (w->kept_fd >= 0)
        close(w->kept_fd);
}

void place_close(struct worker *w)
{
    if (w->place.dir) {
        if (!w->opt->dir)
            close_own(w);
        workplace_fini(&w->place);
    }
    free(w->scratch);
}
