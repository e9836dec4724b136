#include "farm/connection.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "farm/registry.h"
#include "farm/secret.h"

enum { FORMAT = 1 }; /* of connection files */
#define STALE                                                                                      \
    ": %s may be of another farm, or of this one before its keys were made anew; the file that "   \
    "counts is "

const char *connection_role_name(enum connection_role role)
{
    return role == CONNECTION_WORKER ? "worker" : role == CONNECTION_CLIENT ? "client" : "any";
}

void credential_fini(struct credential *c)
{
    free(c->ca);
    free(c->cert);
    if (c->key)
        explicit_bzero(c->key, strlen(c->key));
    free(c->key);
    *c = (struct credential){ 0 };
}

void connection_fini(struct connection *c)
{
    for (unsigned i = 0; i < c->n_urls; i++)
        free(c->urls[i]);
    free(c->farm);
    free(c->host);
    free(c->dir);
    free(c->file);
    credential_fini(&c->credential);
    *c = (struct connection){ 0 };
}

static char *duplicate(const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    must(copy != NULL || text == NULL);
    return copy;
}

enum err connection_add_url(struct connection *c, const char *url, struct fault *f)
{
    if (c->n_urls == CONNECTION_URLS_MAX)
        return fault_set(f, ERR_LIMIT, "more than %d addresses", (int)CONNECTION_URLS_MAX);
    c->urls[c->n_urls++] = duplicate(url);
    return ERR_NONE;
}

void connection_path(const char *dir, enum connection_role role, char *path, unsigned size)
{
    snprintf(path, size, "%s/%s.json", dir, connection_role_name(role));
}

/* ---- reading */

struct reading {
    const char *path;
    const json_t *root;
    struct fault *f;
};

static enum err wrong(const struct reading *r, const char *field, const char *what)
{
    return fault_set(r->f, ERR_MALFORMED, "%s: field '%s': %s", r->path, field, what);
}

/* text_field - a copy of the field, NULL when it is absent. */
static enum err text_field(const struct reading *r, const char *field, char **to)
{
    const json_t *v = json_object_get(r->root, field);

    if (!v)
        return ERR_NONE;
    if (!json_is_string(v) || json_string_length(v) == 0)
        return wrong(r, field, "must be a text that is not empty");
    *to = duplicate(json_string_value(v));
    return ERR_NONE;
}

static bool is_url(const char *text, const char *scheme)
{
    size_t n = strlen(scheme);

    return strncmp(text, scheme, n) == 0 && text[n] != '\0';
}

static bool known_url(const char *text)
{
    return is_url(text, "ipc://") || is_url(text, "tcp://") || is_url(text, "tls+tcp://");
}

static enum err read_urls(const struct reading *r, struct connection *c)
{
    const json_t *list = json_object_get(r->root, "urls"), *v;
    size_t i;
    enum err err = ERR_NONE;

    if (!json_is_array(list) || json_array_size(list) == 0)
        return wrong(r, "urls", "must be a list of addresses");
    if (json_array_size(list) > CONNECTION_URLS_MAX)
        return wrong(r, "urls", "has too many addresses, more than 8");
    json_array_foreach(list, i, v)
    {
        if (!json_is_string(v) || !known_url(json_string_value(v)))
            return wrong(r, "urls",
                         "every address is ipc://PATH, tcp://HOST:PORT or tls+tcp://HOST:PORT");
        if (!err)
            err = connection_add_url(c, json_string_value(v), r->f);
    }
    return err;
}

static enum err read_role(const struct reading *r, enum connection_role want,
                          enum connection_role *role)
{
    const char *text = json_string_value(json_object_get(r->root, "role"));

    *role = text && strcmp(text, "worker") == 0   ? CONNECTION_WORKER
            : text && strcmp(text, "client") == 0 ? CONNECTION_CLIENT
                                                  : CONNECTION_ANY;
    if (*role == CONNECTION_ANY)
        return wrong(r, "role", "must be \"worker\" or \"client\"");
    if (want == CONNECTION_ANY || want == *role)
        return ERR_NONE;
    return fault_set(r->f, ERR_PERMISSION,
                     "%s is the connection file of a %s; a %s needs %s.json, beside it", r->path,
                     connection_role_name(*role), connection_role_name(want),
                     connection_role_name(want));
}

