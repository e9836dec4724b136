#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/host_inner.h"

#define uthash_fatal(text) must_fail(__FILE__, __LINE__, text)
#include <uthash.h>

struct value {
    char name[ENGINE_NAME_MAX + 1];
    struct space space;
    UT_hash_handle hh;
};

static struct value *find(struct values *v, const char *name, size_t n)
{
    struct value *found;

    HASH_FIND(hh, v->by_name, name, n, found);
    return found;
}

static void drop(struct values *v, struct value *value)
{
    HASH_DEL(v->by_name, value);
    space_free(&value->space);
    free(value);
}

void values_adopt(struct values *v, const char *name, size_t n, struct space *s)
{
    struct value *old = find(v, name, n);
    struct value *value = calloc(1, sizeof *value);

    must(value != NULL && n > 0 && n <= ENGINE_NAME_MAX);
    if (old)
        drop(v, old);
    memcpy(value->name, name, n);
    value->space = *s;
    *s = (struct space){ 0 };
    HASH_ADD_KEYPTR(hh, v->by_name, value->name, n, value);
}

struct space *values_make(struct values *v, const char *name, size_t name_bytes, size_t n)
{
    struct space s = { 0 };

    if (name_bytes == 0 || name_bytes > ENGINE_NAME_MAX || !space_make(&s, v->dir, n))
        return NULL;
    values_adopt(v, name, name_bytes, &s);
    return values_find(v, name, name_bytes);
}

struct space *values_find(struct values *v, const char *name, size_t name_bytes)
{
    struct value *value = find(v, name, name_bytes);

    return value ? &value->space : NULL;
}

bool values_drop(struct values *v, const char *name, size_t name_bytes)
{
    struct value *value = find(v, name, name_bytes);

    if (value)
        drop(v, value);
    return value != NULL;
}

void values_fini(struct values *v)
{
    struct value *value, *next;

    HASH_ITER(hh, v->by_name, value, next)
    drop(v, value);
}
