#include "study/calls.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/needs.h"
#include "study/impl.h"
#include "study/suggest.h"

static char *copy(const char *text)
{
    char *t = strdup(text);

    must(t != NULL);
    return t;
}

void calls_spec_fini(struct calls_spec *c)
{
    free(c->function);
    free(c->cwd);
    free(c->restart);
    for (size_t i = 0; i < c->n_after; i++)
        free(c->after[i].key);
    *c = (struct calls_spec){ 0 };
}

static enum err wrong(const char *key, const char *right, struct fault *f)
{
    return fault_set(f, ERR_USAGE, "the spec of an array of calls: '%s' should be %s", key, right);
}

/* number - of a key that may be absent. */
static enum err number(const json_t *o, const char *key, int64_t low, int64_t high, int64_t *value,
                       struct fault *f)
{
    const json_t *v = json_object_get(o, key);

    if (!v)
        return ERR_NONE;
    if (!json_is_integer(v) || json_integer_value(v) < low || json_integer_value(v) > high)
        return fault_set(f, ERR_USAGE,
                         "the spec of an array of calls: '%s' should be a number from %lld to %lld",
                         key, (long long)low, (long long)high);
    *value = json_integer_value(v);
    return ERR_NONE;
}

static enum err text(const json_t *o, const char *key, const char **value, struct fault *f)
{
    const json_t *v = json_object_get(o, key);

    if (!v)
        return ERR_NONE;
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        return wrong(key, "a text", f);
    *value = json_string_value(v);
    return ERR_NONE;
}

/* A time in the words of `timeout`, or a number of seconds. */
static enum err time_of(const json_t *v, const char *key, ms_t *ms, struct fault *f)
{
    struct policy p = { 0 };
    struct blame blame;

    if (!v)
        return ERR_NONE;
    if (!json_is_string(v))
        return wrong(key, "a time, such as \"30s\" or \"500ms\"", f);
    enum err err = policy_parse(&(struct words){ .timeout = json_string_value(v) }, &p, f, &blame);
    if (!err && p.timeout_percent)
        err = wrong(key, "a time, such as \"30s\" or \"500ms\"", f);
    if (!err)
        *ms = p.timeout_ms;
    return err;
}

/* exit_of - {"3": "warn", "4": "retry"} as "3:warn,4:retry". */
static enum err exit_of(json_t *o, struct buf *to, const char **exits, struct fault *f)
{
    json_t *map = json_object_get(o, "exit"), *v;
    const char *code;

    if (!map)
        return ERR_NONE;
    if (!json_is_object(map) || *exits)
        return wrong("exit", "an object, and not beside 'exits': {\"3\": \"warn\"}", f);
    json_object_foreach(map, code, v)
    {
        if (!json_is_string(v))
            return wrong("exit", "an object of texts: {\"3\": \"warn\"}", f);
        buf_addf(to, "%s%s:%s", to->n ? "," : "", code, json_string_value(v));
    }
    *exits = to->n ? to->data : NULL;
    return ERR_NONE;
}

static enum err words_of(json_t *o, struct calls_spec *c, struct fault *f)
{
    struct words w = { 0 };
    struct blame blame;
    struct buf exits = { 0 };
    int64_t retries = 0, cores = 0;
    enum err err = text(o, "timeout", &w.timeout, f);

    if (!err)
        err = text(o, "exits", &w.exits, f);
    if (!err)
        err = exit_of(o, &exits, &w.exits, f);
    if (!err && json_is_string(json_object_get(o, "backoff")))
        err = text(o, "backoff", &w.backoff, f);
    if (!err)
        err = text(o, "halt", &w.halt, f);
    if (!err)
        err = text(o, "memory", &w.memory, f);
    if (!err)
        err = number(o, "retries", 0, RETRIES_MAX, &retries, f);
    if (!err)
        err = number(o, "cores", 1, SLOTS_MAX, &cores, f);
    w.retries = (uint32_t)retries;
    w.cores = (uint32_t)cores;
    if (!err)
        err = policy_parse(&w, &c->policy, f, &blame);
    buf_fini(&exits);
    return err;
}

