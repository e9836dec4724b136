#include "tests/scenario/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void words_wrong(const struct words *w, const char *why, const char *what)
{
    fprintf(stderr, "%s:%d: %s: '%s'\n", w->file, w->line, why, what);
    exit(2);
}

void words_split(struct words *w, const char *file, int line, const char *text)
{
    char *save = NULL;

    memset(w, 0, sizeof *w);
    w->file = file;
    w->line = line;
    if ((size_t)snprintf(w->text, sizeof w->text, "%s", text) >= sizeof w->text)
        words_wrong(w, "line is too long", text);
    for (char *p = strtok_r(w->text, " \t", &save); p; p = strtok_r(NULL, " \t", &save)) {
        if (w->n == WORDS_MAX)
            words_wrong(w, "too many words", p);
        w->word[w->n++] = p;
    }
}

const char *words_next(struct words *w)
{
    for (; w->next < w->n; w->next++)
        if (!w->used[w->next] && !strchr(w->word[w->next], '=')) {
            w->used[w->next] = true;
            return w->word[w->next++];
        }
    return NULL;
}

const char *words_need(struct words *w, const char *what)
{
    const char *p = words_next(w);

    if (!p)
        words_wrong(w, "something is missing", what);
    return p;
}

bool words_flag(struct words *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++)
        if (!w->used[i] && strcmp(w->word[i], name) == 0) {
            w->used[i] = true;
            return true;
        }
    return false;
}

const char *words_value(struct words *w, const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < w->n; i++)
        if (!w->used[i] && strncmp(w->word[i], key, n) == 0 && w->word[i][n] == '=') {
            w->used[i] = true;
            return w->word[i] + n + 1;
        }
    return NULL;
}

int64_t words_number(struct words *w, const char *key, int64_t missing)
{
    const char *p = words_value(w, key);
    char *end;

    if (!p)
        return missing;
    int64_t value = strtoll(p, &end, 10);
    if (end == p || *end)
        words_wrong(w, "not a number", p);
    return value;
}

void words_done(const struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (!w->used[i])
            words_wrong(w, "unknown or repeated word", w->word[i]);
}

uint64_t words_id(struct words *w, const char *text, char letter)
{
    char *end;

    if (*text != letter)
        words_wrong(w, "wrong kind of name", text);
    uint64_t n = strtoull(text + 1, &end, 10);
    if (end == text + 1 || *end)
        words_wrong(w, "not a name with a number", text);
    return n;
}

lease_id words_lease(struct words *w, const char *text, task_id *task)
{
    unsigned long long t = 0;
    unsigned epoch, sequence;
    int n = 0;

    if (task)
        task->n = 0;
    if (sscanf(text, "t%llu/%u.%u%n", &t, &epoch, &sequence, &n) != 3 &&
        sscanf(text, "%u.%u%n", &epoch, &sequence, &n) != 2)
        words_wrong(w, "not a lease (1.1 or t1/1.1)", text);
    if (text[n])
        words_wrong(w, "not a lease (1.1 or t1/1.1)", text);
    if (task)
        task->n = t;
    return lease_make(epoch, sequence);
}
