#include "scheduler/listen.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "farm/address.h"
#include "farm/certs.h"
#include "farm/registry.h"
#include "scheduler/loop.h"

enum { FDS_SPARE = 256 };

static const char tls[] = "tls+tcp://", tcp[] = "tcp://";

/* opening - a start in progress. */
struct opening {
    struct scheduler *s;
    struct fault *f;
    struct farm_keys keys;
    bool have_keys;
    struct connection client, worker; /* the files to be written */
};

void listen_room(void)
{
    struct rlimit limit;
    rlim_t want = CONNECTIONS_MAX + FDS_SPARE;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= want)
        return;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* with less it has room for fewer */
}

/* ---- addresses */

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static const char *port_of(const char *url)
{
    return strrchr(url, ':') + 1;
}

static void add_address(struct connection *c, const char *scheme, const struct sockaddr *a,
                        const char *port)
{
    char text[INET6_ADDRSTRLEN], url[ADDRESS_URL_MAX];
    struct fault ignored;

    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        snprintf(url, sizeof url, "%s%s:%s", scheme, text, port);
    } else {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)a;
        if (IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr))
            return;
        inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
        snprintf(url, sizeof url, "%s[%s]:%s", scheme, text, port);
    }
    (void)connection_add_url(c, url, &ignored); /* eight of them are enough */
}

/* add_all - this machine's addresses of a family; loopback's only when there is no other. */
static void add_all(struct connection *c, const char *scheme, int family, const char *port)
{
    struct ifaddrs *all = NULL;
    unsigned before = c->n_urls;

    if (getifaddrs(&all))
        all = NULL;
    for (int loopback = 0; loopback < 2 && c->n_urls == before; loopback++)
        for (struct ifaddrs *i = all; i; i = i->ifa_next)
            if (i->ifa_addr && i->ifa_addr->sa_family == family && (i->ifa_flags & IFF_UP) &&
                !(i->ifa_flags & IFF_LOOPBACK) == !loopback)
                add_address(c, scheme, i->ifa_addr, port);
    freeifaddrs(all);
}

/* publish - into a connection file: where the listener that was bound last is reached. */
static enum err publish(struct opening *o, struct connection *c, const char *bound)
{
    const char *scheme = starts(bound, tls) ? tls : tcp, *host = bound + strlen(scheme);

    if (starts(host, "0.0.0.0:") || starts(host, "*:"))
        add_all(c, scheme, AF_INET, port_of(bound));
    else if (starts(host, "[::]:")) {
        add_all(c, scheme, AF_INET, port_of(bound)); /* which such a socket takes too */
        add_all(c, scheme, AF_INET6, port_of(bound));
    } else
        return connection_add_url(c, bound, o->f);
    return ERR_NONE;
}

/* ---- listening */

static size_t n_bound(const struct scheduler *s)
{
    size_t n = 0;

    while (*link_url(s->link, n))
        n++;
    return n;
}

/* old_port - of this host and role at the last start, or 0. */
static unsigned old_port(const struct scheduler *s, enum connection_role role)
{
    char path[PATH_MAX];
    struct connection c;
    struct fault ignored;
    unsigned port = 0;

    connection_path(s->opt->dir, role, path, sizeof path);
    if (connection_read(path, role, &c, &ignored))
        return 0;
    if (!starts(c.urls[0], "ipc:"))
        port = (unsigned)strtoul(port_of(c.urls[0]), NULL, 10);
    connection_fini(&c);
    return port;
}

/* bind_at - one listener. What is wrong with the address is said in words that help. */
static enum err bind_at(struct opening *o, const struct address *a, const char *url, unsigned roles,
                        const struct link_credentials *with)
{
    enum err err = address_free(a, o->f);

    if (err)
        return err;
    err = link_listen(o->s->link, url, roles, with, o->f);
    if (err == ERR_BUSY) /* which is said of the directory */
        o->f->code = err = ERR_IO;
    return err && address_explain(a, o->f) ? o->f->code : err;
}

static const char *bound_last(const struct opening *o)
{
    return link_url(o->s->link, n_bound(o->s) - 1);
}

