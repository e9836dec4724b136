#include "study/yaml_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "study/text.h"

size_t node_line(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

const char *node_kind(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE     ? "a text"
           : node->type == YAML_SEQUENCE_NODE ? "a list"
                                              : "a mapping";
}

enum err node_wrong(struct file_words *y, const yaml_node_t *node, const char *format, ...)
{
    char words[FAULT_TEXT_MAX - 200];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    return fault_set(y->f, ERR_USAGE, "%s:%zu: %s", y->path, node_line(node), words);
}

const yaml_node_t *node_at(struct file_words *y, int id)
{
    const yaml_node_t *node = yaml_document_get_node(&y->document, id);
    must(node);
    return node;
}

const char *node_text(struct file_words *y, const yaml_node_t *node, const char *what)
{
    if (node->type != YAML_SCALAR_NODE)
        return node_wrong(y, node, "%s must be a text or a number, not %s", what, node_kind(node)),
               NULL;
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) != node->data.scalar.length)
        return node_wrong(y, node, "%s has a zero byte", what), NULL;
    if (!*text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return node_wrong(y, node, "%s has no value; an empty text is ''", what), NULL;
    return text;
}

size_t node_items(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

const yaml_node_t *node_item(struct file_words *y, const yaml_node_t *list, size_t i)
{
    return node_at(y, list->data.sequence.items.start[i]);
}

size_t node_pairs(const yaml_node_t *mapping)
{
    return (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start);
}

enum err node_pairs_check(struct file_words *y, const yaml_node_t *node, const char *what)
{
    if (node->type != YAML_MAPPING_NODE)
        return node_wrong(y, node, "%s must be a mapping (KEY: VALUE), not %s", what,
                          node_kind(node));
    for (size_t i = 0; i < node_pairs(node); i++) {
        const yaml_node_t *key = node_pair(y, node, i).key;
        const char *name = node_text(y, key, "a key");
        if (!name)
            return ERR_USAGE;
        for (size_t j = 0; j < i; j++) {
            const yaml_node_t *other = node_pair(y, node, j).key;
            if (strcmp(name, (const char *)other->data.scalar.value) == 0)
                return node_wrong(y, key, "key '%s' was given on line %zu already", CLIP(name),
                                  node_line(other));
        }
        if (i >= FACTORS_MAX + METRICS_MAX)
            return node_wrong(y, key, "%s has more than %d keys", what, FACTORS_MAX + METRICS_MAX);
    }
    return ERR_NONE;
}

struct pair node_pair(struct file_words *y, const yaml_node_t *mapping, size_t i)
{
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start + i;
    const yaml_node_t *key = node_at(y, pair->key);
    return (struct pair){ (const char *)key->data.scalar.value, key, node_at(y, pair->value) };
}
