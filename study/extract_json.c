/* extract: a path in JSON.
 *
 * A reader of our own, and not jansson, for two reasons: a number must keep its spelling, which no
 * tree keeps, and files of simulators hold NaN and Infinity, which no strict parser takes. It skips
 * over what it does not look for and decodes only the value that it found. */
#include "study/extract.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 512 }; /* of arrays and objects in each other; deeper is not found */

struct scan {
    const char *p, *end;
};

struct span {
    const char *p;
    size_t n;
};

static bool skip_value(struct scan *s, unsigned depth);
static bool skip_string(struct scan *s);
static bool enter(struct scan s, const char *path, struct span *found);
static bool decode(struct span found, struct buf *value, bool *text);

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

static bool take(struct scan *s, char c)
{
    skip_space(s);
    if (s->p >= s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* One step of a path: .name, name at the start, or [number]. Moves *path behind it. */
struct step {
    const char *name;
    size_t name_bytes, index;
    bool is_index, ok;
};

static struct step next_step(const char **path)
{
    const char *p = *path;
    struct step step = { 0 };

    if (*p == '[') {
        char *end;
        size_t digits = strspn(p + 1, "0123456789");
        step.is_index = true;
        step.index = strtoul(p + 1, &end, 10);
        step.ok = digits > 0 && digits < 10 && *end == ']';
        p = step.ok ? end + 1 : end;
    } else {
        step.name = p;
        step.name_bytes = strcspn(p, ".[");
        step.ok = step.name_bytes > 0;
        p += step.name_bytes;
    }
    if (*p == '.') {
        p++;
        step.ok = step.ok && *p && *p != '.' && *p != '[';
    } else if (*p && *p != '[') {
        step.ok = false;
    }
    *path = p;
    return step;
}

bool json_path_check(const char *path)
{
    while (*path)
        if (!next_step(&path).ok)
            return false;
    return true;
}

bool json_at(const char *data, size_t n, const char *path, struct buf *value, bool *text)
{
    struct scan s = { data, data + n };
    struct span last = { 0 }, found;

    buf_clear(value);
    if (n >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        s.p += 3;
    for (;;) {
        skip_space(&s);
        struct scan document = s;
        if (s.p >= s.end || !skip_value(&s, 0))
            break;
        document.end = s.p;
        if (enter(document, path, &found))
            last = found;
    }
    return last.p && decode(last, value, text);
}

/* --- skipping --- */

static bool skip_word(struct scan *s)
{
    const char *start = s->p;
    while (s->p < s->end && !strchr(" \n\t\r,:]}[{\"", *s->p) && (unsigned char)*s->p > 0x20)
        s->p++;
    return s->p > start;
}

static bool skip_string(struct scan *s)
{
    for (s->p++; s->p < s->end; s->p++) {
        if (*s->p == '\\' && s->p + 1 < s->end)
            s->p++;
        else if (*s->p == '"')
            return s->p++, true;
    }
    return false;
}

static bool skip_members(struct scan *s, bool object, unsigned depth)
{
    char close = object ? '}' : ']';

    s->p++;
    if (take(s, close))
        return true;
    for (;;) {
        skip_space(s);
        if (object && (s->p >= s->end || *s->p != '"' || !skip_string(s) || !take(s, ':')))
            return false;
        if (!skip_value(s, depth + 1))
            return false;
        if (take(s, close))
            return true;
        if (!take(s, ','))
            return false;
    }
}

static bool skip_value(struct scan *s, unsigned depth)
{
    skip_space(s);
    if (s->p >= s->end || depth > DEPTH_MAX)
        return false;
    if (*s->p == '{' || *s->p == '[')
        return skip_members(s, *s->p == '{', depth);
    return *s->p == '"' ? skip_string(s) : skip_word(s);
}

/* --- finding, in a document that was skipped once: its shape is sound --- */

static struct span value_span(struct scan *s)
{
    skip_space(s);
    const char *start = s->p;
    bool ok = skip_value(s, 0);
    return (struct span){ ok ? start : NULL, (size_t)(s->p - start) };
}

static bool key_is(struct span key, const char *name, size_t n)
{
    if (key.n == n + 2 && memcmp(key.p + 1, name, n) == 0)
        return true;
    if (!memchr(key.p, '\\', key.n))
        return false;
    json_t *decoded = json_loadb(key.p, key.n, JSON_DECODE_ANY, NULL);
    bool same = decoded && json_string_length(decoded) == n &&
                memcmp(json_string_value(decoded), name, n) == 0;
    json_decref(decoded);
    return same;
}

/* Of a key that an object has twice the last counts, as in most readers. */
static bool find_member(struct scan s, const struct step *step, struct span *found)
{
    bool object = !step->is_index;
    size_t i = 0;

    found->p = NULL;
    if (!take(&s, object ? '{' : '[') || take(&s, object ? '}' : ']'))
        return false;
    do {
        bool wanted = !object && i++ == step->index;
        if (object) {
            struct span key = value_span(&s);
            wanted = key.p && key_is(key, step->name, step->name_bytes);
            if (!take(&s, ':'))
                return false;
        }
        struct span value = value_span(&s);
        if (wanted)
            *found = value;
    } while (take(&s, ','));
    return found->p != NULL;
}

static bool enter(struct scan s, const char *path, struct span *found)
{
    *found = value_span(&s);
    while (*path && found->p) {
        struct step step = next_step(&path);
        struct scan inside = { found->p, found->p + found->n };
        if (!step.ok || !find_member(inside, &step, found))
            return false;
    }
    return found->p != NULL;
}

static bool decode(struct span found, struct buf *value, bool *text)
{
    *text = found.p[0] == '"';
    if (*text) {
        json_t *decoded = json_loadb(found.p, found.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (decoded)
            buf_add(value, json_string_value(decoded), json_string_length(decoded));
        json_decref(decoded);
        return decoded != NULL;
    }
    if (found.p[0] == '{' || found.p[0] == '[' || (found.n == 4 && memcmp(found.p, "null", 4) == 0))
        return false;
    buf_add(value, found.p, found.n);
    return true;
}