/* bind_role - one listener over TLS. Port 0 is that of the last start, if it is free. */
static enum err bind_role(struct opening *o, const struct address *where, unsigned port,
                          enum connection_role role)
{
    const struct credential *c =
        role == CONNECTION_CLIENT ? &o->keys.for_clients : &o->keys.for_workers;
    const struct link_credentials with = { c->ca, c->cert, c->key };
    const unsigned ports[] = { port ? 0 : old_port(o->s, role), port };
    enum err err = ERR_BUSY;

    for (size_t i = 0; i < 2 && err; i++) {
        char url[ADDRESS_URL_MAX];
        struct address at = *where;
        at.port = ports[i];
        if (i == 0 && !ports[i])
            continue;
        snprintf(url, sizeof url, "%s%s:%u", tls, at.host, at.port);
        err = bind_at(o, &at, url, role, &with);
    }
    if (err)
        return err;
    log_info("event=listen url=%s role=%s", bound_last(o), connection_role_name(role));
    return publish(o, role == CONNECTION_CLIENT ? &o->client : &o->worker, bound_last(o));
}

static enum err listen_tls(struct opening *o, const struct address *a)
{
    enum err err = ERR_NONE;

    if (!o->have_keys) {
        err = certs_open(o->s->opt->dir, &o->keys, o->f);
        o->have_keys = !err;
    }
    if (!err)
        err = bind_role(o, a, a->port, CONNECTION_CLIENT);
    if (!err)
        err = bind_role(o, a, a->port ? a->port + 1 : 0, CONNECTION_WORKER);
    return err;
}

/* listen_open - an address where nobody is asked who he is. */
static enum err listen_open(struct opening *o, const struct address *a, const char *url)
{
    enum err err = bind_at(o, a, url, ROLE_CLIENT | ROLE_WORKER, NULL);

    if (err || a->kind == ADDRESS_IPC)
        return err;
    const char *bound = bound_last(o);
    fprintf(stderr,
            "grange: warning: %s is not encrypted and asks nobody who he is: whoever reaches it "
            "can run commands as you. tls+tcp:// does both.\n",
            bound);
    log_error("event=listen url=%s role=any warning=\"not encrypted, not authenticated\"", bound);
    err = publish(o, &o->client, bound);
    return err ? err : publish(o, &o->worker, bound);
}

static enum err listen_at(struct opening *o, const char *url)
{
    struct address a;
    enum err err = address_parse(url, &a, o->f);

    if (err)
        return err;
    return a.kind == ADDRESS_TLS ? listen_tls(o, &a) : listen_open(o, &a, url);
}

/* ---- connection files */

static char *copy(const char *text)
{
    char *c = strdup(text);

    must(c != NULL);
    return c;
}

static enum err write_file(struct opening *o, struct connection *c, enum connection_role role,
                           const struct credential *with)
{
    char path[PATH_MAX], whole[PATH_MAX];
    const char *dir = o->s->opt->dir;

    c->role = role;
    c->host = copy(farm_host());
    c->dir = copy(realpath(dir, whole) ? whole : dir);
    c->farm = o->s->opt->farm ? copy(o->s->opt->farm) : NULL;
    if (with->ca)
        c->credential = (struct credential){ copy(with->ca), copy(with->cert), copy(with->key) };
    connection_path(dir, role, path, sizeof path);
    return connection_write(path, c, o->f);
}

static enum err write_files(struct opening *o)
{
    enum err err = ERR_NONE;

    if (o->client.n_urls)
        err = write_file(o, &o->client, CONNECTION_CLIENT, &o->keys.client);
    if (!err && o->worker.n_urls)
        err = write_file(o, &o->worker, CONNECTION_WORKER, &o->keys.worker);
    return err;
}

enum err listen_start(struct scheduler *s, struct fault *f)
{
    char url[PATH_MAX + 32];
    struct opening o = { .s = s, .f = f };

    listen_room();
    s->link = link_new();
    snprintf(url, sizeof url, "ipc://%s/scheduler.sock", s->opt->dir);
    enum err err = link_listen(s->link, url, ROLE_CLIENT | ROLE_WORKER | PEER_LOCAL, NULL, f);
    for (size_t i = 0; i < s->opt->n_listen && !err; i++)
        err = listen_at(&o, s->opt->listen[i]);
    if (!err)
        err = write_files(&o);
    connection_fini(&o.client);
    connection_fini(&o.worker);
    farm_keys_fini(&o.keys);
    return err;
}
