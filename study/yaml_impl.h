#ifndef GRANGE_STUDY_YAML_IMPL_H
#define GRANGE_STUDY_YAML_IMPL_H
/* yaml_impl - what the files that read a study file share: yaml.c (the file), yaml_node.c (one node
 * of it), yaml_keys.c (what each key means). */

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "study/impl.h"

enum { N_WORDS = WORD_CWD + 1 };

/* Where each word and each of its items stands in the file, for messages; line 0: not in the file.
 */
struct place {
    size_t line;
    const size_t *lines; /* [n] of the items */
    size_t n;
    bool over; /* it was given beside the file */
};

/* struct file_words - a study file while it is read. Texts live in the document or the arena. */
struct file_words {
    const char *path;
    struct fault *f;
    struct arena arena;
    yaml_document_t document;
    struct words words;
    struct place places[N_WORDS];
    const yaml_node_t *stages; /* the value of `stages`, or NULL */
    bool in_stage;             /* one of them is read */
};

/* yaml.c. file_words_open - the document of a study file and its root; file_words_close afterwards.
 * file_words_make - a study of the words that were read. */
enum err file_words_open(struct file_words *y, const char *path, const yaml_node_t **root,
                         struct fault *f);
void file_words_close(struct file_words *y);
enum err file_words_make(struct file_words *y, const char *cwd, const struct words *over,
                         struct study **s);

/* yaml_keys.c: words and places from the root of the document, or from one stage. */
enum err file_words_read(struct file_words *y, const yaml_node_t *root);

/* stages_yaml.c: the value of `after` in a stage, as words.after without specs. */
enum err stage_after_read(struct file_words *y, const yaml_node_t *value);

/* yaml_node.c. What is wrong is said in *y->f, with the file and the line of the node. */
__attribute__((format(printf, 3, 4))) enum err
node_wrong(struct file_words *y, const yaml_node_t *node, const char *format, ...);
size_t node_line(const yaml_node_t *node);
const char *node_kind(const yaml_node_t *node); /* "a list" */
const yaml_node_t *node_at(struct file_words *y, int id);
size_t node_items(const yaml_node_t *list);
const yaml_node_t *node_item(struct file_words *y, const yaml_node_t *list, size_t i);
/* node_text - the text of a scalar, as spelled; NULL when it is none and that was said. Borrowed
 * from the document. */
const char *node_text(struct file_words *y, const yaml_node_t *node, const char *what);

/* node_pairs_check - that a node is a mapping whose keys are texts, each there once. Afterwards its
 * pairs may be asked for. */
enum err node_pairs_check(struct file_words *y, const yaml_node_t *node, const char *what);
size_t node_pairs(const yaml_node_t *mapping);
struct pair {
    const char *name;
    const yaml_node_t *key, *value;
};
struct pair node_pair(struct file_words *y, const yaml_node_t *mapping, size_t i);

#endif
