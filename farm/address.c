#include "farm/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORT_MAX = 65535, PORT_ROOT = 1024 };

static const char *const schemes[] = { "tls+tcp://", "tcp://", "ipc://" };

/* ---- as it is typed */

static const char *rest_of(const char *url, enum address_kind kind)
{
    size_t n = strlen(schemes[kind]);

    return strncmp(url, schemes[kind], n) == 0 ? url + n : NULL;
}

static bool is_ipv6(const char *host, size_t n)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr unused;

    if (n < 2 || n - 2 >= sizeof text || host[n - 1] != ']')
        return false;
    snprintf(text, sizeof text, "%.*s", (int)(n - 2), host + 1);
    return inet_pton(AF_INET6, text, &unused) == 1;
}

static bool is_host(const char *host, size_t n)
{
    if (n == 0 || n >= ADDRESS_HOST_MAX)
        return false;
    return host[0] == '[' ? is_ipv6(host, n) : strcspn(host, "[]/:@ \t") >= n;
}

static enum err parse_host(const char *url, const char *at, struct address *a, struct fault *f)
{
    const char *colon = strrchr(at, ':'), *port = colon ? colon + 1 : "";
    size_t n = strspn(port, "0123456789");
    unsigned long number = n && n < 8 ? strtoul(port, NULL, 10) : PORT_MAX + 1;

    if (!colon || n == 0 || port[n] || !is_host(at, (size_t)(colon - at)))
        return fault_set(f, ERR_USAGE,
                         "--listen %s: expected %sHOST:PORT, with an IPv6 host in brackets and "
                         "port 0 for any",
                         url, schemes[a->kind]);
    if (number > PORT_MAX)
        return fault_set(f, ERR_USAGE, "--listen %s: ports are 1 to %d, or 0 for any", url,
                         (int)PORT_MAX);
    if (a->kind == ADDRESS_TLS && number == PORT_MAX)
        return fault_set(f, ERR_USAGE, "--listen %s: the workers' port would be %d", url,
                         PORT_MAX + 1);
    snprintf(a->host, sizeof a->host, "%.*s", (int)(colon - at), at);
    a->port = (unsigned)number;
    return ERR_NONE;
}

enum err address_parse(const char *url, struct address *a, struct fault *f)
{
    const char *at = NULL;

    *a = (struct address){ 0 };
    for (int kind = ADDRESS_TLS; kind <= ADDRESS_IPC && !at; kind++) {
        a->kind = (enum address_kind)kind;
        at = rest_of(url, a->kind);
    }
    if (at && a->kind != ADDRESS_IPC)
        return parse_host(url, at, a, f);
    a->path = at;
    if (at && *at)
        return ERR_NONE;
    return fault_set(f, ERR_USAGE,
                     "--listen %s: expected tls+tcp://HOST:PORT, ipc://PATH or tcp://HOST:PORT",
                     url);
}

/* ---- why it cannot be had */

static enum err say(const struct address *a, struct fault *f, const char *why)
{
    return fault_set(f, ERR_IO, "--listen %s%s:%u: %s", schemes[a->kind], a->host, a->port, why);
}

/* try_bind - 0 or errno. */
static int try_bind(const struct addrinfo *i)
{
    int on = 1, fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, i->ai_protocol);
    int why = fd < 0 ? errno : 0;

    if (!why)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!why && (bind(fd, i->ai_addr, i->ai_addrlen) != 0 || listen(fd, 1) != 0))
        why = errno;
    if (fd >= 0)
        close(fd);
    return why;
}

static enum err say_errno(const struct address *a, int why, struct fault *f)
{
    if (why == EADDRNOTAVAIL)
        return say(a, f, "that is no address of this machine; 0.0.0.0 stands for all that it has");
    if (why == EADDRINUSE)
        return say(a, f,
                   "that port is taken by another program; choose another one, or 0 for any that "
                   "is free");
    if (why == EACCES && a->port < PORT_ROOT)
        return say(a, f, "ports below 1024 are not for everybody; choose a higher one, or 0");
    return say(a, f, strerror(why));
}

static enum err say_path(const struct address *a, struct fault *f, const char *why)
{
    return fault_set(f, ERR_IO, "--listen ipc://%s: %s", a->path, why);
}

static enum err explain_path(const struct address *a, struct fault *f)
{
    char dir[PATH_MAX], text[PATH_MAX + 64];
    struct stat st;
    const char *slash = strrchr(a->path, '/');

    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - a->path) + 1 : 1,
             slash ? a->path : ".");
    if (stat(dir, &st) != 0) {
        snprintf(text, sizeof text, "the directory %s: %s", dir, strerror(errno));
        return say_path(a, f, text);
    }
    return stat(a->path, &st) == 0 ? say_path(a, f, "another program listens there") : ERR_NONE;
}

enum err address_free(const struct address *a, struct fault *f)
{
    struct stat st;

    if (a->kind != ADDRESS_IPC || lstat(a->path, &st) != 0 || S_ISSOCK(st.st_mode))
        return ERR_NONE;
    return say_path(a, f, "there is something else of that name; choose another path");
}

static enum err explain_host(const struct address *a, struct fault *f)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *found = NULL;
    char host[ADDRESS_HOST_MAX], port[16], text[FAULT_TEXT_MAX / 4];
    size_t bracket = a->host[0] == '[';
    int rc, why;

    snprintf(host, sizeof host, "%.*s", (int)(strlen(a->host) - 2 * bracket), a->host + bracket);
    snprintf(port, sizeof port, "%u", a->port);
    rc = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
    if (rc) {
        snprintf(text, sizeof text,
                 "there is no host '%s' (%s); give a name or an address of this machine, or "
                 "0.0.0.0 for all that it has",
                 host, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return say(a, f, text);
    }
    why = try_bind(found);
    freeaddrinfo(found);
    return why ? say_errno(a, why, f) : ERR_NONE;
}

enum err address_explain(const struct address *a, struct fault *f)
{
    return a->kind == ADDRESS_IPC ? explain_path(a, f) : explain_host(a, f);
}
