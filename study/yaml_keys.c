#include "study/yaml_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/suggest.h"
#include "study/text.h"

enum { KEYS_MAX = 32 }; /* in one table of keys below */

struct key {
    const char *name;
    enum err (*read)(struct file_words *y, const struct key *key, const yaml_node_t *value);
    enum word word;
    size_t offset; /* of what is set, in struct words */
};

/* Whether a key may stand here: some are only of a stage, some only of a whole file. */
static bool fits(const struct file_words *y, const struct key *key)
{
    if (key->word == WORD_AFTER)
        return y->in_stage;
    return !y->in_stage || (key->word != WORD_NAME && key->word != WORD_STAGES);
}

static const char *joined(struct file_words *y, const char *a, const char *b, const char *c)
{
    char *text = arena_take(&y->arena, strlen(a) + strlen(b) + strlen(c) + 1);
    strcpy(stpcpy(stpcpy(text, a), b), c);
    return text;
}

static enum err unknown_key(struct file_words *y, const yaml_node_t *node, const char *name,
                            const struct key *keys, const char *within)
{
    const char *names[KEYS_MAX];
    struct buf all = { 0 };
    size_t n = 0;

    for (; keys->name; keys++) {
        if (!fits(y, keys))
            continue;
        buf_addf(&all, "%s%s", n ? ", " : "", keys->name);
        names[n++] = keys->name;
    }
    const char *near = suggest_nearest(name, names, n);
    if (near)
        node_wrong(y, node, "key '%s' is not known; did you mean '%s'?", CLIP(name), near);
    else
        node_wrong(y, node, "key '%s' is not known; %s may have: %s", CLIP(name), within, all.data);
    buf_fini(&all);
    return ERR_USAGE;
}

static enum err read_keys(struct file_words *y, const yaml_node_t *node, const struct key *keys,
                          const char *within)
{
    enum err err = node_pairs_check(y, node, within);

    for (size_t i = 0; err == ERR_NONE && i < node_pairs(node); i++) {
        struct pair pair = node_pair(y, node, i);
        const struct key *key = keys;
        while (key->name && (!fits(y, key) || strcmp(key->name, pair.name) != 0))
            key++;
        if (!key->name)
            return unknown_key(y, pair.key, pair.name, keys, within);
        if (key->word != WORD_NONE)
            y->places[key->word].line = node_line(pair.key);
        err = key->read(y, key, pair.value);
    }
    return err;
}

static const char *key_words(const struct key *key, char *out, size_t n)
{
    snprintf(out, n, "key '%s'", key->name);
    return out;
}
#define KEY_WORDS(key) key_words(key, (char[40]){ 0 }, 40)

static enum err read_text(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    const char *text = node_text(y, value, KEY_WORDS(key));
    if (!text)
        return ERR_USAGE;
    const char **to = (const char **)(void *)((char *)&y->words + key->offset);
    *to = text;
    return ERR_NONE;
}

static enum err read_number(struct file_words *y, const struct key *key, const yaml_node_t *value,
                            uint64_t max, uint64_t *n)
{
    const char *text = node_text(y, value, KEY_WORDS(key));
    char *end;

    if (!text)
        return ERR_USAGE;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (strspn(text, "0123456789") == 0 || *end)
        return node_wrong(y, value, "key '%s': '%s' is no whole number", key->name, CLIP(text));
    if (errno || number > max)
        return node_wrong(y, value, "key '%s': %s is larger than %" PRIu64, key->name, CLIP(text),
                          max);
    *n = number;
    return ERR_NONE;
}

static enum err read_u32(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    uint64_t n = 0;
    enum err err = read_number(y, key, value, UINT32_MAX, &n);
    uint32_t *to = (uint32_t *)(void *)((char *)&y->words + key->offset);
    *to = (uint32_t)n;
    return err;
}

static enum err read_u64(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    uint64_t *to = (uint64_t *)(void *)((char *)&y->words + key->offset);
    return read_number(y, key, value, UINT64_MAX, to);
}

/* The texts of a list, or of a single text; their lines become those of the key's word. NULL: said.
 */
