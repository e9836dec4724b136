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

static bool is_tls(const char *url)
{
    return strncmp(url, "tls+tcp://", 10) == 0;
}

static enum err place_init(struct place *p, const char *url, struct fault *f)
{
    *p = (struct place){ .dir_fd = -1 };
    if (strncmp(url, "ipc://", 6) == 0 && url[6] != '\0') {
        if (strlen(url + 6) > SUN_PATH_MAX)
            return place_long(p, url + 6, f);
    } else if (strncmp(url, "tcp://", 6) != 0 && !is_tls(url)) {
        return fault_set(f, ERR_USAGE,
                         "'%s' is not an address; expected ipc://PATH, tcp://HOST:PORT or "
                         "tls+tcp://HOST:PORT",
                         url);
    }
    p->url = duplicate(url);
    return ERR_NONE;
}

/* ---- every SWEEP_MS */

static void swept(void *arg)
{
    struct link *l = arg;

    if (nng_aio_result(l->sweep) != 0)
        return;
    peer_sweep(l);
    nng_sleep_aio(SWEEP_MS, l->sweep);
}

static void start_sweep(struct link *l)
{
    if (l->sweep)
        return;
    must(nng_aio_alloc(&l->sweep, swept, l) == 0);
    nng_sleep_aio(SWEEP_MS, l->sweep);
}

/* ---- listening */

static void accepted(void *arg)
{
    struct listener *at = arg;
    int rv = nng_aio_result(at->accept);

    if (rv == 0)
        peer_new(at->link, nng_aio_get_output(at->accept, 0), at, at->tls != NULL);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
        return;
    if (rv == NNG_ENOFILES)
        greet_drop_oldest(at->link);
    if (rv == 0 || rv == NNG_ECONNABORTED)
        nng_stream_listener_accept(at->stream, at->accept);
    else
        nng_sleep_aio(ACCEPT_RETRY_MS, at->retry);
}

static void accept_again(void *arg)
{
    struct listener *at = arg;

    if (nng_aio_result(at->retry) == 0)
        nng_stream_listener_accept(at->stream, at->accept);
}

static void name_bound(struct listener *at, const char *url)
{
    int port = 0;
    const char *host = strstr(url, "//") + 2, *colon = strrchr(host, ':');

    if (strncmp(url, "ipc:", 4) == 0 ||
        nng_stream_listener_get_int(at->stream, NNG_OPT_TCP_BOUND_PORT, &port) != 0) {
        at->url = duplicate(url);
        return;
    }
    if (colon && strchr(colon, ']')) /* an IPv6 address without a port */
        colon = NULL;
    int n = colon ? (int)(colon - url) : (int)strlen(url);
    must(asprintf(&at->url, "%.*s:%d", n, url, port) > 0);
}

static void listener_fini(struct listener *at)
{
    nng_aio_free(at->retry);
    nng_aio_free(at->accept);
    nng_stream_listener_free(at->stream);
    tls_config_free(at->tls);
    place_fini(&at->place);
    free(at->url);
    *at = (struct listener){ .place.dir_fd = -1 };
}

