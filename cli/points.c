#include "cli/points.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/must.h"
#include "cli/cli.h"
#include "cli/keys.h"
#include "cli/signals.h"
#include "client/inside.h"

static enum err number(const char *text, uint64_t *index, struct fault *f)
{
    char *end = NULL;
    *index = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && !*end && *index < POINTS_MAX)
        return ERR_NONE;
    return fault_set(f, ERR_USAGE,
                     "'%.100s' is no index of a point; values can be named only where "
                     "the farm's directory is",
                     text);
}

static enum err too_many(size_t n, struct fault *f)
{
    return fault_set(f, ERR_LIMIT, "%zu points were named; at most %d can be at a time", n,
                     (int)POINTS_NAMED_MAX);
}

enum err points_find(const struct study *s, const char *const *texts, size_t n, uint64_t **index,
                     struct fault *f)
{
    *index = NULL;
    if (n > POINTS_NAMED_MAX)
        return too_many(n, f);
    *index = calloc(n + 1, sizeof **index);
    must(*index);
    enum err err = ERR_NONE;
    for (size_t i = 0; i < n && !err; i++)
        err = s ? study_find(s, texts[i], &(*index)[i], f) : number(texts[i], &(*index)[i], f);
    if (err) {
        free(*index);
        *index = NULL;
    }
    return err;
}

enum err points_calls(struct look *l, const char *const *texts, size_t n, uint32_t *array,
                      uint64_t **index, struct fault *f)
{
    struct keys keys;
    const struct key *key = NULL, *first = NULL;
    enum err err = keys_read(l, &keys, f);
    *array = 0;
    *index = NULL;
    if (!err && n > POINTS_NAMED_MAX)
        err = too_many(n, f);
    *index = calloc(n + 1, sizeof **index);
    must(*index);
    for (size_t i = 0; i < n && !err; i++) {
        err = keys_find(&keys, l->row.name, texts[i], &key, &(*index)[i], f);
        first = first ? first : key;
        if (!err && key != first)
            err = fault_set(f, ERR_USAGE,
                            "calls of one key at a time; '%.100s' and '%.100s' were given",
                            texts[0], texts[i]);
    }
    *array = first ? first->id.n : 0;
    keys_fini(&keys);
    if (err) {
        free(*index);
        *index = NULL;
    }
    return err;
}

enum err points_ask(const char *url, const struct points *p, uint64_t *touched, struct fault *f)
{
    struct grange *g = NULL;
    char why[FAULT_TEXT_MAX / 2];
    int rc = grange_connect(url, DIAL_MS, &g, why, sizeof why);
    if (rc)
        return fault_set(f, (enum err)rc, "cannot connect to the scheduler: %s", why);
    signals_asked(SIGNALS_FARM);
    rc = client_points(g, p->retry, p->study, p->array, p->index, p->n, REQUEST_MS, touched);
    enum err err = rc ? fault_set(f, (enum err)rc, "%s", grange_message(g)) : ERR_NONE;
    grange_close(g);
    return err;
}

void points_say_none(const char *study, bool named)
{
    cli_say("nothing of %s runs again: %s", study,
            named ? "what was named has not ended, or is skipped"
                  : "nothing had failed, was cancelled or given up");
}