static const char *const *texts_of(struct file_words *y, const struct key *key,
                                   const yaml_node_t *value, size_t *n)
{
    bool list = value->type == YAML_SEQUENCE_NODE;
    if (value->type == YAML_MAPPING_NODE) {
        node_wrong(y, value, "key '%s' must be a text or a list of texts, not a mapping",
                   key->name);
        return NULL;
    }
    *n = list ? node_items(value) : 1;
    const char **texts = arena_array(&y->arena, *n + 1, sizeof *texts);
    size_t *lines = arena_array(&y->arena, *n + 1, sizeof *lines);
    for (size_t i = 0; i < *n; i++) {
        const yaml_node_t *node = list ? node_item(y, value, i) : value;
        lines[i] = node_line(node);
        texts[i] = node_text(y, node, KEY_WORDS(key));
        if (!texts[i])
            return NULL;
    }
    y->places[key->word].lines = lines;
    y->places[key->word].n = *n;
    return texts;
}

static enum err read_command(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    y->words.command = texts_of(y, key, value, &y->words.n_command);
    return y->words.command ? ERR_NONE : ERR_USAGE;
}

static enum err read_inputs(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    if (y->words.n_inputs)
        return node_wrong(y, value, "key '%s': 'input' and 'inputs' are the same; give one of them",
                          key->name);
    y->words.inputs = texts_of(y, key, value, &y->words.n_inputs);
    return y->words.inputs ? ERR_NONE : ERR_USAGE;
}

/* --- factors, lists, metrics --- */

/* NAME: GENERATOR or NAME: [value, ...] as "NAME=GENERATOR". Values of a list are literal. */
static const char *factor_text(struct file_words *y, struct pair factor)
{
    const char *name = factor.name;
    const yaml_node_t *value = factor.value;
    char what[NAME_BYTES_MAX + 32];

    snprintf(what, sizeof what, "factor '%.*s'", NAME_BYTES_MAX, name);
    if (!*name || strchr(name, '=') || *name == '@' || *name == '(') {
        node_wrong(y, factor.key,
                   "'%s' is no name of a factor; tables and zipped factors are items of a list, as "
                   "in: [\"@points.csv\", \"(a=1,2 + b=x,y)\"]",
                   CLIP(name));
        return NULL;
    }
    if (value->type != YAML_SEQUENCE_NODE) {
        const char *text = node_text(y, value, what);
        return text ? joined(y, name, "=", text) : NULL;
    }
    if (node_items(value) == 0)
        return node_wrong(y, value, "%s has no values", what), NULL;
    struct buf text = { 0 };
    buf_addf(&text, "%s=", name);
    bool ok = true;
    for (size_t i = 0; ok && i < node_items(value); i++) {
        const char *one = node_text(y, node_item(y, value, i), what);
        ok = one != NULL;
        if (i)
            buf_addc(&text, ',');
        if (ok)
            factor_add_item(&text, one);
    }
    const char *kept = ok ? arena_text(&y->arena, text.data) : NULL;
    buf_fini(&text);
    return kept;
}

/* An item of a list of factors: a text as on the command line, or NAME: VALUES. */
static const char *factor_item(struct file_words *y, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE)
        return node_text(y, node, "a factor");
    if (node_pairs_check(y, node, "a factor") != ERR_NONE)
        return NULL;
    if (node_pairs(node) != 1) {
        node_wrong(y, node, "an item of 'factors' is one factor; this one has %zu",
                   node_pairs(node));
        return NULL;
    }
    return factor_text(y, node_pair(y, node, 0));
}

static enum err read_factors(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    bool list = value->type == YAML_SEQUENCE_NODE;
    enum err err = list ? ERR_NONE : node_pairs_check(y, value, KEY_WORDS(key));
    if (err != ERR_NONE)
        return err;
    size_t n = list ? node_items(value) : node_pairs(value);
    const char **texts = arena_array(&y->arena, n + 1, sizeof *texts);
    size_t *lines = arena_array(&y->arena, n + 1, sizeof *lines);
    for (size_t i = 0; i < n; i++) {
        lines[i] = node_line(list ? node_item(y, value, i) : node_pair(y, value, i).key);
        texts[i] =
            list ? factor_item(y, node_item(y, value, i)) : factor_text(y, node_pair(y, value, i));
        if (!texts[i])
            return ERR_USAGE;
    }
    y->words.factors = texts;
    y->words.n_factors = n;
    y->places[key->word].lines = lines;
    y->places[key->word].n = n;
    return ERR_NONE;
}