static enum err read_pem(const struct reading *r, const char *field, const char *begin, char **to)
{
    enum err err = text_field(r, field, to);

    if (err)
        return err;
    if (!*to)
        return wrong(r, field, "is missing, and tls+tcp:// needs it");
    return strstr(*to, begin) ? ERR_NONE : wrong(r, field, "is not in PEM format");
}

static enum err read_credential(const struct reading *r, struct connection *c)
{
    bool needed = false;
    enum err err;

    for (unsigned i = 0; i < c->n_urls; i++)
        needed = needed || is_url(c->urls[i], "tls+tcp://");
    if (!needed)
        return ERR_NONE;
    err = read_pem(r, "ca", "-----BEGIN CERTIFICATE-----", &c->credential.ca);
    if (!err)
        err = read_pem(r, "cert", "-----BEGIN CERTIFICATE-----", &c->credential.cert);
    if (!err)
        err = read_pem(r, "key", "PRIVATE KEY-----", &c->credential.key);
    return err;
}

static enum err read_fields(const struct reading *r, enum connection_role want,
                            struct connection *c)
{
    const json_t *format = json_object_get(r->root, "grange");
    enum err err;

    if (!json_is_integer(format))
        return wrong(r, "grange", "is missing: this is no connection file");
    if (json_integer_value(format) != FORMAT)
        return fault_set(r->f, ERR_VERSION,
                         "%s: format %lld, and this program knows %d: upgrade it", r->path,
                         (long long)json_integer_value(format), (int)FORMAT);
    err = read_role(r, want, &c->role);
    if (!err)
        err = text_field(r, "farm", &c->farm);
    if (!err)
        err = text_field(r, "host", &c->host);
    if (!err)
        err = text_field(r, "dir", &c->dir);
    if (!err)
        err = read_urls(r, c);
    return err ? err : read_credential(r, c);
}

enum err connection_read(const char *path, enum connection_role role, struct connection *c,
                         struct fault *f)
{
    struct buf text = { 0 };
    json_error_t error;
    char whole[PATH_MAX];

    *c = (struct connection){ 0 };
    uint64_t mark = connection_mark(path);
    enum err err = secret_read(path, &text, f);
    if (err) {
        buf_fini(&text);
        return err;
    }
    json_t *root = json_loadb(buf_text(&text), text.n, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root))
        err = fault_set(f, ERR_MALFORMED, "%s: line %d: %s", path, root ? 1 : error.line,
                        root ? "a connection file is one JSON object" : error.text);
    else
        err = read_fields(&(struct reading){ path, root, f }, role, c);
    json_decref(root);
    if (text.data)
        explicit_bzero(text.data, text.n);
    buf_fini(&text);
    if (err) {
        connection_fini(c);
        return err;
    }
    c->file = duplicate(realpath(path, whole) ? whole : path);
    c->mark = mark;
    return ERR_NONE;
}

