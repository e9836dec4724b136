#include "farm/certs.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/names.h"
#include "farm/secret.h"

enum {
    PEM_BYTES_MAX = 4096, /* a certificate of ours has some 800 */
    SERIAL_BYTES = 16,
    DAY_S = 86400,
};

/* maker - what all certificates of one making have in common. */
struct maker {
    char from[16], until[16]; /* "20260101000000", UTC */
    struct fault *f;
};

/* authority - signs; lives as long as one making. */
struct authority {
    mbedtls_pk_context key;
    char name[64];
    char *pem;
};

static int draw(void *ctx, unsigned char *to, size_t n)
{
    (void)ctx;
    for (size_t at = 0; at < n;) {
        ssize_t got = getrandom(to + at, n - at, 0);
        if (got > 0)
            at += (size_t)got;
        else if (errno != EINTR)
            return -1;
    }
    return 0;
}

static enum err failed(struct fault *f, const char *what, int rv)
{
    char text[128];

    mbedtls_strerror(rv, text, sizeof text);
    return fault_set(f, ERR_IO, "cannot make %s: %s", what, text);
}

static char *duplicate(const char *text)
{
    char *copy = strdup(text);

    must(copy != NULL);
    return copy;
}

void farm_keys_fini(struct farm_keys *k)
{
    credential_fini(&k->for_workers);
    credential_fini(&k->for_clients);
    credential_fini(&k->worker);
    credential_fini(&k->client);
}

/* ---- making */

static enum err make_key(mbedtls_pk_context *key, struct fault *f)
{
    int rv = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

    if (!rv)
        rv = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), draw, NULL);
    return rv ? failed(f, "a key", rv) : ERR_NONE;
}

/* set_usage - what the certificate is good for; of a server also its name. */
static int set_usage(mbedtls_x509write_cert *crt, bool is_ca, bool is_server)
{
    /* ExtKeyUsageSyntax with one purpose; the last byte is 1 for a server, 2 for a client */
    unsigned char purpose[] = { 0x30, 10, 0x06, 8, 0x2b, 6, 1, 5, 5, 7, 3, is_server ? 1 : 2 };
    unsigned char name[64] = { 0x30, 2 + sizeof GRANGE_SERVER_NAME - 1, 0x82,
                               sizeof GRANGE_SERVER_NAME - 1 }; /* GeneralNames: one dNSName */
    int rv = mbedtls_x509write_crt_set_basic_constraints(crt, is_ca, is_ca ? 0 : -1);

    if (!rv)
        rv = mbedtls_x509write_crt_set_key_usage(crt, is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN
                                                            : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    if (rv || is_ca)
        return rv;
    rv = mbedtls_x509write_crt_set_extension(crt, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                             MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0,
                                             purpose, sizeof purpose);
    if (rv || !is_server)
        return rv;
    memcpy(name + 4, GRANGE_SERVER_NAME, sizeof GRANGE_SERVER_NAME - 1);
    return mbedtls_x509write_crt_set_extension(crt, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                               MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                               name, 4 + sizeof GRANGE_SERVER_NAME - 1);
}

static int set_serial(mbedtls_x509write_cert *crt)
{
    unsigned char bytes[SERIAL_BYTES];
    mbedtls_mpi serial;
    int rv = draw(NULL, bytes, sizeof bytes);

    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and never 0 */
    mbedtls_mpi_init(&serial);
    if (!rv)
        rv = mbedtls_mpi_read_binary(&serial, bytes, sizeof bytes);
    if (!rv)
        rv = mbedtls_x509write_crt_set_serial(crt, &serial);
    mbedtls_mpi_free(&serial);
    return rv;
}

/* make_cert - of the key `own`, named `name`, signed by `by`; `by` signs itself when its key is
 * `own`. */
static enum err make_cert(const struct maker *m, mbedtls_pk_context *own, const char *name,
                          struct authority *by, bool is_server, char **pem)
{
    unsigned char text[PEM_BYTES_MAX];
    mbedtls_x509write_cert crt;
    int rv;

    mbedtls_x509write_crt_init(&crt);
    mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&crt, own);
    mbedtls_x509write_crt_set_issuer_key(&crt, &by->key);
    rv = mbedtls_x509write_crt_set_subject_name(&crt, name);
    if (!rv)
        rv = mbedtls_x509write_crt_set_issuer_name(&crt, by->name);
    if (!rv)
        rv = mbedtls_x509write_crt_set_validity(&crt, m->from, m->until);
    if (!rv)
        rv = set_serial(&crt);
    if (!rv)
        rv = mbedtls_x509write_crt_set_subject_key_identifier(&crt);
    if (!rv)
        rv = mbedtls_x509write_crt_set_authority_key_identifier(&crt);
    if (!rv)
        rv = set_usage(&crt, own == &by->key, is_server);
    if (!rv)
        rv = mbedtls_x509write_crt_pem(&crt, text, sizeof text, draw, NULL);
    mbedtls_x509write_crt_free(&crt);
    if (rv)
        return failed(m->f, "a certificate", rv);
    *pem = duplicate((const char *)text);
    return ERR_NONE;
}

static void authority_fini(struct authority *a)
{
    mbedtls_pk_free(&a->key);
    free(a->pem);
}

static enum err authority_init(const struct maker *m, struct authority *a, const char *of)
{
    *a = (struct authority){ 0 };
    mbedtls_pk_init(&a->key);
    snprintf(a->name, sizeof a->name, "CN=grange authority for %s", of);
    enum err err = make_key(&a->key, m->f);
    return err ? err : make_cert(m, &a->key, a->name, a, false, &a->pem);
}

