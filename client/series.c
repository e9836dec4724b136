#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "client/session.h"

/* ---- from options to a spec */

static char *copy(const char *text)
{
    char *to = strdup(text ? text : "");

    must(to != NULL);
    return to;
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static bool is_plain(const struct grange_options *o)
{
    return !o || (!o->key && !o->study && !o->retries && !o->timeout_ms && !o->priority &&
                  !o->cores && !o->memory_mib && !o->resources && !o->require && !o->least_ms &&
                  !o->policy && !o->cwd && !o->n_arrays);
}

/* add_list - the comma-separated words of a list: as JSON strings, or with `amounts` as members
 * "name": number. */
static enum err add_list(struct buf *b, const char *name, const char *list, bool amounts,
                         struct fault *f)
{
    if (!list || !*list)
        return ERR_NONE;
    buf_addf(b, ",\"%s\":%c", name, amounts ? '{' : '[');
    for (const char *at = list, *end; *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, ",");
        const char *is = amounts ? memchr(at, '=', (size_t)(end - at)) : end;
        char *rest = NULL;
        unsigned long amount = amounts && is ? strtoul(is + 1, &rest, 10) : 1;
        if (!is || is == at || (amounts && (rest == is + 1 || rest != end || amount > UINT32_MAX)))
            return fault_set(f, ERR_USAGE,
                             amounts ? "resources '%s' should be like gpus=1,licences=2"
                                     : "labels '%s' should be like site=north,big",
                             list);
        if (at != list)
            buf_addc(b, ',');
        buf_add_json(b, at, (size_t)(is - at));
        if (amounts)
            buf_addf(b, ":%lu", amount);
    }
    buf_addc(b, amounts ? '}' : ']');
    return ERR_NONE;
}

/* add_policy - the inside of a JSON object that the program wrote. */
static enum err add_policy(struct buf *b, const char *policy, struct fault *f)
{
    static const char space[] = " \t\r\n";

    if (!policy)
        return ERR_NONE;
    policy += strspn(policy, space);
    size_t n = strlen(policy);
    while (n > 0 && strchr(space, policy[n - 1]))
        n--;
    if (n < 2 || policy[0] != '{' || policy[n - 1] != '}')
        return fault_set(f, ERR_USAGE, "the policy should be a JSON object: {\"retries\": 2}");
    if (strspn(policy + 1, space) < n - 2) {
        buf_addc(b, ',');
        buf_add(b, policy + 1, n - 2);
    }
    return ERR_NONE;
}

/* add_arrays - the keys of arrays to wait for. */
static enum err add_arrays(struct buf *b, const struct grange_options *o, struct fault *f)
{
    static const char *const on[] = { "success", "either", NULL, "failure" };

    for (size_t i = 0; i < o->n_arrays; i++) {
        const struct grange_array *a = &o->arrays[i];
        unsigned ends = a->rule / GRANGE_ON_FAILURE;
        if (!a->key || !*a->key || ends > 3 || !on[ends])
            return fault_set(f, ERR_USAGE, "arrays[%zu] has no key, or its rule is none", i);
        buf_adds(b, i ? ",{\"key\":" : ",\"after\":[{\"key\":");
        buf_add_json(b, a->key, strlen(a->key));
        buf_addf(b, ",\"on\":\"%s\"%s%s}", on[ends], a->each ? ",\"each\":true" : "",
                 a->rule & GRANGE_ANY ? ",\"any\":true" : "");
    }
    if (o->n_arrays)
        buf_addc(b, ']');
    return ERR_NONE;
}

static void add_numbers(struct buf *b, const struct grange_options *o)
{
    if (o->retries)
        buf_addf(b, ",\"retries\":%u", o->retries);
    if (o->timeout_ms)
        buf_addf(b, ",\"timeout\":\"%lldms\"", (long long)o->timeout_ms);
    if (o->priority)
        buf_addf(b, ",\"priority\":%d", o->priority);
    if (o->cores)
        buf_addf(b, ",\"cores\":%u", o->cores);
    if (o->memory_mib)
        buf_addf(b, ",\"memory\":\"%uM\"", o->memory_mib);
    if (o->least_ms)
        buf_addf(b, ",\"least\":\"%lldms\"", (long long)o->least_ms);
}

static enum err add_options(struct buf *b, const struct grange_options *o, struct fault *f)
{
    if (o->timeout_ms < 0 || o->least_ms < 0)
        return fault_set(f, ERR_USAGE, "a time is not negative");
    add_numbers(b, o);
    enum err err = add_list(b, "resources", o->resources, true, f);
    if (!err)
        err = add_list(b, "require", o->require, false, f);
    if (!err)
        err = add_arrays(b, o, f);
    return err ? err : add_policy(b, o->policy, f);
}

