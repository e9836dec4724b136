/* link_tls - what nng's TLS engine is told. */
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#include "base/names.h"
#include "proto/link_inner.h"

enum err tls_config(const struct link_credentials *c, bool listens, struct nng_tls_config **to,
                    const char *url, struct fault *f)
{
    nng_tls_config *config = NULL;
    const char *what = "cannot be used";

    if (!c || !c->ca || !c->cert || !c->key)
        return fault_set(f, ERR_USAGE, "%s needs a certificate, its key and an authority", url);
    int rv = nng_tls_config_alloc(&config, listens ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT);
    if (rv == NNG_ENOTSUP)
        return fault_set(f, ERR_IO, "%s: this libnng was built without TLS", url);
    if (!rv)
        rv = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED);
    if (!rv)
        rv = nng_tls_config_version(config, NNG_TLS_1_2, NNG_TLS_1_2); /* all that the engine has */
    if (!rv && !listens)
        rv = nng_tls_config_server_name(config, GRANGE_SERVER_NAME);
    if (!rv && (rv = nng_tls_config_ca_chain(config, c->ca, NULL)))
        what = "'ca' is no certificate";
    if (!rv && (rv = nng_tls_config_own_cert(config, c->cert, c->key, NULL)))
        what = "'cert' and 'key' are no certificate with its key";
    if (!rv) {
        *to = config;
        return ERR_NONE;
    }
    tls_config_free(config);
    return fault_set(f, ERR_USAGE, "the credentials for %s: %s (%s)", url, what, nng_strerror(rv));
}

void tls_config_free(struct nng_tls_config *config)
{
    if (config)
        nng_tls_config_free(config);
}
