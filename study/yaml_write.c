/* yaml_write - a study as a study file. libyaml quotes what needs quotes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/must.h"
#include "study/impl.h"
#include "study/text.h"

struct writer {
    yaml_document_t document;
};

static void put_words(struct writer *w, int root, const struct words *words);
static void emit(struct writer *w, struct buf *out);

void study_to_yaml(const struct study *s, struct buf *out)
{
    struct writer w;

    must(yaml_document_initialize(&w.document, NULL, NULL, NULL, 1, 1));
    int root = yaml_document_add_mapping(&w.document, NULL, YAML_BLOCK_MAPPING_STYLE);
    must(root);
    put_words(&w, root, study_words(s));
    emit(&w, out);
}

static int append(void *data, unsigned char *text, size_t n)
{
    buf_add(data, text, n);
    return 1;
}

/* yaml_emitter_dump takes the document and deletes it. */
static void emit(struct writer *w, struct buf *out)
{
    yaml_emitter_t emitter;

    must(yaml_emitter_initialize(&emitter));
    yaml_emitter_set_output(&emitter, append, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    must(yaml_emitter_dump(&emitter, &w->document) && yaml_emitter_flush(&emitter));
    yaml_emitter_delete(&emitter);
}

/* --- nodes --- */

/* An empty text that is not quoted would be no value. All words of a study are UTF-8
 * (words_check), so libyaml takes them. */
static int text_node(struct writer *w, const char *text)
{
    yaml_scalar_style_t style = *text ? YAML_ANY_SCALAR_STYLE : YAML_SINGLE_QUOTED_SCALAR_STYLE;
    int id = yaml_document_add_scalar(&w->document, NULL, (const yaml_char_t *)text,
                                      (int)strlen(text), style);
    must(id);
    return id;
}

static void put_node(struct writer *w, int mapping, const char *key, int value)
{
    int name = text_node(w, key);
    must(yaml_document_append_mapping_pair(&w->document, mapping, name, value));
}

static void put_text(struct writer *w, int mapping, const char *key, const char *text)
{
    if (text)
        put_node(w, mapping, key, text_node(w, text));
}

static void put_number(struct writer *w, int mapping, const char *key, uint64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, n);
    if (n)
        put_node(w, mapping, key, text_node(w, text));
}

static int mapping_node(struct writer *w, yaml_mapping_style_t style)
{
    int id = yaml_document_add_mapping(&w->document, NULL, style);
    must(id);
    return id;
}

static int list_node(struct writer *w, const char *const *texts, size_t n,
                     yaml_sequence_style_t style)
{
    int list = yaml_document_add_sequence(&w->document, NULL, style);
    must(list);
    for (size_t i = 0; i < n; i++)
        must(yaml_document_append_sequence_item(&w->document, list, text_node(w, texts[i])));
    return list;
}

static void put_texts(struct writer *w, int mapping, const char *key, const char *const *texts,
                      size_t n, yaml_sequence_style_t style)
{
    if (n == 1)
        put_text(w, mapping, key, texts[0]);
    else if (n > 1)
        put_node(w, mapping, key, list_node(w, texts, n, style));
}

/* --- words --- */

static void put_pair(struct writer *w, int mapping, const char *text, size_t name_bytes)
{
    char name[NAME_BYTES_MAX + 1];

    snprintf(name, sizeof name, "%.*s", (int)name_bytes, text);
    put_text(w, mapping, name, text + name_bytes + 1);
}

/* "NAME=REST" as NAME: REST where all of them have that form, else the texts as a list. */
static void put_named(struct writer *w, int root, const char *key, const char *const *texts,
                      size_t n)
{
    bool named = true;

    for (size_t i = 0; i < n; i++) {
        size_t name_bytes = strcspn(texts[i], "=");
        named = named && texts[i][name_bytes] && name_bytes > 0 && name_bytes <= NAME_BYTES_MAX &&
                texts[i][0] != '@' && texts[i][0] != '(';
    }
    if (n == 0)
        return;
    if (!named) {
        put_node(w, root, key, list_node(w, texts, n, YAML_BLOCK_SEQUENCE_STYLE));
        return;
    }
    int mapping = mapping_node(w, YAML_BLOCK_MAPPING_STYLE);
    for (size_t i = 0; i < n; i++)
        put_pair(w, mapping, texts[i], strcspn(texts[i], "="));
    put_node(w, root, key, mapping);
}

static void put_lists(struct writer *w, int root, const struct words *words)
{
    if (words->n_lists == 0)
        return;
    int lists = yaml_document_add_sequence(&w->document, NULL, YAML_BLOCK_SEQUENCE_STYLE);
    must(lists);
    for (size_t i = 0; i < words->n_lists; i++) {
        size_t n = 0;
        while (words->lists[i][n])
            n++;
        int list = list_node(w, words->lists[i], n, YAML_FLOW_SEQUENCE_STYLE);
        must(yaml_document_append_sequence_item(&w->document, lists, list));
    }
    put_node(w, root, "lists", lists);
}

static void put_task(struct writer *w, int root, const struct words *words)
{
    if (!words->timeout && !words->retries && !words->cores && !words->memory &&
        !words->resources && !words->require && !words->least && !words->backoff &&
        !words->restart && !words->speculate)
        return;
    int task = mapping_node(w, YAML_BLOCK_MAPPING_STYLE);
    put_text(w, task, "timeout", words->timeout);
    put_number(w, task, "retries", words->retries);
    put_number(w, task, "cores", words->cores);
    put_text(w, task, "memory", words->memory);
    put_text(w, task, "resources", words->resources);
    put_text(w, task, "require", words->require);
    put_text(w, task, "least", words->least);
    put_text(w, task, "backoff", words->backoff);
    put_text(w, task, "restart", words->restart);
    put_text(w, task, "speculate", words->speculate ? "yes" : NULL);
    put_node(w, root, "task", task);
}

static void put_words(struct writer *w, int root, const struct words *words)
{
    put_text(w, root, "study", words->name);
    put_texts(w, root, "command", words->command, words->n_command, YAML_FLOW_SEQUENCE_STYLE);
    put_text(w, root, "function", words->function);
    put_named(w, root, "factors", words->factors, words->n_factors);
    put_lists(w, root, words);
    put_text(w, root, "where", words->where);
    put_text(w, root, "design", words->design);
    put_number(w, root, "n", words->n);
    put_number(w, root, "reps", words->reps > 1 ? words->reps : 0);
    put_number(w, root, "seed", words->seed);
    put_text(w, root, "code_version", words->code_version);
    put_texts(w, root, "input", words->inputs, words->n_inputs, YAML_BLOCK_SEQUENCE_STYLE);
    put_named(w, root, "metrics", words->metrics, words->n_metrics);
    put_task(w, root, words);
    put_text(w, root, "exit", words->exits);
    put_text(w, root, "halt", words->halt);
    put_text(w, root, "priority", words->priority);
    put_text(w, root, "longest_first", words->longest_first);
    put_number(w, root, "weight", words->weight);
    put_number(w, root, "max_running", words->max_running);
    if (words->shuffle)
        put_text(w, root, "shuffle", words->shuffle > 0 ? "yes" : "no");
}