static enum err write_spec(const char *function, const struct grange_options *o, struct buf *b,
                           struct fault *f)
{
    buf_clear(b);
    if (function && (!*function || strlen(function) > NAME_BYTES_MAX))
        return fault_set(f, ERR_USAGE, "the name of a function has 1 to %d bytes", NAME_BYTES_MAX);
    buf_adds(b, function ? "{\"calls\":{\"function\":" : "{\"calls\":{\"commands\":true");
    if (function)
        buf_add_json(b, function, strlen(function));
    if (o && o->cwd) {
        buf_adds(b, ",\"cwd\":");
        buf_add_json(b, o->cwd, strlen(o->cwd));
    }
    buf_addc(b, '}');
    enum err err = o ? add_options(b, o, f) : ERR_NONE;
    buf_addc(b, '}');
    return err;
}

/* ---- finding and making */

struct series *series_find_key(const struct grange *g, const char *key)
{
    struct series *s = NULL;

    HASH_FIND(by_key, g->calls.by_key, key, strlen(key), s);
    return s;
}

struct series *series_find_array(const struct grange *g, array_id array)
{
    struct series *s = NULL;

    HASH_FIND(by_array, g->calls.by_array, &array, sizeof array, s);
    return s;
}

static bool has_task(const struct series *s, task_id task)
{
    return s->first.n && task.n >= s->first.n && task.n - s->first.n < s->n;
}

struct series *series_find_task(struct grange *g, task_id task)
{
    struct calls *c = &g->calls;

    if (c->found && has_task(c->found, task))
        return c->found;
    for (size_t i = 0; i < c->n_series; i++) {
        if (has_task(c->series[i], task))
            return c->found = c->series[i];
    }
    return NULL;
}

struct series *future_find(const struct grange *g, struct grange_future f, uint64_t *index)
{
    uint64_t number = f.id >> 32;

    *index = f.id & UINT32_MAX;
    if (number == 0 || number > g->calls.n_series)
        return NULL;
    struct series *s = g->calls.series[number - 1];
    return *index < s->n || (*index < s->n_slots && slot_wanted(&s->slots[*index])) ? s : NULL;
}

static struct series *add_series(struct calls *c)
{
    struct series *s = calloc(1, sizeof *s);

    must(s != NULL);
    if (c->n_series == c->cap_series) {
        c->cap_series = c->cap_series ? 2 * c->cap_series : 16;
        c->series = realloc(c->series, c->cap_series * sizeof *c->series);
        must(c->series != NULL);
    }
    c->series[c->n_series++] = s;
    s->number = (uint32_t)c->n_series;
    return s;
}

/* add_keyed - takes key, study and spec. */
static struct series *add_keyed(struct calls *c, char *key, char *study, char *spec)
{
    struct series *s = add_series(c);

    s->key = key;
    s->study = study;
    s->spec = spec;
    HASH_ADD_KEYPTR(by_key, c->by_key, s->key, strlen(s->key), s);
    return s;
}

static enum err of_key(struct grange *g, const struct grange_options *o, struct series **s,
                       struct fault *f)
{
    struct calls *c = &g->calls;
    const char *spec = buf_text(&c->spec);
    const char *study = text_of(o->study);

    if (!*o->key || *o->key == '#' || strlen(o->key) > KEY_BYTES_MAX)
        return fault_set(f, ERR_USAGE, "a key has 1 to %d bytes and does not begin with '#'",
                         KEY_BYTES_MAX);
    *s = series_find_key(g, o->key);
    if (*s && (*s)->picked) { /* so far it was only looked at */
        free((*s)->spec), free((*s)->study);
        (*s)->spec = copy(spec), (*s)->study = copy(study);
        (*s)->picked = false;
        series_on_loss(g, *s); /* to be opened with its spec */
    } else if (*s && (strcmp((*s)->spec, spec) != 0 || strcmp((*s)->study, study) != 0)) {
        return fault_set(f, ERR_USAGE,
                         "key '%s' has been used for another function or with other options: %s",
                         o->key, (*s)->spec);
    } else if (!*s) {
        *s = add_keyed(c, copy(o->key), copy(study), copy(spec));
    }
    return ERR_NONE;
}

/* of_shape - those without a key share a series when study and spec are the same. */
static struct series *of_shape(struct grange *g, const struct grange_options *o)
{
    struct calls *c = &g->calls;
    const char *study = o && o->study ? o->study : c->own_study;
    struct series *s = NULL;
    char key[64];

