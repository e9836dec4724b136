#ifndef GRANGE_FARM_CERTS_H
#define GRANGE_FARM_CERTS_H
/* certs - the private authorities of a farm and what they sign; the only user of mbed TLS.
 *
 * Three authorities, each with one certificate below it: the scheduler's, the workers' and the
 * clients'. A listener for workers trusts the second only, one for clients the third only, and both
 * roles trust the first only. So no certificate serves for anything but its role, whatever its
 * fields say. The authorities' own keys are thrown away once they have signed: nobody can make a
 * fourth certificate. New credentials are made by removing DIR/keys.json.
 *
 * Keys are EC P-256, serials are random, certificates are good for CERTS_YEARS. The scheduler's
 * is for the name GRANGE_SERVER_NAME, whatever the host is called: whoever dials asks for that. */

#include "base/err.h"
#include "base/ids.h"
#include "farm/connection.h"

enum { CERTS_YEARS = 10 };

struct farm_keys {
    struct credential for_workers, for_clients; /* of the scheduler: its listeners */
    struct credential worker, client;           /* for the connection files */
};
void farm_keys_fini(struct farm_keys *k);

/* certs_make - all of it anew, good from a day before now_ms (wall clock), since the clocks of
 * hosts differ, until CERTS_YEARS after it. Some 20 ms. */
enum err certs_make(struct farm_keys *k, ms_t now_ms, struct fault *f);
/* certs_open - those of DIR/keys.json; made and written there (secret.h) when it does not exist.
 * The caller holds DIR/lock. A file that is not right is refused, never replaced. */
enum err certs_open(const char *dir, struct farm_keys *k, struct fault *f);

#endif