uint64_t connection_mark(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return 0;
    uint64_t of[] = { st.st_ino, (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec,
                      (uint64_t)st.st_size };
    return hash64(of, sizeof of, 0) | 1;
}

/* ---- writing */

static void set_text(json_t *root, const char *field, const char *text)
{
    if (text)
        must(json_object_set_new(root, field, json_string(text)) == 0);
}

enum err connection_write(const char *path, const struct connection *c, struct fault *f)
{
    json_t *root = json_object(), *urls = json_array();

    must(root != NULL && urls != NULL);
    json_object_set_new(root, "grange", json_integer(FORMAT));
    set_text(root, "role", connection_role_name(c->role));
    set_text(root, "farm", c->farm);
    set_text(root, "host", c->host);
    set_text(root, "dir", c->dir);
    for (unsigned i = 0; i < c->n_urls; i++)
        json_array_append_new(urls, json_string(c->urls[i]));
    json_object_set_new(root, "urls", urls);
    set_text(root, "ca", c->credential.ca);
    set_text(root, "cert", c->credential.cert);
    set_text(root, "key", c->credential.key);
    char *text = json_dumps(root, JSON_INDENT(2));
    must(text != NULL); /* our own texts, which are UTF-8 or were refused */
    enum err err = secret_write(path, text, strlen(text), f);
    explicit_bzero(text, strlen(text));
    free(text);
    json_decref(root);
    return err;
}

void connection_stale(const struct connection *c, enum connection_role role, char *text,
                      unsigned size)
{
    const char *name = connection_role_name(role);
    bool here = c->host && strcmp(c->host, farm_host()) == 0;
    char path[PATH_MAX] = "";

    if (c->dir)
        connection_path(c->dir, role, path, sizeof path);
    if (!c->file)
        *text = '\0';
    else if (here && strcmp(path, c->file) == 0)
        snprintf(text, size, ": is another scheduler at that address, or a clock wrong? %s is ours",
                 path);
    else if (c->dir && c->host)
        snprintf(text, size, STALE "%s%s%s", c->file, here ? "" : c->host, here ? "" : ":", path);
    else
        snprintf(text, size, STALE "the %s.json that its scheduler wrote last", c->file, name);
}

/* ---- finding */

static enum err from_url(const char *url, struct connection *c, struct fault *f)
{
    if (is_url(url, "tls+tcp://"))
        return fault_set(f, ERR_USAGE,
                         "%s needs credentials, which an address does not hold: name the "
                         "connection file that the scheduler wrote (worker.json or client.json)",
                         url);
    if (!known_url(url))
        return fault_set(f, ERR_USAGE,
                         "'%s' is not an address; expected ipc://PATH, tcp://HOST:PORT or a "
                         "connection file",
                         url);
    return connection_add_url(c, url, f);
}

static enum err from_dir(const char *dir, struct connection *c, struct fault *f)
{
    char whole[PATH_MAX], url[PATH_MAX + 32];

    c->dir = duplicate(realpath(dir, whole) ? whole : dir);
    c->host = duplicate(farm_host());
    snprintf(url, sizeof url, "ipc://%s/scheduler.sock", c->dir);
    return connection_add_url(c, url, f);
}

static enum err from_name(const char *name, enum connection_role role, struct connection *c,
                          struct fault *f)
{
    char path[PATH_MAX];
    struct farm farm;
    enum err err = registry_find(name, &farm, f);

    if (err)
        return err;
    if (farm.state == FARM_DOWN && !farm.kept)
        return fault_set(f, ERR_NOT_FOUND, "the farm '%s' (%s) is not up", name, farm.dir);
    if (farm.state == FARM_ELSEWHERE) {
        connection_path(farm.dir, role == CONNECTION_ANY ? CONNECTION_CLIENT : role, path,
                        sizeof path);
        return connection_read(path, role, c, f);
    }
    err = from_dir(farm.dir, c, f);
    c->farm = duplicate(farm.name);
    return err;
}

enum err connection_find(const char *what, enum connection_role role, struct connection *c,
                         struct fault *f)
{
    struct stat st;
    enum err err;

    *c = (struct connection){ 0 };
    if (strstr(what, "://"))
        err = from_url(what, c, f);
    else if (stat(what, &st) == 0)
        return S_ISDIR(st.st_mode) ? from_dir(what, c, f) : connection_read(what, role, c, f);
    else if (strchr(what, '/') || (strlen(what) > 5 && strstr(what, ".json")))
        err = fault_set(
            f, ERR_NOT_FOUND,
            "there is no connection file %s; the scheduler's host has it as DIR/%s once it "
            "listens (grange up --listen tls+tcp://HOST:PORT); on that host itself "
            "--dir DIR is enough",
            what, role == CONNECTION_WORKER ? "worker.json" : "client.json");
    else
        err = from_name(what, role, c, f);
    if (err)
        connection_fini(c);
    return err;
}