    buf_clear(&c->shape);
    buf_adds(&c->shape, study);
    buf_addc(&c->shape, '\n');
    buf_add(&c->shape, c->spec.data, c->spec.n);
    HASH_FIND(by_shape, c->by_shape, c->shape.data, c->shape.n, s);
    if (s && s->n < POINTS_MAX)
        return s;
    if (s)
        HASH_DELETE(by_shape, c->by_shape, s); /* full: the next one goes on */
    snprintf(key, sizeof key, "c%016" PRIx64 "-%zu", g->instance, c->n_series);
    s = add_keyed(c, copy(key), copy(study), copy(buf_text(&c->spec)));
    s->ours = true;
    s->shape = copy(buf_text(&c->shape));
    HASH_ADD_KEYPTR(by_shape, c->by_shape, s->shape, strlen(s->shape), s);
    return s;
}

static bool same_name(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

enum err series_of_options(struct grange *g, const char *function, const struct grange_options *o,
                           struct series **s, struct fault *f)
{
    struct calls *c = &g->calls;
    bool plain = is_plain(o);

    *s = c->last;
    if (plain && *s && (*s)->plain && (*s)->n < POINTS_MAX && same_name((*s)->function, function))
        return ERR_NONE;
    enum err err = write_spec(function, o, &c->spec, f);
    if (!err && o && o->study && strlen(o->study) > NAME_BYTES_MAX)
        err = fault_set(f, ERR_USAGE, "the name of a study has at most %d bytes", NAME_BYTES_MAX);
    if (!err && o && o->key)
        err = of_key(g, o, s, f);
    else if (!err)
        *s = of_shape(g, o);
    if (err)
        return err;
    if (plain && !(*s)->plain) {
        (*s)->plain = true;
        (*s)->function = function ? copy(function) : NULL;
    }
    if (plain)
        c->last = *s;
    return ERR_NONE;
}

static void set_home(struct series *s, const char *study)
{
    free(s->home);
    s->home = copy(study);
}

struct series *series_of_points(struct grange *g, const struct grange_submitted *r)
{
    array_id array = { r->array };
    struct series *s = series_find_array(g, array);

    if (!s) {
        s = add_series(&g->calls);
        s->points = true;
        s->array = array;
        HASH_ADD(by_array, g->calls.by_array, array, sizeof s->array, s);
    }
    s->first.n = r->first_task;
    s->n = s->known = r->counts.n;
    s->picked = false;
    set_home(s, r->name);
    series_room(s, s->n);
    series_reopen(g, s);
    return s;
}

/* look_points - "#12@sweep": array 12, which is one of points, of that study. */
static struct series *look_points(struct grange *g, const char *key)
{
    char *study = NULL;
    array_id array = { (uint32_t)strtoul(key + 1, &study, 10) };
    struct series *s = series_find_array(g, array);

    if (!s) {
        s = add_series(&g->calls);
        s->points = s->picked = true;
        s->opened = g->welcomed;
        if (study[0] == '@' && study[1])
            set_home(s, study + 1);
        s->array = array;
        HASH_ADD(by_array, g->calls.by_array, array, sizeof s->array, s);
    }
    return s;
}

struct series *series_look(struct grange *g, const char *key)
{
    struct series *s = series_find_key(g, key);

    if (!s && key[0] == '#')
        return look_points(g, key);

    if (!s) {
        s = add_keyed(&g->calls, copy(key), copy(""), copy(""));
        s->picked = true;
    }
    return s;
}

void series_room(struct series *s, uint64_t n)
{
    if (n <= s->n_slots)
        return;
    uint64_t was = s->n_slots;
    uint64_t now = n < 2 ? 1 : was < 8 && n <= 8 ? 8 : was + was / 2;
    now = now < n ? n : now;
    s->slots = realloc(s->slots, now * sizeof *s->slots);
    must(s->slots != NULL);
    memset(&s->slots[was], 0, (now - was) * sizeof *s->slots);
    s->n_slots = now;
}

/* ---- with the scheduler */

/* expect - the answer to this request is for the series; 0: none is awaited any more. */
static void expect(struct grange *g, struct series *s, uint64_t request)
{
    if (s->request)
        HASH_DELETE(by_request, g->calls.by_request, s);
    s->request = request;
    if (request)
        HASH_ADD(by_request, g->calls.by_request, request, sizeof s->request, s);
}

static struct series *find_request(const struct grange *g, uint64_t request)
{
    struct series *s = NULL;

    HASH_FIND(by_request, g->calls.by_request, &request, sizeof request, s);
    return s;
}

void series_open(struct grange *g, struct series *s)
{
    bool never_was = s->refused && !s->array.n;

    if (s->opened || s->request || never_was || s->points || !g->welcomed)
        return;
    struct message m = { .kind = MSG_OPEN };
    expect(g, s, session_number(g));
    m.open.request = s->request;
    m.open.key = s->key;
    m.open.study = s->study;
    m.open.spec = s->spec;
    m.open.spec_bytes = strlen(s->spec);
    m.open.again = s->array.n != 0;
    session_send(g, &m);
}

/* picked - the indexes that are wanted and have not ended. */
static uint64_t *picked(const struct series *s, size_t *n)
{
    size_t cap = 16;
    uint64_t *index = malloc(cap * sizeof *index);

    *n = 0;
    for (uint64_t i = 0; i < s->n_slots; i++) {
        if (!slot_wanted(&s->slots[i]) || s->slots[i].end)
            continue;
        if (*n == cap)
            index = realloc(index, (cap *= 2) * sizeof *index);
        must(index != NULL);
        index[(*n)++] = i;
    }
    return index;
}

void series_collect(struct grange *g, struct series *s)
{
    struct message m = { .kind = MSG_COLLECT };
    size_t n = 0;
    uint64_t *index = s->picked ? picked(s, &n) : NULL;

    if (!s->picked || n > 0) {
        expect(g, s, session_number(g));
        m.collect.request = s->request;
        m.collect.array = s->array;
        m.collect.key = "";
        m.collect.cursor = s->picked ? 0 : s->cursor;
        m.collect.shares = s->shares;
        m.collect.index = index;
        m.collect.n = n <= INDEXES_MAX ? n : 0; /* too many to name: all */
        s->n_collects++;
        session_send(g, &m);
    }
    free(index);
}

void series_reopen(struct grange *g, struct series *s)
{
    if (!s->points) {
        series_open(g, s);
    } else if (g->welcomed) {
        s->opened = true;
        series_collect(g, s);
    }
}

void series_forgive(struct series *s)
{
    if (!s->picked || s->n_wanted)
        return;
    free(s->refused);
    s->refused = NULL;
}

void series_on_loss(struct grange *g, struct series *s)
{
    expect(g, s, 0);
    s->opened = false;
}

bool series_is_wanted(const struct series *s)
{
    return s->n_ended < (s->picked ? s->n_wanted : s->n);
}

/* gone - the scheduler has fewer calls than it had said were durable: its store is another one. */
static bool gone(struct grange *g, struct series *s, uint64_t known)
{
    struct fault f;

    if (known >= s->known)
        return false;
    fault_set(&f, ERR_NOT_FOUND,
              "the scheduler has forgotten calls of '%s': it had %" PRIu64 ", now it has %" PRIu64
              "; its store is another one",
              s->key, s->known, known);
    series_refuse(g, s, 0, &f);
    return true;
}

void series_on_opened(struct grange *g, const struct message *m)
{
    struct series *s = find_request(g, m->opened.request);

    if (!s)
        return;
    expect(g, s, 0);
    if (gone(g, s, m->opened.n))
        return;
    if (s->array.n)
        HASH_DELETE(by_array, g->calls.by_array, s);
    s->opened = true;
    s->array = m->opened.array;
    s->first = m->opened.first;
    s->known = m->opened.n;
    s->closed = m->opened.closed;
    set_home(s, m->opened.study);
    HASH_ADD(by_array, g->calls.by_array, array, sizeof s->array, s);
    append_drop(g, s, s->known);
    series_collect(g, s);
}

void series_on_reply(struct grange *g, uint64_t request)
{
    struct series *s = find_request(g, request);

    if (s)
        expect(g, s, 0);
}

bool series_on_refused(struct grange *g, uint64_t request, const struct fault *f)
{
    struct series *s = find_request(g, request);

    if (!s)
        return false;
    expect(g, s, 0);
    series_refuse(g, s, 0, f);
    return true;
}

void series_refuse(struct grange *g, struct series *s, uint64_t from, const struct fault *f)
{
    if (!s->refused) {
        s->refused = malloc(sizeof *s->refused);
        must(s->refused != NULL);
        *s->refused = *f;
    }
    append_drop(g, s, UINT64_MAX);
    for (uint64_t i = from; i < s->n_slots; i++) {
        if (!s->slots[i].end && (i < s->n || slot_wanted(&s->slots[i])))
            ends_set(g, s, i, end_refused(f));
    }
}
