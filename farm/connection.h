#ifndef GRANGE_FARM_CONNECTION_H
#define GRANGE_FARM_CONNECTION_H
/* connection - how a farm is reached: its addresses and the credentials for one role.
 *
 * A connection file is JSON, mode 0600 (secret.h); a scheduler that listens writes two into its
 * directory, DIR/worker.json and DIR/client.json, and writes them again at each start. Whoever has
 * one may be what it says, and nothing else:
 *
 *   { "grange": 1, "role": "client", "farm": "lab", "host": "node1", "dir": "/scratch/lab/.grange",
 *     "urls": ["tls+tcp://192.0.2.7:41234"], "ca": PEM, "cert": PEM, "key": PEM }
 *
 * urls are tried in turn until one answers. ca is the authority that vouches for the scheduler,
 * cert and key are ours; all three belong to tls+tcp:// and are absent for ipc:// and tcp://. */

#include <stdint.h>

#include "base/err.h"

enum { CONNECTION_URLS_MAX = 8 };

enum connection_role { CONNECTION_ANY = 0, CONNECTION_CLIENT = 1, CONNECTION_WORKER = 2 };
/* connection_role_name - "worker", "client", "any". */
const char *connection_role_name(enum connection_role role);

/* credential - PEM texts; all NULL where none are needed. */
struct credential {
    char *ca; /* who signs for the other side */
    char *cert, *key;
};
void credential_fini(struct credential *c);

struct connection {
    enum connection_role role; /* ANY: of a bare URL, or of a directory */
    char *farm, *host, *dir;   /* NULL when not known; dir is absolute, on host */
    char *urls[CONNECTION_URLS_MAX];
    unsigned n_urls;
    struct credential credential;
    char *file;    /* that it was read from, absolute; NULL: none */
    uint64_t mark; /* of the file, before it was read */
};
void connection_fini(struct connection *c);
/* connection_add_url - copies; ERR_LIMIT beyond CONNECTION_URLS_MAX. */
enum err connection_add_url(struct connection *c, const char *url, struct fault *f);

/* connection_read - one that is not right is refused with the file and the field named. A file for
 * another role than the one wanted is refused: ANY takes both. *c is zeroed when it fails. */
enum err connection_read(const char *path, enum connection_role role, struct connection *c,
                         struct fault *f);
/* connection_mark - tells one that was written again from the one before; 0: it is not there. */
uint64_t connection_mark(const char *path);
enum err connection_write(const char *path, const struct connection *c, struct fault *f);
/* connection_path - DIR/worker.json or DIR/client.json into `path` of size bytes. */
void connection_path(const char *dir, enum connection_role role, char *path, unsigned size);

/* connection_stale - what to say behind the words of a handshake that failed, when the connection
 * came from a file: that it is of another farm or of one that was made anew, and which file is not.
 * "" when it came from none. */
enum { CONNECTION_STALE_MAX = 2 * 4096 + 400 };
void connection_stale(const struct connection *c, enum connection_role role, char *text,
                      unsigned size);

/* connection_find - what a person named, as it follows from its form:
 *   SCHEME://..     that URL, without credentials
 *   a file          a connection file
 *   a directory     the scheduler of that grange directory, over its socket
 *   NAME            a farm of this user (registry.h), over its socket when it is on this host, else
 *                   by the connection file in its directory
 * tls+tcp:// by its URL alone is refused: it needs a file. ERR_NOT_FOUND names what was tried. */
enum err connection_find(const char *what, enum connection_role role, struct connection *c,
                         struct fault *f);

#endif
