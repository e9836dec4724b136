#ifndef GRANGE_CLI_KEYS_H
#define GRANGE_CLI_KEYS_H
/* keys - the calls of a study as people name them: KEY:INDEX, or INDEX where the study has one key
 * alone. */

#include "cli/look.h"
#include "study/calls.h"

struct key {
    array_id id;
    task_id first;
    uint64_t n, at; /* at: its first call among all of the study, in this order */
    char *key, *spec;
    size_t spec_bytes;
};

struct keys { /* oldest first */
    struct key *items;
    size_t n;
    uint64_t n_calls;
};

/* keys_read - those of the study that l looks at. The caller's to keys_fini, also after a
 * failure. */
enum err keys_read(struct look *l, struct keys *k, struct fault *f);
void keys_fini(struct keys *k);

/* keys_of - whose call the task is; NULL: of none of them. */
const struct key *keys_of(const struct keys *k, task_id task);
/* keys_name - KEY:INDEX or INDEX. */
void keys_name(const struct keys *k, const struct key *key, uint64_t index, struct buf *out);
/* keys_find - what was typed. ERR_NOT_FOUND and ERR_USAGE say what is there. */
enum err keys_find(const struct keys *k, const char *study, const char *text,
                   const struct key **key, uint64_t *index, struct fault *f);

/* keys_what - the command or the function of a call, in one line of at most `max` bytes. */
enum err keys_what(struct look *l, const struct key *key, const struct calls_spec *spec,
                   uint64_t index, size_t max, struct buf *out, struct fault *f);

/* rule_words - "any", "failure", "either", "same worker": "" for the usual rule. */
void rule_words(uint8_t rule, bool element, struct buf *out);

#endif