static int listener_open(struct listener *at, const char *url)
{
    int rv = nng_stream_listener_alloc(&at->stream, at->place.url);

    if (rv == 0 && strncmp(url, "ipc:", 4) == 0) /* before it listens: nobody can have connected */
        rv = nng_stream_listener_set_int(at->stream, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (rv == 0 && at->tls)
        rv = nng_stream_listener_set_ptr(at->stream, NNG_OPT_TLS_CONFIG, at->tls);
    return rv ? rv : nng_stream_listener_listen(at->stream);
}

enum err link_listen(struct link *l, const char *url, unsigned roles,
                     const struct link_credentials *credentials, struct fault *f)
{
    if (l->n_listeners == LISTENERS_MAX)
        return fault_set(f, ERR_LIMIT, "more than %d addresses to listen at", (int)LISTENERS_MAX);
    struct listener *at = &l->listeners[l->n_listeners];
    *at = (struct listener){ .link = l, .roles = roles };
    enum err err = place_init(&at->place, url, f);
    if (!err && is_tls(url))
        err = tls_config(credentials, true, &at->tls, url, f);
    int rv = err ? 0 : listener_open(at, url);
    if (rv)
        err = fault_set(f, from_nng(rv), "cannot listen at %s: %s", url, nng_strerror(rv));
    if (err) {
        listener_fini(at);
        return err;
    }
    l->n_listeners++;
    name_bound(at, url);
    must(nng_aio_alloc(&at->accept, accepted, at) == 0);
    must(nng_aio_alloc(&at->retry, accept_again, at) == 0);
    start_sweep(l);
    nng_stream_listener_accept(at->stream, at->accept);
    return ERR_NONE;
}

const char *link_url(const struct link *l, size_t i)
{
    return i < l->n_listeners ? l->listeners[i].url : "";
}

/* ---- dialling */

static void dial_now(struct link *l)
{
    pthread_mutex_lock(&l->lock);
    struct target *to = &l->targets[l->target];
    pthread_mutex_unlock(&l->lock);
    reopen(&to->place);
    nng_stream_dialer_dial(to->stream, l->dial);
}

void link_redial(struct link *l, bool at_once)
{
    int wait_ms = 0;

    pthread_mutex_lock(&l->lock);
    bool stopping = l->stopping;
    if (at_once)
        l->redial_ms = 0;
    else
        l->target = (l->target + 1) % l->n_targets;
    if (l->target == 0 || at_once) { /* once round */
        wait_ms = l->redial_ms;
        int next_ms = wait_ms ? 2 * wait_ms : REDIAL_MIN_MS;
        l->redial_ms = next_ms < REDIAL_MAX_MS ? next_ms : REDIAL_MAX_MS;
    }
    pthread_mutex_unlock(&l->lock);
    if (stopping)
        return;
    if (wait_ms == 0)
        dial_now(l);
    else
        nng_sleep_aio(wait_ms, l->redial);
}

/* note - lock held. */
static void note(struct link *l, const char *what)
{
    snprintf(l->trouble, sizeof l->trouble, "%s: %s", l->targets[l->target].url, what);
}

void link_note_trouble(struct link *l, enum err reason)
{
    if (reason == ERR_PERMISSION)
        note(l, "one side does not accept the other's certificate");
    else if (reason != ERR_NONE)
        note(l, strncmp(l->targets[l->target].url, "tcp://", 6) == 0
                    ? "it closed the connection at once; is it tls+tcp:// there?"
                : l->targets[l->target].tls
                    ? "it closed the connection at once; is it tcp:// there?"
                    : "it closed the connection at once");
}

void link_trouble(struct link *l, char *text, size_t size)
{
    pthread_mutex_lock(&l->lock);
    snprintf(text, size, "%s", l->trouble);
    pthread_mutex_unlock(&l->lock);
}

static void dialled(void *arg)
{
    struct link *l = arg;
    int rv = nng_aio_result(l->dial);

    pthread_mutex_lock(&l->lock);
    bool tls = l->targets[l->target].tls != NULL;
    if (rv)
        note(l, rv == NNG_ENOENT ? "nobody listens there" : nng_strerror(rv));
    pthread_mutex_unlock(&l->lock);
    if (rv)
        link_redial(l, false);
    else
        peer_new(l, nng_aio_get_output(l->dial, 0), NULL, tls);
}

static void dial_again(void *arg)
{
    struct link *l = arg;

    if (nng_aio_result(l->redial) == 0)
        dial_now(l);
}

static void target_fini(struct target *to)
{
    nng_stream_dialer_free(to->stream);
    tls_config_free(to->tls);
    place_fini(&to->place);
    free(to->url);
    *to = (struct target){ .place.dir_fd = -1 };
}

static enum err target_init(struct target *to, const char *url,
                            const struct link_credentials *credentials, struct fault *f)
{
    *to = (struct target){ 0 };
    enum err err = place_init(&to->place, url, f);
    if (!err && is_tls(url))
        err = tls_config(credentials, false, &to->tls, url, f);
    int rv = err ? 0 : nng_stream_dialer_alloc(&to->stream, to->place.url);
    if (!err && !rv && to->tls)
        rv = nng_stream_dialer_set_ptr(to->stream, NNG_OPT_TLS_CONFIG, to->tls);
    if (rv)
        err = fault_set(f, from_nng(rv), "cannot dial %s: %s", url, nng_strerror(rv));
    if (err)
        target_fini(to);
    else
        to->url = duplicate(url);
    return err;
}

enum err link_dial(struct link *l, const char *url, const struct link_credentials *credentials,
                   struct fault *f)
{
    struct target to;

    if (l->n_targets == TARGETS_MAX)
        return fault_set(f, ERR_LIMIT, "more than %d addresses of one scheduler", (int)TARGETS_MAX);
    enum err err = target_init(&to, url, credentials, f);
    if (err)
        return err;
    pthread_mutex_lock(&l->lock);
    l->targets[l->n_targets++] = to;
    bool first = l->n_targets == 1;
    pthread_mutex_unlock(&l->lock);
    if (!first)
        return ERR_NONE;
    must(nng_aio_alloc(&l->dial, dialled, l) == 0);
    must(nng_aio_alloc(&l->redial, dial_again, l) == 0);
    nng_aio_set_timeout(l->dial, DIAL_TIMEOUT_MS);
    start_sweep(l);
    link_redial(l, true);
    return ERR_NONE;
}

/* ---- the end */

void link_stop_places(struct link *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->n_listeners; i++) {
        nng_stream_listener_close(l->listeners[i].stream); /* removes the socket file */
        nng_aio_stop(l->listeners[i].retry);
        nng_aio_stop(l->listeners[i].accept);
    }
    for (size_t i = 0; i < l->n_targets; i++)
        nng_stream_dialer_close(l->targets[i].stream);
    nng_aio_stop(l->redial);
    nng_aio_stop(l->dial);
    nng_aio_stop(l->sweep);
}

void link_free_places(struct link *l)
{
    for (size_t i = 0; i < l->n_listeners; i++)
        listener_fini(&l->listeners[i]);
    for (size_t i = 0; i < l->n_targets; i++)
        target_fini(&l->targets[i]);
    nng_aio_free(l->redial);
    nng_aio_free(l->dial);
    nng_aio_free(l->sweep);
}
