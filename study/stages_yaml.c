/* `after` of a stage:
 *
 *   after: mesh                          all points of mesh have succeeded
 *   after: [mesh, table]                 of both
 *   after: {simulate: each}              point i after its point i
 *   after: {simulate: [any, failure]}    one of its points has failed
 */
#include <string.h>

#include "study/suggest.h"
#include "study/text.h"
#include "study/yaml_impl.h"

static enum err read_how(struct file_words *y, const yaml_node_t *node, struct after *a)
{
    static const char *const words[] = { "all", "any", "each", "success", "failure", "either" };
    const char *text = node_text(y, node, "key 'after'");

    if (!text)
        return ERR_USAGE;
    if (strcmp(text, "each") == 0)
        a->each = true;
    else if (strcmp(text, "any") == 0)
        a->any = true;
    else if (strcmp(text, "failure") == 0)
        a->on = AFTER_FAILURE;
    else if (strcmp(text, "either") == 0)
        a->on = AFTER_EITHER;
    else if (strcmp(text, "all") != 0 && strcmp(text, "success") != 0) {
        const char *near = suggest_nearest(text, words, sizeof words / sizeof *words);
        return node_wrong(y, node,
                          "key 'after': '%s' must be all, any or each, and success, "
                          "failure or either%s%s%s",
                          CLIP(text), near ? "; did you mean '" : "", near ? near : "",
                          near ? "'?" : "");
    }
    return ERR_NONE;
}

static enum err read_pair(struct file_words *y, struct pair pair, struct after *a)
{
    bool list = pair.value->type == YAML_SEQUENCE_NODE;
    enum err err = ERR_NONE;

    a->stage = pair.name;
    for (size_t i = 0; i < (list ? node_items(pair.value) : 1) && !err; i++)
        err = read_how(y, list ? node_item(y, pair.value, i) : pair.value, a);
    if (!err && a->each && a->any)
        err = node_wrong(y, pair.value, "key 'after': each and any exclude each other");
    return err;
}

static enum err check_twice(struct file_words *y, const yaml_node_t *node,
                            const struct after *after, size_t n)
{
    for (size_t k = 0; k + 1 < n; k++)
        if (strcmp(after[k].stage, after[n - 1].stage) == 0)
            return node_wrong(y, node, "key 'after': stage '%s' stands there twice",
                              CLIP(after[k].stage));
    return ERR_NONE;
}

enum err stage_after_read(struct file_words *y, const yaml_node_t *value)
{
    bool list = value->type == YAML_SEQUENCE_NODE, map = value->type == YAML_MAPPING_NODE;
    enum err err = map ? node_pairs_check(y, value, "key 'after'") : ERR_NONE;
    size_t n = err ? 0 : list ? node_items(value) : map ? node_pairs(value) : 1;
    struct after *after = arena_array(&y->arena, n + 1, sizeof *after);
    size_t *lines = arena_array(&y->arena, n + 1, sizeof *lines);

    for (size_t k = 0; k < n && !err; k++) {
        const yaml_node_t *node = list ? node_item(y, value, k) : value;
        if (map) {
            node = node_pair(y, value, k).key;
            err = read_pair(y, node_pair(y, value, k), &after[k]);
        } else {
            after[k].stage = node_text(y, node, "key 'after'");
            err = after[k].stage ? ERR_NONE : ERR_USAGE;
        }
        lines[k] = node_line(node);
        if (!err)
            err = check_twice(y, node, after, k + 1);
    }
    y->words.after = after;
    y->words.n_after = n;
    y->places[WORD_AFTER].lines = lines;
    y->places[WORD_AFTER].n = n;
    return err;
}
