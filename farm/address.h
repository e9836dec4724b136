#ifndef GRANGE_FARM_ADDRESS_H
#define GRANGE_FARM_ADDRESS_H
/* address - where a scheduler listens, as a person types it behind --listen. */

#include "base/err.h"

enum { ADDRESS_HOST_MAX = 256, ADDRESS_URL_MAX = ADDRESS_HOST_MAX + 32 };

enum address_kind { ADDRESS_TLS, ADDRESS_TCP, ADDRESS_IPC };
struct address {
    enum address_kind kind;
    char host[ADDRESS_HOST_MAX]; /* an IPv6 one with its brackets; "" of ipc:// */
    unsigned port;               /* 0: any */
    const char *path;            /* of ipc://, in the URL; else NULL */
};

/* address_parse - "tls+tcp://HOST:PORT", "tcp://HOST:PORT", "ipc://PATH". ERR_USAGE says what is
 * wrong with it; whether there is such a host is not asked. */
enum err address_parse(const char *url, struct address *a, struct fault *f);
/* address_free - ERR_IO when a socket there would take the place of a file or a directory. */
enum err address_free(const struct address *a, struct fault *f);
/* address_explain - why nobody can listen there, after that failed: fills f and returns ERR_IO, or
 * ERR_NONE when it finds nothing wrong. May ask the network for the address of the host. */
enum err address_explain(const struct address *a, struct fault *f);

#endif
