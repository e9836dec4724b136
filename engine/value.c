#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/host_inner.h"

#define uthash_fatal(text) must_fail(__FILE__, __LINE__, text)
#include <uthash.h>

struct value {
    char name[ENGINE_NAME_MAX + 1];
    struct space space;
    uint64_t version; /* of its file; differs from all before */
    size_t n_lent;    /* answers that are still read */
    UT_hash_handle hh;
};

struct loan {
    uint64_t call, version;
    char name[ENGINE_NAME_MAX + 1];
    UT_hash_handle hh;
};

static struct value *find(struct values *v, const char *name, size_t n)
{
    struct value *found;

    HASH_FIND(hh, v->by_name, name, n, found);
    return found;
}

/* retire - its space is not the value's any more. */
static void retire(struct values *v, struct value *value)
{
    if (space_is_file(&value->space))
        spares_add(&v->spares, &value->space, value->n_lent == 0);
    else
        space_free(&value->space);
}

static void drop(struct values *v, struct value *value)
{
    HASH_DEL(v->by_name, value);
    retire(v, value);
    free(value);
}

static void fill(struct values *v, struct value *value, struct space *s)
{
    value->space = *s;
    value->version = ++v->last_version;
    value->n_lent = 0;
    *s = (struct space){ 0 };
}

void values_adopt(struct values *v, const char *name, size_t n, struct space *s)
{
    struct value *value = find(v, name, n);

    must(n > 0 && n <= ENGINE_NAME_MAX);
    if (value) {
        retire(v, value);
        fill(v, value, s);
        return;
    }
    value = calloc(1, sizeof *value);
    must(value != NULL);
    memcpy(value->name, name, n);
    fill(v, value, s);
    HASH_ADD_KEYPTR(hh, v->by_name, value->name, n, value);
}

/* --- making --- */

/* fits_again - n bytes may be where the value is now. */
static bool fits_again(const struct value *value, size_t n)
{
    return space_is_file(&value->space) && n > ENGINE_INLINE_MAX && value->n_lent == 0 &&
           space_suits(&value->space, n);
}

static bool make(struct values *v, size_t n, struct space *s)
{
    return (n > ENGINE_INLINE_MAX && spares_take(&v->spares, n, s)) || space_make(s, v->dir, n);
}

struct space *values_make(struct values *v, const char *name, size_t name_bytes, size_t n)
{
    struct space s = { 0 };

    if (name_bytes == 0 || name_bytes > ENGINE_NAME_MAX)
        return NULL;
    struct value *value = find(v, name, name_bytes);
    if (value && fits_again(value, n)) {
        value->space.bytes = n;
        return &value->space;
    }
    if (!make(v, n, &s))
        return NULL;
    values_adopt(v, name, name_bytes, &s);
    return &find(v, name, name_bytes)->space;
}

/* --- using --- */

const struct space *values_read(struct values *v, const char *name, size_t name_bytes)
{
    struct value *value = find(v, name, name_bytes);

    return value ? &value->space : NULL;
}

struct space *values_write(struct values *v, const char *name, size_t name_bytes)
{
    struct value *value = find(v, name, name_bytes);
    struct space s = { 0 };

    if (value && value->n_lent) {
        if (!make(v, value->space.bytes, &s))
            return NULL;
        memcpy(s.data, value->space.data, value->space.bytes);
        retire(v, value);
        fill(v, value, &s);
    }
    return value ? &value->space : NULL;
}

void values_lend(struct values *v, const char *name, size_t name_bytes, uint64_t call)
{
    struct value *value = find(v, name, name_bytes);
    struct loan *loan = calloc(1, sizeof *loan);

    must(value != NULL && loan != NULL);
    loan->call = call;
    loan->version = value->version;
    memcpy(loan->name, name, name_bytes);
    value->n_lent++;
    HASH_ADD(hh, v->loans, call, sizeof loan->call, loan);
}

void values_release(struct values *v, uint64_t call)
{
    struct loan *loan;

    HASH_FIND(hh, v->loans, &call, sizeof call, loan);
    if (!loan)
        return;
    struct value *value = find(v, loan->name, strlen(loan->name));
    if (value && value->version == loan->version)
        value->n_lent--;
    HASH_DEL(v->loans, loan);
    free(loan);
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
    struct loan *loan, *next_loan;

    HASH_ITER(hh, v->by_name, value, next)
    drop(v, value);
    HASH_ITER(hh, v->loans, loan, next_loan)
    {
        HASH_DEL(v->loans, loan);
        free(loan);
    }
    spares_fini(&v->spares);
}