static enum err read_lists(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    if (value->type != YAML_SEQUENCE_NODE)
        return node_wrong(y, value, "key 'lists' must be a list of lists, not %s",
                          node_kind(value));
    size_t n = node_items(value), n_values;
    const char *const **lists = arena_array(&y->arena, n + 1, sizeof *lists);
    size_t *lines = arena_array(&y->arena, n + 1, sizeof *lines);
    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *list = node_item(y, value, i);
        if (list->type != YAML_SEQUENCE_NODE)
            return node_wrong(y, list, "key 'lists' must be a list of lists; this item is %s",
                              node_kind(list));
        lines[i] = node_line(list);
        lists[i] = texts_of(y, key, list, &n_values);
        if (!lists[i])
            return ERR_USAGE;
    }
    y->words.lists = lists;
    y->words.n_lists = n;
    y->places[WORD_LISTS].lines = lines;
    y->places[WORD_LISTS].n = n;
    return ERR_NONE;
}

static enum err read_metrics(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    if (value->type != YAML_MAPPING_NODE) {
        y->words.metrics = texts_of(y, key, value, &y->words.n_metrics);
        return y->words.metrics ? ERR_NONE : ERR_USAGE;
    }
    enum err err = node_pairs_check(y, value, "key 'metrics'");
    if (err != ERR_NONE)
        return err;
    size_t n = node_pairs(value);
    const char **texts = arena_array(&y->arena, n + 1, sizeof *texts);
    size_t *lines = arena_array(&y->arena, n + 1, sizeof *lines);
    for (size_t i = 0; i < n; i++) {
        struct pair pair = node_pair(y, value, i);
        char what[NAME_BYTES_MAX + 32];
        snprintf(what, sizeof what, "metric '%.*s'", NAME_BYTES_MAX, pair.name);
        const char *text = node_text(y, pair.value, what);
        if (!text)
            return ERR_USAGE;
        texts[i] = joined(y, pair.name, "=", text);
        lines[i] = node_line(pair.key);
    }
    y->words.metrics = texts;
    y->words.n_metrics = n;
    y->places[WORD_METRICS].lines = lines;
    y->places[WORD_METRICS].n = n;
    return ERR_NONE;
}

/* --- design, exit, shuffle, task --- */

static const struct key design_keys[] = {
    { "kind", read_text, WORD_DESIGN, offsetof(struct words, design) },
    { "n", read_u64, WORD_N, offsetof(struct words, n) },
    { 0 },
};

static enum err read_design(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    if (value->type == YAML_MAPPING_NODE)
        return read_keys(y, value, design_keys, "a design");
    return read_text(y, key, value);
}

static enum err read_exit(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    if (value->type == YAML_SCALAR_NODE)
        return read_text(y, key, value);
    enum err err = node_pairs_check(y, value, "key 'exit'");
    if (err != ERR_NONE)
        return err;
    const char *all = "";
    for (size_t i = 0; i < node_pairs(value); i++) {
        struct pair pair = node_pair(y, value, i);
        const char *code = pair.name, *action = node_text(y, pair.value, KEY_WORDS(key));
        if (!action)
            return ERR_USAGE;
        if (strpbrk(code, ",:") || strpbrk(action, ",:"))
            return node_wrong(
                y, pair.key,
                "key 'exit': '%s: %s' must be a status and retry, fail, ok, warn or quarantine",
                CLIP(code), CLIP(action));
        all = joined(y, all, *all ? "," : "", joined(y, code, ":", action));
    }
    y->words.exits = *all ? all : NULL;
    return ERR_NONE;
}

static enum err read_yes(struct file_words *y, const struct key *key, const yaml_node_t *value,
                         bool *yes)
{
    const char *text = node_text(y, value, KEY_WORDS(key));
    if (!text)
        return ERR_USAGE;
    *yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
    if (!*yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0)
        return node_wrong(y, value, "key '%s': '%s' must be yes or no", key->name, CLIP(text));
    return ERR_NONE;
}

static enum err read_shuffle(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    bool yes = false;
    enum err err = read_yes(y, key, value, &yes);
    y->words.shuffle = yes ? 1 : -1;
    return err;
}

static enum err read_speculate(struct file_words *y, const struct key *key,
                               const yaml_node_t *value)
{
    bool yes = false;
    enum err err = read_yes(y, key, value, &yes);
    y->words.speculate = yes;
    return err;
}