/* make_pair - a new key and its certificate, signed by a. */
static enum err make_pair(const struct maker *m, struct authority *a, const char *name,
                          bool is_server, char **cert, char **key_pem)
{
    unsigned char text[PEM_BYTES_MAX];
    mbedtls_pk_context key;
    enum err err;
    int rv;

    mbedtls_pk_init(&key);
    err = make_key(&key, m->f);
    if (!err)
        err = make_cert(m, &key, name, a, is_server, cert);
    if (!err && (rv = mbedtls_pk_write_key_pem(&key, text, sizeof text)))
        err = failed(m->f, "a key", rv);
    if (!err)
        *key_pem = duplicate((const char *)text);
    explicit_bzero(text, sizeof text);
    mbedtls_pk_free(&key);
    return err;
}

static void stamp(time_t at, char text[16])
{
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(text, 16, "%Y%m%d%H%M%S", &tm);
}

/* trust - who vouches for the other side, of each of the four. */
static void trust(struct farm_keys *k, const struct authority *scheduler,
                  const struct authority *workers, const struct authority *clients)
{
    k->for_workers.ca = duplicate(workers->pem);
    k->for_clients.ca = duplicate(clients->pem);
    k->worker.ca = duplicate(scheduler->pem);
    k->client.ca = duplicate(scheduler->pem);
    k->for_clients.cert = duplicate(k->for_workers.cert);
    k->for_clients.key = duplicate(k->for_workers.key);
}

enum err certs_make(struct farm_keys *k, ms_t now_ms, struct fault *f)
{
    struct authority scheduler, workers, clients;
    struct maker m = { .f = f };
    time_t now = now_ms / 1000;
    enum err err;

    *k = (struct farm_keys){ 0 };
    stamp(now - DAY_S, m.from);
    stamp(now + (time_t)CERTS_YEARS * 365 * DAY_S, m.until);
    err = authority_init(&m, &scheduler, "schedulers");
    enum err err_workers = authority_init(&m, &workers, "workers");
    enum err err_clients = authority_init(&m, &clients, "clients");
    err = err ? err : err_workers ? err_workers : err_clients;
    if (!err)
        err = make_pair(&m, &scheduler, "CN=" GRANGE_SERVER_NAME, true, &k->for_workers.cert,
                        &k->for_workers.key);
    if (!err)
        err = make_pair(&m, &workers, "CN=worker.grange", false, &k->worker.cert, &k->worker.key);
    if (!err)
        err = make_pair(&m, &clients, "CN=client.grange", false, &k->client.cert, &k->client.key);
    if (!err)
        trust(k, &scheduler, &workers, &clients);
    else
        farm_keys_fini(k);
    authority_fini(&scheduler);
    authority_fini(&workers);
    authority_fini(&clients);
    return err;
}

/* ---- keys.json */

struct part {
    const char *name;
    size_t at; /* of the credential in struct farm_keys */
};
static const struct part parts[] = {
    { "for_workers", offsetof(struct farm_keys, for_workers) },
    { "for_clients", offsetof(struct farm_keys, for_clients) },
    { "worker", offsetof(struct farm_keys, worker) },
    { "client", offsetof(struct farm_keys, client) },
};
enum { N_PARTS = sizeof parts / sizeof *parts };

static struct credential *part_of(struct farm_keys *k, size_t i)
{
    return (struct credential *)((char *)k + parts[i].at);
}

static enum err keys_write(const char *path, struct farm_keys *k, struct fault *f)
{
    json_t *root = json_object();

    must(root != NULL);
    for (size_t i = 0; i < N_PARTS; i++) {
        const struct credential *c = part_of(k, i);
        json_object_set_new(
            root, parts[i].name,
            json_pack("{s:s, s:s, s:s}", "ca", c->ca, "cert", c->cert, "key", c->key));
    }
    char *text = json_dumps(root, JSON_INDENT(2));
    must(text != NULL);
    enum err err = secret_write(path, text, strlen(text), f);
    explicit_bzero(text, strlen(text));
    free(text);
    json_decref(root);
    return err;
}

static enum err keys_read(const char *path, struct farm_keys *k, struct fault *f)
{
    struct buf text = { 0 };
    enum err err = secret_read(path, &text, f);
    json_t *root = err ? NULL : json_loadb(buf_text(&text), text.n, 0, NULL);

    for (size_t i = 0; !err && i < N_PARTS; i++) {
        struct credential *c = part_of(k, i);
        const char *ca, *cert, *key;
        if (json_unpack(json_object_get(root, parts[i].name), "{s:s, s:s, s:s}", "ca", &ca, "cert",
                        &cert, "key", &key))
            err = fault_set(f, ERR_DAMAGED,
                            "%s: field '%s' is missing or not whole; remove the file and new keys "
                            "are made, with new connection files",
                            path, parts[i].name);
        else
            *c = (struct credential){ duplicate(ca), duplicate(cert), duplicate(key) };
    }
    json_decref(root);
    if (text.data)
        explicit_bzero(text.data, text.n);
    buf_fini(&text);
    return err;
}

enum err certs_open(const char *dir, struct farm_keys *k, struct fault *f)
{
    char path[PATH_MAX];
    struct timespec now;

    *k = (struct farm_keys){ 0 };
    snprintf(path, sizeof path, "%s/keys.json", dir);
    enum err err = keys_read(path, k, f);
    if (err == ERR_NOT_FOUND) {
        clock_gettime(CLOCK_REALTIME, &now);
        err = certs_make(k, (ms_t)now.tv_sec * 1000, f);
        if (!err)
            err = keys_write(path, k, f);
    }
    if (err)
        farm_keys_fini(k);
    return err;
}
