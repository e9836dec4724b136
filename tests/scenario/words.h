#ifndef GRANGE_TESTS_WORDS_H
#define GRANGE_TESTS_WORDS_H
/* words - one line of a scenario, split at blanks. A word is used once it was asked for; what
 * nobody asked for is a spelling mistake, which words_done reports. Mistakes end the program with
 * file and line. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

enum { WORDS_MAX = 64 };
struct words {
    const char *file;
    int line;
    char text[2048];
    char *word[WORDS_MAX];
    bool used[WORDS_MAX];
    size_t n, next;
};

void words_split(struct words *w, const char *file, int line, const char *text);
/* words_next - the next word that is not key=value; NULL when there is none. */
const char *words_next(struct words *w);
const char *words_need(struct words *w, const char *what);
bool words_flag(struct words *w, const char *name);        /* a word of that spelling */
const char *words_value(struct words *w, const char *key); /* of key=value, or NULL */
int64_t words_number(struct words *w, const char *key, int64_t missing);
_Noreturn void words_wrong(const struct words *w, const char *why, const char *what);
void words_done(const struct words *w);

/* Names: s1, a1, t1, #1; a lease is "1.2" or "t1/1.2" (*task is then set). */
uint64_t words_id(struct words *w, const char *text, char letter);
lease_id words_lease(struct words *w, const char *text, task_id *task);

#endif
