/* link_places - where connections come from: listening, dialling and dialling again. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/must.h"
#include "proto/link_inner.h"

/* "/proc/self/fd/2147483647/" and the zero byte leave this much of sun_path's 108 bytes. */
enum {
    SUN_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1,
    SOCKET_NAME_MAX = SUN_PATH_MAX - 25
};

static enum err from_nng(int rv)
{
    switch (rv) {
    case NNG_EADDRINUSE:
        return ERR_BUSY;
    case NNG_EPERM:
        return ERR_PERMISSION;
    case NNG_ENOENT:
        return ERR_NOT_FOUND;
    case NNG_EINVAL:
    case NNG_EADDRINVAL:
    case NNG_ENOTSUP:
        return ERR_USAGE;
    default:
        return ERR_IO;
    }
}

/* ---- addresses */

static void place_fini(struct place *p)
{
    free(p->url);
    free(p->dir);
    if (p->dir_fd >= 0)
        close(p->dir_fd);
    *p = (struct place){ .dir_fd = -1 };
}

static char *duplicate(const char *text)
{
    char *copy = strdup(text);

    must(copy != NULL);
    return copy;
}

/* reopen - the directory may have been removed and made again; its descriptor keeps its number. */
static void reopen(struct place *p)
{
    if (!p->dir)
        return;
    int fd = open(p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return; /* not there yet: the dial fails and is tried again */
    must(dup3(fd, p->dir_fd, O_CLOEXEC) == p->dir_fd);
    close(fd);
}

static enum err place_long(struct place *p, const char *path, struct fault *f)
{
    char *copy = duplicate(path), *copy_too = duplicate(path), *url = NULL;
    const char *name = basename(copy);
    enum err err = ERR_NONE;

    if (strlen(name) > SOCKET_NAME_MAX) {
        err = fault_set(f, ERR_LIMIT, "the socket name '%s' is longer than %d bytes", name,
                        (int)SOCKET_NAME_MAX);
    } else {
        p->dir = duplicate(dirname(copy_too));
        p->dir_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        must(p->dir_fd >= 0);
        reopen(p);
        must(asprintf(&url, "ipc:///proc/self/fd/%d/%s", p->dir_fd, name) > 0);
        p->url = url;
    }
    free(copy);
    free(copy_too);
    return err;
}

static enum err place_init(struct place *p, const char *url, struct fault *f)
{
    if (strncmp(url, "ipc://", 6) == 0 && url[6] != '\0') {
        if (strlen(url + 6) > SUN_PATH_MAX)
            return place_long(p, url + 6, f);
    } else if (strncmp(url, "tcp://", 6) != 0) {
        return fault_set(f, ERR_USAGE,
                         "'%s' is not an address; expected ipc://PATH or tcp://HOST:PORT", url);
    }
    p->url = duplicate(url);
    return ERR_NONE;
}

/* ---- listening */

static void accepted(void *arg)
{
    struct link *l = arg;
    int rv = nng_aio_result(l->accept);

    if (rv == 0)
        peer_new(l, nng_aio_get_output(l->accept, 0), false);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
        return;
    if (rv == 0)
        nng_stream_listener_accept(l->listener, l->accept);
    else
        nng_sleep_aio(ACCEPT_RETRY_MS, l->accept_retry);
}

static void accept_again(void *arg)
{
    struct link *l = arg;

    if (nng_aio_result(l->accept_retry) == 0)
        nng_stream_listener_accept(l->listener, l->accept);
}

static void name_bound(struct link *l, const char *url)
{
    int port = 0;

    if (strncmp(url, "tcp://", 6) != 0 ||
        nng_stream_listener_get_int(l->listener, NNG_OPT_TCP_BOUND_PORT, &port) != 0) {
        l->url = duplicate(url);
        return;
    }
    const char *colon = strrchr(url + 6, ':');
    int host = colon ? (int)(colon - url) : (int)strlen(url);
    must(asprintf(&l->url, "%.*s:%d", host, url, port) > 0);
}

enum err link_listen(struct link *l, const char *url, struct fault *f)
{
    must(l->listener == NULL);
    enum err err = place_init(&l->listen_place, url, f);
    if (err)
        return err;
    int rv = nng_stream_listener_alloc(&l->listener, l->listen_place.url);
    if (rv == 0 && strncmp(url, "ipc:", 4) == 0) /* before it listens: nobody can have connected */
        rv = nng_stream_listener_set_int(l->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (rv == 0)
        rv = nng_stream_listener_listen(l->listener);
    if (rv != 0) {
        nng_stream_listener_free(l->listener);
        l->listener = NULL;
        place_fini(&l->listen_place);
        return fault_set(f, from_nng(rv), "cannot listen at %s: %s", url, nng_strerror(rv));
    }
    name_bound(l, url);
    must(nng_aio_alloc(&l->accept, accepted, l) == 0);
    must(nng_aio_alloc(&l->accept_retry, accept_again, l) == 0);
    nng_stream_listener_accept(l->listener, l->accept);
    return ERR_NONE;
}

const char *link_url(const struct link *l)
{
    return l->url ? l->url : "";
}

/* ---- dialling */

static void dial_now(struct link *l)
{
    reopen(&l->dial_place);
    nng_stream_dialer_dial(l->dialer, l->dial);
}

void link_redial(struct link *l, bool at_once)
{
    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    if (at_once)
        l->redial_ms = 0;
    int wait_ms = l->redial_ms;
    int next_ms = wait_ms ? 2 * wait_ms : REDIAL_MIN_MS;
    l->redial_ms = next_ms < REDIAL_MAX_MS ? next_ms : REDIAL_MAX_MS;
    pthread_mutex_unlock(&l->lock);
    if (stopping)
        return;
    if (wait_ms == 0)
        dial_now(l);
    else
        nng_sleep_aio(wait_ms, l->redial);
}

static void dialled(void *arg)
{
    struct link *l = arg;

    if (nng_aio_result(l->dial) == 0)
        peer_new(l, nng_aio_get_output(l->dial, 0), true);
    else
        link_redial(l, false);
}

static void dial_again(void *arg)
{
    struct link *l = arg;

    if (nng_aio_result(l->redial) == 0)
        dial_now(l);
}

enum err link_dial(struct link *l, const char *url, struct fault *f)
{
    must(l->dialer == NULL);
    enum err err = place_init(&l->dial_place, url, f);
    if (err)
        return err;
    int rv = nng_stream_dialer_alloc(&l->dialer, l->dial_place.url);
    if (rv != 0) {
        l->dialer = NULL;
        place_fini(&l->dial_place);
        return fault_set(f, from_nng(rv), "cannot dial %s: %s", url, nng_strerror(rv));
    }
    must(nng_aio_alloc(&l->dial, dialled, l) == 0);
    must(nng_aio_alloc(&l->redial, dial_again, l) == 0);
    nng_aio_set_timeout(l->dial, DIAL_TIMEOUT_MS);
    link_redial(l, true);
    return ERR_NONE;
}

/* ---- the end */

void link_stop_places(struct link *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_mutex_unlock(&l->lock);
    if (l->listener) {
        nng_stream_listener_close(l->listener); /* removes the socket file */
        nng_aio_stop(l->accept_retry);
        nng_aio_stop(l->accept);
    }
    if (l->dialer) {
        nng_stream_dialer_close(l->dialer);
        nng_aio_stop(l->redial);
        nng_aio_stop(l->dial);
    }
}

void link_free_places(struct link *l)
{
    if (l->listener) {
        nng_aio_free(l->accept_retry);
        nng_aio_free(l->accept);
        nng_stream_listener_free(l->listener);
    }
    if (l->dialer) {
        nng_aio_free(l->redial);
        nng_aio_free(l->dial);
        nng_stream_dialer_free(l->dialer);
    }
    place_fini(&l->listen_place);
    place_fini(&l->dial_place);
}
