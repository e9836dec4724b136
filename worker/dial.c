/* dial - where the scheduler is: at the start, and again when it wrote another connection file
 * while it was away. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/must.h"
#include "worker/loop.h"

enum { LOOK_EVERY_MS = 1000 }; /* at the file, without a connection */

/* as_client - the connection file for clients beside that for workers, when it is of the same farm:
 * then this host was given it, and what runs here may use it. */
static bool as_client(const struct connection *c, char *path, size_t bytes)
{
    struct connection client;
    struct fault ignored;

    if (!c->file || !c->credential.ca)
        return false;
    const char *slash = strrchr(c->file, '/');
    int n = snprintf(path, bytes, "%.*s/client.json", (int)(slash - c->file), c->file);
    if (n < 0 || (size_t)n >= bytes || connection_read(path, CONNECTION_CLIENT, &client, &ignored))
        return false;
    bool same = client.credential.ca && strcmp(client.credential.ca, c->credential.ca) == 0;
    connection_fini(&client);
    return same;
}

/* tell_children - what runs here may submit more work: where, it finds in GRANGE_PARENT. Over TLS
 * that takes a client's connection file: the credentials of a worker are none for clients. */
static void tell_children(const struct connection *c)
{
    char here[PATH_MAX] = "", text[2 * PATH_MAX + 8];
    const char *url = c->urls[0];
    const char *path = url + strlen("ipc://"); /* its socket may not be there yet */

    unsetenv("GRANGE_PARENT");
    if (strncmp(url, "ipc://", 6) == 0 && (*path == '/' || getcwd(here, sizeof here))) {
        snprintf(text, sizeof text, "ipc://%s%s%s", here, *here ? "/" : "", path);
        setenv("GRANGE_PARENT", text, 1);
    } else if (strncmp(url, "tcp://", 6) == 0) {
        setenv("GRANGE_PARENT", url, 1);
    } else if (as_client(c, text, sizeof text)) {
        setenv("GRANGE_PARENT", text, 1);
    }
}

static void note_stale(struct worker *w, const struct connection *c)
{
    char text[CONNECTION_STALE_MAX];

    connection_stale(c, CONNECTION_WORKER, text, sizeof text);
    free(w->stale);
    w->stale = strdup(text);
    must(w->stale != NULL);
}

static enum err dial(struct worker *w, struct link *link, struct fault *f)
{
    struct connection c;
    enum err err = connection_find(w->opt->url, CONNECTION_WORKER, &c, f);
    struct link_credentials with = { c.credential.ca, c.credential.cert, c.credential.key };

    if (err)
        return err;
    for (unsigned i = 0; i < c.n_urls && !err; i++)
        err = link_dial(link, c.urls[i], &with, f);
    tell_children(&c);
    place_dialled(w, &c);
    note_stale(w, &c);
    if (c.file)
        snprintf(w->file, sizeof w->file, "%s", c.file);
    w->file_mark = c.mark;
    connection_fini(&c);
    return err;
}

enum err dial_open(struct worker *w, struct fault *f)
{
    w->link = link_new();
    return dial(w, w->link, f);
}

bool dial_again(struct worker *w)
{
    struct fault f;

    if (w->peer.n || !w->file[0] || w->now < w->look_at)
        return false;
    w->look_at = w->now + LOOK_EVERY_MS;
    uint64_t mark = connection_mark(w->file);
    if (!mark || mark == w->file_mark)
        return false;
    struct link *link = link_new();
    if (dial(w, link, &f)) {
        log_error("event=connection_file text=\"%s\"", f.text);
        w->file_mark = mark; /* that one will not become better */
        link_free(link);
        return false;
    }
    log_info("event=connection_file path=\"%s\"", w->file);
    link_free(w->link);
    w->link = link;
    return true;
}

ms_t dial_due(const struct worker *w)
{
    return w->peer.n || !w->file[0] ? MS_NEVER : w->look_at;
}