static enum err shares_of(const json_t *o, struct policy *p, struct fault *f)
{
    int64_t priority = p->priority, weight = p->weight, running = p->running_max;
    enum err err = number(o, "priority", INT32_MIN, INT32_MAX, &priority, f);

    if (!err)
        err = number(o, "weight", 1, 1000, &weight, f);
    if (!err)
        err = number(o, "running", 0, UINT32_MAX, &running, f);
    if (!err)
        err = number(o, "max_running", 0, UINT32_MAX, &running, f);
    if (!err)
        err = time_of(json_object_get(o, "least"), "least", &p->needs.least_ms, f);
    const json_t *backoff = json_object_get(o, "backoff");
    if (!err && backoff && !json_is_string(backoff)) {
        if (json_array_size(backoff) != 2)
            return wrong("backoff", "two times: \"100ms..60s\" or [\"100ms\", \"60s\"]", f);
        err = time_of(json_array_get(backoff, 0), "backoff", &p->backoff_min_ms, f);
        if (!err)
            err = time_of(json_array_get(backoff, 1), "backoff", &p->backoff_max_ms, f);
    }
    if (err)
        return err;
    p->priority = (int32_t)priority;
    p->weight = (uint32_t)weight;
    p->running_max = (uint32_t)running;
    p->speculate = json_is_true(json_object_get(o, "speculate"));
    return ERR_NONE;
}

static enum err needs_of(json_t *o, struct needs *n, struct fault *f)
{
    json_t *resources = json_object_get(o, "resources"), *require = json_object_get(o, "require");
    const char *name;
    json_t *v;
    size_t i;

    if (resources && !json_is_object(resources))
        return wrong("resources", "an object: {\"gpus\": 2}", f);
    json_object_foreach(resources, name, v)
    {
        json_int_t amount = json_integer_value(v);
        if (!json_is_integer(v) || amount < 1 || amount > UINT32_MAX ||
            !needs_add_resource(n, name, (uint32_t)amount))
            return wrong("resources", "at most 8 names with amounts: {\"gpus\": 2}", f);
    }
    if (require && !json_is_array(require))
        return wrong("require", "a list of labels: [\"fast\", \"arch=arm\"]", f);
    json_array_foreach(require, i, v)
    {
        if (!json_is_string(v) || !needs_add_label(n, json_string_value(v)))
            return wrong("require", "at most 8 labels: [\"fast\", \"arch=arm\"]", f);
    }
    return ERR_NONE;
}

static enum err after_one(const json_t *o, struct calls_after *a, struct fault *f)
{
    const char *key = NULL, *on = "success";
    enum err err = text(o, "key", &key, f);

    if (!err)
        err = text(o, "on", &on, f);
    if (err)
        return err;
    if (!key || !*key || strlen(key) > KEY_BYTES_MAX)
        return wrong("after", "a list of objects, each with the key of an array", f);
    if (strcmp(on, "success") == 0)
        a->rule = RULE_ALL;
    else if (strcmp(on, "failure") == 0)
        a->rule = RULE_ON_FAILURE | RULE_NOT_SUCCESS;
    else if (strcmp(on, "either") == 0)
        a->rule = RULE_ON_FAILURE;
    else
        return wrong("on", "success, failure or either", f);
    if (json_is_true(json_object_get(o, "any")))
        a->rule |= RULE_ANY;
    a->element = json_is_true(json_object_get(o, "each"));
    a->key = copy(key);
    return ERR_NONE;
}

static enum err after_of(json_t *o, struct calls_spec *c, struct fault *f)
{
    json_t *list = json_object_get(o, "after"), *v;
    size_t i;

