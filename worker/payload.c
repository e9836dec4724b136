#include "worker/payload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "worker/run.h"

#define uthash_fatal(text) must_fail(__FILE__, __LINE__, text)
#include <uthash.h>

enum {
    ENV_FACTOR_MAX = FACTORS_MAX + 6, /* variables that change from point to point */
    CALL_VARIABLES = 3                /* those of a call */
};

struct environment {
    char **envp; /* first those that change, then those of this process */
    size_t n_vary;
    struct buf text;
    size_t offset[ENV_FACTOR_MAX];
};

struct payload {
    array_id array;
    task_id first;
    uint64_t key[2];     /* of the spec: the same again keeps this one */
    uint64_t used;       /* when, in uses */
    unsigned refs;       /* one is the table's */
    struct study *study; /* NULL: calls */
    struct calls_spec calls;
    char *here; /* where commands of calls run that say nothing else */
    char folder[NAME_BYTES_MAX + 1];
    char *argv0, *path;
    struct environment env;
    UT_hash_handle hh;
};

struct payloads {
    struct payload *by_array; /* in the order they came */
    uint64_t uses;
};

extern char **environ;

/* --- one --- */

static bool ours(const char *variable)
{
    static const char *const names[] = { "GRANGE_STUDY=", "GRANGE_POINT=", "GRANGE_REP=",
                                         "GRANGE_SEED=",  "GRANGE_OUT=",   "GRANGE_ATTEMPT=",
                                         "GRANGE_FACTOR_" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool environment_name(const char *name)
{
    return *name &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] ==
               '\0';
}

static void environment_init(struct environment *e, const struct study *s)
{
    size_t n_own = 0, n = 0;

    e->n_vary = !s ? CALL_VARIABLES : study_needs_dir(s) ? 6 : 5;
    for (size_t j = 0; s && j < study_n_factors(s); j++)
        e->n_vary += environment_name(study_factor_name(s, j));
    must(e->n_vary <= ENV_FACTOR_MAX);
    while (environ[n_own])
        n_own++;
    e->envp = calloc(e->n_vary + n_own + 1, sizeof *e->envp);
    must(e->envp != NULL);
    for (size_t i = 0; i < n_own; i++)
        if (!ours(environ[i]))
            e->envp[e->n_vary + n++] = environ[i];
}

static void folder_name(char *to, size_t size, const char *name)
{
    size_t n = 0;

    for (; name[n] && n + 1 < size; n++)
        to[n] = name[n] == '/' ? '_' : name[n];
    to[n] = '\0';
    if (to[0] == '.' || !n)
        to[0] = '_';
}

static struct payload *payload_new(array_id array, task_id first, const uint64_t key[2])
{
    struct payload *p = calloc(1, sizeof *p);

    must(p != NULL);
    p->array = array;
    p->first = first;
    p->key[0] = key[0];
    p->key[1] = key[1];
    p->refs = 1;
    return p;
}

struct payload *payload_ref(struct payload *p)
{
    p->refs++;
    return p;
}

void payload_unref(struct payload *p)
{
    if (!p || --p->refs)
        return;
    study_free(p->study);
    calls_spec_fini(&p->calls);
    free(p->here);
    free(p->argv0);
    free(p->path);
    free(p->env.envp);
    buf_fini(&p->env.text);
    free(p);
}

const struct study *payload_study(const struct payload *p)
{
    return p->study;
}

const struct policy *payload_policy(const struct payload *p)
{
    return p->study ? study_policy(p->study) : &p->calls.policy;
}

const char *payload_restart(const struct payload *p)
{
    return p->study ? NULL : p->calls.restart;
}

const char *payload_cwd(const struct payload *p)
{
    return p->study ? study_cwd(p->study) : p->calls.cwd ? p->calls.cwd : p->here;
}

bool payload_has(const struct payload *p, task_id task)
{
    uint64_t n = p->study ? study_n_points(p->study) : POINTS_MAX;

    return task.n >= p->first.n && task.n - p->first.n < n;
}

uint64_t payload_index(const struct payload *p, task_id task)
{
    return task.n - p->first.n;
}

array_id payload_array(const struct payload *p)
{
    return p->array;
}

const char *payload_function(const struct payload *p)
{
    return p->study ? study_function(p->study) : p->calls.function;
}

uint32_t payload_seed(const struct payload *p, task_id task)
{
    uint64_t index = payload_index(p, task);

    return 1 + (uint32_t)(hash64(&index, sizeof index, p->key[0]) % INT32_MAX);
}

const char *payload_folder(const struct payload *p)
{
    return p->folder;
}

void payload_forget_path(struct payload *p)
{
    free(p->argv0);
    free(p->path);
    p->argv0 = p->path = NULL;
}

const char *payload_path(struct payload *p, const char *argv0)
{
    if (p->argv0 && strcmp(p->argv0, argv0) == 0)
        return p->path;
    payload_forget_path(p);
    p->path = run_resolve(argv0, payload_cwd(p));
    if (!p->path)
        return NULL;
    p->argv0 = strdup(argv0);
    must(p->argv0 != NULL);
    return p->path;
}

/* next - where the next variable starts; the text may still move. */
static struct buf *next(struct environment *e, size_t *n)
{
    must(*n < e->n_vary);
    if (e->text.n)
        e->text.n++; /* keep the zero byte behind the last one */
    e->offset[(*n)++] = e->text.n;
    return &e->text;
}

static char *const *environment_done(struct environment *e, size_t n)
{
    for (size_t i = 0; i < n; i++)
        e->envp[i] = e->text.data + e->offset[i];
    return e->envp;
}

char *const *payload_environment(struct payload *p, const struct point *point, lease_id lease,
                                 const char *dir)
{
    struct environment *e = &p->env;
    const struct study *s = p->study;
    size_t n = 0;

    buf_clear(&e->text);
    if (!s) {
        task_id task = { p->first.n + point->index };
        buf_addf(next(e, &n), "GRANGE_POINT=%llu", (unsigned long long)point->index);
        buf_addf(next(e, &n), "GRANGE_SEED=%u", payload_seed(p, task));
        buf_addf(next(e, &n), "GRANGE_ATTEMPT=%llu", (unsigned long long)lease.n);
        return environment_done(e, n);
    }
    buf_addf(next(e, &n), "GRANGE_STUDY=%s", study_name(s));
    buf_addf(next(e, &n), "GRANGE_POINT=%llu", (unsigned long long)point->index);
    buf_addf(next(e, &n), "GRANGE_REP=%u", point->rep);
    buf_addf(next(e, &n), "GRANGE_SEED=%u", study_seed(s, point));
    buf_addf(next(e, &n), "GRANGE_ATTEMPT=%llu", (unsigned long long)lease.n);
    if (study_needs_dir(s))
        buf_addf(next(e, &n), "GRANGE_OUT=%s", dir ? dir : "");
    for (size_t j = 0; j < study_n_factors(s); j++)
        if (environment_name(study_factor_name(s, j)))
            buf_addf(next(e, &n), "GRANGE_FACTOR_%s=%s", study_factor_name(s, j), point->values[j]);
    return environment_done(e, n);
}

/* --- all --- */

struct payloads *payloads_new(void)
{
    struct payloads *all = calloc(1, sizeof *all);

    must(all != NULL);
    return all;
}

static void drop(struct payloads *all, struct payload *p)
{
    HASH_DEL(all->by_array, p);
    payload_unref(p);
}

void payloads_free(struct payloads *all)
{
    struct payload *p, *after;

    if (!all)
        return;
    HASH_ITER(hh, all->by_array, p, after)
    drop(all, p);
    free(all);
}

struct payload *payloads_find(struct payloads *all, array_id array)
{
    struct payload *p;

    HASH_FIND(hh, all->by_array, &array, sizeof array, p);
    if (p)
        p->used = ++all->uses;
    return p;
}

static enum err read_spec(struct payload *p, const void *spec, size_t bytes, struct fault *f)
{
    enum err err;

    if (calls_spec_is(spec, bytes)) {
        err = calls_spec_read(spec, bytes, &p->calls, f);
        snprintf(p->folder, sizeof p->folder, "calls-%u", p->array.n);
        p->here = getcwd(NULL, 0);
        must(p->here != NULL);
    } else {
        err = study_from_json(spec, bytes, &p->study, f);
        if (!err)
            folder_name(p->folder, sizeof p->folder, study_name(p->study));
    }
    if (!err)
        environment_init(&p->env, p->study);
    return err;
}

enum err payloads_put(struct payloads *all, array_id array, task_id first, const void *spec,
                      size_t bytes, struct fault *f)
{
    uint64_t key[2];
    struct payload *old = payloads_find(all, array), *p;

    hash128(spec, bytes, key);
    if (old && old->first.n == first.n && old->key[0] == key[0] && old->key[1] == key[1])
        return ERR_NONE;
    p = payload_new(array, first, key);
    enum err err = read_spec(p, spec, bytes, f);
    if (err) {
        payload_unref(p);
        return err;
    }
    if (old)
        drop(all, old);
    p->used = ++all->uses;
    HASH_ADD(hh, all->by_array, array, sizeof p->array, p);
    return ERR_NONE;
}

void payloads_trim(struct payloads *all, bool (*in_use)(const void *context, array_id array),
                   const void *context)
{
    struct payload *p, *after;

    while (HASH_COUNT(all->by_array) > PAYLOADS_MAX) {
        struct payload *oldest = NULL;
        HASH_ITER(hh, all->by_array, p, after)
        if (p->refs == 1 && (!oldest || p->used < oldest->used) && !in_use(context, p->array))
            oldest = p;
        if (!oldest)
            return;
        drop(all, oldest);
    }
}