/* "gpus=1,disk=20" also as {gpus: 1, disk: 20} or as a list. */
static enum err read_joined(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    bool map = value->type == YAML_MAPPING_NODE, list = value->type == YAML_SEQUENCE_NODE;
    const char *all = "";

    if (!map && !list)
        return read_text(y, key, value);
    if (map && node_pairs_check(y, value, KEY_WORDS(key)))
        return ERR_USAGE;
    for (size_t i = 0; i < (map ? node_pairs(value) : node_items(value)); i++) {
        struct pair pair = { 0 };
        if (map)
            pair = node_pair(y, value, i);
        const yaml_node_t *node = map ? pair.value : node_item(y, value, i);
        const char *text = node_text(y, node, KEY_WORDS(key));
        if (!text)
            return ERR_USAGE;
        if (map)
            text = joined(y, pair.name, "=", text);
        all = joined(y, all, *all ? "," : "", text);
    }
    const char **to = (const char **)(void *)((char *)&y->words + key->offset);
    *to = *all ? all : NULL;
    return ERR_NONE;
}

static const struct key task_keys[] = {
    { "timeout", read_text, WORD_TIMEOUT, offsetof(struct words, timeout) },
    { "retries", read_u32, WORD_RETRIES, offsetof(struct words, retries) },
    { "cores", read_u32, WORD_CORES, offsetof(struct words, cores) },
    { "memory", read_text, WORD_MEMORY, offsetof(struct words, memory) },
    { "resources", read_joined, WORD_RESOURCES, offsetof(struct words, resources) },
    { "require", read_joined, WORD_REQUIRE, offsetof(struct words, require) },
    { "least", read_text, WORD_LEAST, offsetof(struct words, least) },
    { "backoff", read_text, WORD_BACKOFF, offsetof(struct words, backoff) },
    { "restart", read_text, WORD_RESTART, offsetof(struct words, restart) },
    { "speculate", read_speculate, WORD_SPECULATE, 0 },
    { 0 },
};

static enum err read_task(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    (void)key;
    return read_keys(y, value, task_keys, "key 'task'");
}

static enum err read_stages(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    y->stages = value;
    return node_pairs_check(y, value, KEY_WORDS(key));
}

static enum err read_after(struct file_words *y, const struct key *key, const yaml_node_t *value)
{
    (void)key;
    return stage_after_read(y, value);
}

static const struct key top_keys[] = {
    { "study", read_text, WORD_NAME, offsetof(struct words, name) },
    { "after", read_after, WORD_AFTER, 0 },
    { "command", read_command, WORD_COMMAND, 0 },
    { "function", read_text, WORD_FUNCTION, offsetof(struct words, function) },
    { "factors", read_factors, WORD_FACTORS, 0 },
    { "lists", read_lists, WORD_LISTS, 0 },
    { "where", read_text, WORD_WHERE, offsetof(struct words, where) },
    { "reps", read_u32, WORD_REPS, offsetof(struct words, reps) },
    { "seed", read_u64, WORD_NONE, offsetof(struct words, seed) },
    { "design", read_design, WORD_DESIGN, offsetof(struct words, design) },
    { "n", read_u64, WORD_N, offsetof(struct words, n) },
    { "code_version", read_text, WORD_CODE_VERSION, offsetof(struct words, code_version) },
    { "input", read_inputs, WORD_INPUTS, 0 },
    { "inputs", read_inputs, WORD_INPUTS, 0 },
    { "metrics", read_metrics, WORD_METRICS, 0 },
    { "task", read_task, WORD_NONE, 0 },
    { "exit", read_exit, WORD_EXITS, offsetof(struct words, exits) },
    { "halt", read_text, WORD_HALT, offsetof(struct words, halt) },
    { "priority", read_text, WORD_PRIORITY, offsetof(struct words, priority) },
    { "longest_first", read_text, WORD_LONGEST_FIRST, offsetof(struct words, longest_first) },
    { "weight", read_u32, WORD_WEIGHT, offsetof(struct words, weight) },
    { "max_running", read_u32, WORD_MAX_RUNNING, offsetof(struct words, max_running) },
    { "shuffle", read_shuffle, WORD_NONE, 0 },
    { "stages", read_stages, WORD_STAGES, 0 },
    { 0 },
};

enum err file_words_read(struct file_words *y, const yaml_node_t *root)
{
    return read_keys(y, root, top_keys, y->in_stage ? "a stage" : "the study file");
}