    if (list && !json_is_array(list))
        return wrong("after", "a list of objects, each with the key of an array", f);
    if (json_array_size(list) > CALLS_AFTER_MAX)
        return fault_set(f, ERR_LIMIT, "an array of calls waits for %zu others; %d are the limit",
                         json_array_size(list), CALLS_AFTER_MAX);
    json_array_foreach(list, i, v)
    {
        enum err err = after_one(v, &c->after[c->n_after], f);
        if (err)
            return err;
        c->n_after++;
    }
    return ERR_NONE;
}

static enum err what(const json_t *o, struct calls_spec *c, struct fault *f)
{
    const json_t *calls = json_object_get(o, "calls");
    const char *function = NULL, *cwd = NULL, *restart = NULL;
    char label[LABEL_BYTES_MAX + 1];
    enum err err = text(calls, "function", &function, f);

    if (!err)
        err = text(calls, "cwd", &cwd, f);
    if (!err)
        err = text(o, "restart", &restart, f);
    if (err)
        return err;
    if (!function == !json_is_true(json_object_get(calls, "commands")))
        return wrong("calls", "{\"function\": NAME} or {\"commands\": true}", f);
    if (restart && (function || !*restart))
        return wrong("restart", "a command line, and beside commands: a function has none", f);
    if (cwd)
        c->cwd = copy(cwd);
    if (restart)
        c->restart = copy(restart);
    if (!function)
        return ERR_NONE;
    c->function = copy(function);
    int n = snprintf(label, sizeof label, "fn:%s", function);
    if (!*function || n >= (int)sizeof label || !needs_add_label(&c->policy.needs, label))
        return wrong("function", "a name of letters, digits and _ . : / + @ = -", f);
    return ERR_NONE;
}

bool calls_spec_is(const void *json, size_t bytes)
{
    static const char word[] = "\"calls\"";

    if (!memmem(json, bytes, word, sizeof word - 1))
        return false; /* without reading a study of megabytes */
    json_t *o = json_loadb(json, bytes, 0, NULL);
    bool is = json_is_object(json_object_get(o, "calls"));
    json_decref(o);
    return is;
}

enum err calls_spec_check(const void *json, size_t bytes, struct fault *f)
{
    static const char *const words[] = { "calls",   "retries",   "timeout", "exit",
                                         "exits",   "halt",      "memory",  "cores",
                                         "weight",  "priority",  "running", "max_running",
                                         "backoff", "resources", "require", "least",
                                         "after",   "speculate", "restart" };
    enum { N = sizeof words / sizeof *words };
    json_t *o = json_loadb(json, bytes, 0, NULL), *v;
    enum err err = ERR_NONE;
    const char *name;

    json_object_foreach(o, name, v)
    {
        size_t i = 0;
        while (i < N && strcmp(words[i], name) != 0)
            i++;
        const char *near = suggest_nearest(name, words, N);
        if (i == N && !err)
            err = fault_set(f, ERR_USAGE, "an array of calls has no option '%s'%s%s%s", name,
                            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    json_decref(o);
    return err;
}

enum err calls_spec_read(const void *json, size_t bytes, struct calls_spec *c, struct fault *f)
{
    json_error_t why;
    json_t *o = json_loadb(json, bytes, 0, &why);
    enum err err;

    *c = (struct calls_spec){ 0 };
    if (!json_is_object(o)) {
        fault_set(f, ERR_USAGE, "the spec of an array of calls is not a JSON object: %s",
                  o ? "it is something else" : why.text);
        json_decref(o);
        return ERR_USAGE;
    }
    err = words_of(o, c, f);
    if (!err)
        err = shares_of(o, &c->policy, f);
    if (!err)
        err = needs_of(o, &c->policy.needs, f);
    if (!err)
        err = what(o, c, f);
    if (!err)
        err = after_of(o, c, f);
    json_decref(o);
    if (err)
        calls_spec_fini(c);
    return err;
}
