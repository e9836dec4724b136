#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/needs.h"
#include "study/impl.h"
#include "study/suggest.h"
#include "study/text.h"

static enum err parse_timeout(const char *text, struct policy *p, struct fault *f);
static enum err parse_halt(const char *text, struct policy *p, struct fault *f);
static enum err parse_exits(const char *text, struct policy *p, struct fault *f);
static enum err parse_wants(const struct words *w, struct policy *p, struct fault *f,
                            struct blame *blame);

enum err policy_parse(const struct words *w, struct policy *p, struct fault *f, struct blame *blame)
{
    enum err err = ERR_NONE;

    *p = (struct policy){ .retries = w->retries,
                          .grace_ms = KILL_GRACE_MS,
                          .needs.cores = w->cores ? w->cores : 1 };
    *blame = (struct blame){ .word = WORD_RETRIES };
    if (w->retries > RETRIES_MAX)
        return fault_set(f, ERR_LIMIT, "%u retries are more than the limit of %d", w->retries,
                         RETRIES_MAX);
    blame->word = WORD_CORES;
    if (w->cores > SLOTS_MAX)
        return fault_set(f, ERR_LIMIT, "%u cores for a point are more than the limit of %d",
                         w->cores, SLOTS_MAX);
    blame->word = WORD_TIMEOUT;
    if (w->timeout)
        err = parse_timeout(w->timeout, p, f);
    if (!err && w->halt) {
        blame->word = WORD_HALT;
        err = parse_halt(w->halt, p, f);
    }
    if (!err && w->exits) {
        blame->word = WORD_EXITS;
        err = parse_exits(w->exits, p, f);
    }
    if (!err && w->memory) {
        blame->word = WORD_MEMORY;
        err = study_parse_memory(w->memory, p, f);
    }
    return err ? err : parse_wants(w, p, f, blame);
}

/* A number with at most three decimals in front of a unit, in thousandths; false when there is none
 * or it is larger than 10^12. */
static bool take_thousandths(const char **text, uint64_t *v)
{
    const char *p = *text;
    unsigned decimals = 0;

    *v = 0;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        *v = *v * 10 + (uint64_t)(*p - '0');
        if (*v > 1000000000000)
            return false;
    }
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9' && decimals < 3; p++, decimals++)
            *v = *v * 10 + (uint64_t)(*p - '0');
        if (decimals == 0)
            return false;
    }
    for (; decimals < 3; decimals++)
        *v *= 10;
    *text = p;
    return true;
}

enum duration { DURATION_GOOD, DURATION_NONE, DURATION_LONG, DURATION_SHORT };

/* "30s", "5m", "500ms", "30" (seconds); at least 1 ms, at most 49 days. */
static enum duration take_duration(const char *text, ms_t *to)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = { { "", 1000 },     { "s", 1000 },    { "ms", 1 },      { "m", 60000 },
                  { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    uint64_t v, ms;

    if (!take_thousandths(&text, &v))
        return DURATION_NONE;
    for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
        if (strcmp(text, units[k].name) != 0)
            continue;
        if (__builtin_mul_overflow(v, units[k].ms, &ms) || ms / 1000 > UINT32_MAX * 1000ULL)
            return DURATION_LONG;
        if (ms < 1000)
            return DURATION_SHORT;
        *to = (ms_t)(ms / 1000);
        return DURATION_GOOD;
    }
    return DURATION_NONE;
}

static enum err parse_timeout(const char *text, struct policy *p, struct fault *f)
{
    const char *unit = text;
    uint64_t v;

    if (take_thousandths(&unit, &v) && strcmp(unit, "%") == 0) {
        if (v < 100000 || v > 100000000 || v % 1000)
            return fault_set(
                f, ERR_USAGE,
                "timeout '%s' should be 100%% to 100000%% of the median time of a point",
                CLIP(text));
        p->timeout_percent = (uint32_t)(v / 1000);
        return ERR_NONE;
    }
    switch (take_duration(text, &p->timeout_ms)) {
    case DURATION_GOOD:
        return ERR_NONE;
    case DURATION_LONG:
        return fault_set(f, ERR_LIMIT, "timeout '%s' is longer than 49710 days", CLIP(text));
    case DURATION_SHORT:
        return fault_set(f, ERR_USAGE, "timeout '%s' is less than 1 ms; leave it out for no limit",
                         CLIP(text));
    case DURATION_NONE:
        break;
    }
    return fault_set(
        f, ERR_USAGE,
        "timeout '%s' is no duration; write 30s, 5m, 2h, 1d, 500ms or 300%% (of the median)",
        CLIP(text));
}

static enum err parse_halt(const char *text, struct policy *p, struct fault *f)
{
    static const char example[] = "write now,fail=1 or soon,fail=5%";
    const char *comma = strchr(text, ',');
    char *end;

    if (strcmp(text, "never") == 0)
        return ERR_NONE;
    if (!comma || strncmp(comma, ",fail=", 6) != 0)
        return fault_set(f, ERR_USAGE, "halt '%s' should be WHEN,fail=NUMBER; %s", CLIP(text),
                         example);
    size_t n = (size_t)(comma - text);
    if (n == 3 && memcmp(text, "now", n) == 0)
        p->halt_when = HALT_NOW;
    else if (n == 4 && memcmp(text, "soon", n) == 0)
        p->halt_when = HALT_SOON;
    else
        return fault_set(f, ERR_USAGE,
                         "halt '%s' should start with now (stop running points too) or soon (let "
                         "them end); %s",
                         CLIP(text), example);
    const char *number = comma + 6;
    unsigned long v = *number >= '0' && *number <= '9' ? strtoul(number, &end, 10) : 0;
    bool percent = v > 0 && strcmp(end, "%") == 0;
    if (v == 0 || v > POINTS_MAX || (!percent && *end) || (percent && v > 100))
        return fault_set(
            f, ERR_USAGE,
            "halt '%s' should end with a number of failed points, 1 or more, or with 1%% "
            "to 100%%; %s",
            CLIP(text), example);
    if (percent)
        p->halt_percent = (uint32_t)v;
    else
        p->halt_fails = (uint32_t)v;
    return ERR_NONE;
}

static enum err parse_exit(const char *text, size_t n, struct policy *p, struct fault *f)
{
    static const char *const actions[] = { "ok", "retry", "fail", "warn", "quarantine" };
    static const enum exit_action values[] = { EXIT_OK, EXIT_RETRY, EXIT_FATAL, EXIT_WARN,
                                               EXIT_QUARANTINE };
    enum { N = sizeof values / sizeof *values };
    char word[32], *end;

    if (n < sizeof word) {
        memcpy(word, text, n);
        word[n] = '\0';
        unsigned long code = word[0] >= '0' && word[0] <= '9' ? strtoul(word, &end, 10) : 256;
        if (code > 255)
            return fault_set(f, ERR_USAGE,
                             "exits: '%s' should start with an exit code, 0 to 255, as in 75:retry",
                             word);
        for (size_t k = 0; *end == ':' && k < N; k++) {
            if (strcmp(end + 1, actions[k]) != 0)
                continue;
            if (p->exit_action[code])
                return fault_set(f, ERR_USAGE, "exits: the exit code %lu is given twice", code);
            p->exit_action[code] = (uint8_t)values[k];
            return ERR_NONE;
        }
        const char *nearest = *end == ':' ? suggest_nearest(end + 1, actions, N) : NULL;
        return fault_set(f, ERR_USAGE,
                         "exits: '%s' should be CODE:ok, CODE:warn, CODE:retry, CODE:fail or "
                         "CODE:quarantine%s%lu:%s%s",
                         word, nearest ? "; did you mean " : ", for example ", nearest ? code : 75,
                         nearest ? nearest : "retry", nearest ? "?" : "");
    }
    return fault_set(f, ERR_USAGE,
                     "exits: '%s' should be CODE:ok, CODE:warn, CODE:retry, CODE:fail or "
                     "CODE:quarantine, for example 75:retry",
                     CLIP(text));
}

static enum err parse_exits(const char *text, struct policy *p, struct fault *f)
{
    for (const char *at = text;;) {
        size_t n = strcspn(at, ",");
        enum err err = parse_exit(at, n, p, f);
        if (err || at[n] == '\0')
            return err;
        at += n + 1;
    }
}

enum err study_parse_memory(const char *text, struct policy *p, struct fault *f)
{
    static const struct {
        const char *name;
        uint64_t kib;
    } units[] = { { "K", 1 },
                  { "KiB", 1 },
                  { "M", 1024 },
                  { "MiB", 1024 },
                  { "G", 1024 * 1024 },
                  { "GiB", 1024 * 1024 },
                  { "T", 1024 * 1024 * 1024 } };
    const char *unit = text;
    uint64_t v;

    if (take_thousandths(&unit, &v)) {
        for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
            if (strcmp(unit, units[k].name) != 0)
                continue;
            uint64_t kib;
            if (__builtin_mul_overflow(v, units[k].kib, &kib) || kib / 1000 / 1024 >= UINT32_MAX)
                return fault_set(f, ERR_LIMIT, "memory '%s' is more than any machine has",
                                 CLIP(text));
            if (kib == 0)
                return fault_set(f, ERR_USAGE, "memory '%s' is nothing; leave it out for no limit",
                                 CLIP(text));
            p->needs.memory_mib = (uint32_t)((kib + 1024000 - 1) / 1024000); /* rounded up */
            return ERR_NONE;
        }
    }
    return fault_set(f, ERR_USAGE, "memory '%s' is no amount; write 512M or 2G", CLIP(text));
}

/* --- what points ask for, and their place among others --- */

/* The next part of a text with commas, in `part`; false at the end. What is too long is cut, and is
 * wrong anyway. */
static bool take_part(const char **text, char *part, size_t bytes)
{
    if (!**text)
        return false;
    size_t n = strcspn(*text, ","), keep = n < bytes ? n : bytes - 1;
    memcpy(part, *text, keep);
    part[keep] = '\0';
    *text += n + ((*text)[n] == ',');
    return true;
}

static enum err parse_resources(const char *text, struct policy *p, struct fault *f)
{
    char part[LABEL_BYTES_MAX + 16];
    struct resource r;

    while (take_part(&text, part, sizeof part)) {
        if (!resource_parse(part, &r))
            return fault_set(f, ERR_USAGE,
                             "resource '%s' should be NAME=NUMBER, for example gpus=1", part);
        if (!needs_add_resource(&p->needs, r.name, r.amount))
            return fault_set(f, ERR_LIMIT, "a point may take at most %d resources", RESOURCES_MAX);
    }
    return ERR_NONE;
}

static enum err parse_require(const char *text, struct policy *p, struct fault *f)
{
    char part[LABEL_BYTES_MAX + 2];

    while (take_part(&text, part, sizeof part)) {
        if (!label_valid(part))
            return fault_set(
                f, ERR_USAGE,
                "label '%s' should be letters, digits and _ . : / + @ = -, at most %d, "
                "for example arch=arm",
                part, LABEL_BYTES_MAX);
        if (!needs_add_label(&p->needs, part))
            return fault_set(f, ERR_LIMIT, "a point may require at most %d labels",
                             NEEDS_LABELS_MAX);
    }
    return ERR_NONE;
}

static enum err parse_backoff(const char *text, struct policy *p, struct fault *f)
{
    const char *dots = strstr(text, "..");
    char least[32];

    if (dots && (size_t)(dots - text) < sizeof least) {
        memcpy(least, text, (size_t)(dots - text));
        least[dots - text] = '\0';
        if (!take_duration(least, &p->backoff_min_ms) &&
            !take_duration(dots + 2, &p->backoff_max_ms) && p->backoff_min_ms <= p->backoff_max_ms)
            return ERR_NONE;
    }
    return fault_set(f, ERR_USAGE,
                     "backoff '%s' should be MIN..MAX, the wait before the first retry and the "
                     "longest one, for example 1s..60s",
                     CLIP(text));
}

static enum err parse_priority(const char *text, struct policy *p, struct fault *f)
{
    char *end = NULL;
    const char *digits = text + (*text == '-');
    long v = *digits >= '0' && *digits <= '9' ? strtol(text, &end, 10) : LONG_MAX;

    if (v < -PRIORITY_MAX || v > PRIORITY_MAX || *end)
        return fault_set(f, ERR_USAGE,
                         "priority '%s' should be a whole number, %d to %d; higher "
                         "goes first and 0 is usual",
                         CLIP(text), -PRIORITY_MAX, PRIORITY_MAX);
    p->priority = (int32_t)v;
    return ERR_NONE;
}

static enum err parse_least(const char *text, struct policy *p, struct fault *f)
{
    if (take_duration(text, &p->needs.least_ms) == DURATION_GOOD)
        return ERR_NONE;
    return fault_set(
        f, ERR_USAGE,
        "least '%s' is no duration; write 30s, 5m, 2h or 1d: a point takes at least so "
        "long",
        CLIP(text));
}

static enum err parse_wants(const struct words *w, struct policy *p, struct fault *f,
                            struct blame *blame)
{
    const struct {
        enum word word;
        const char *text;
        enum err (*parse)(const char *text, struct policy *p, struct fault *f);
    } texts[] = { { WORD_RESOURCES, w->resources, parse_resources },
                  { WORD_REQUIRE, w->require, parse_require },
                  { WORD_LEAST, w->least, parse_least },
                  { WORD_BACKOFF, w->backoff, parse_backoff },
                  { WORD_PRIORITY, w->priority, parse_priority } };
    enum err err = ERR_NONE;

    for (size_t k = 0; k < sizeof texts / sizeof *texts && !err; k++) {
        *blame = (struct blame){ .word = texts[k].word };
        if (texts[k].text)
            err = texts[k].parse(texts[k].text, p, f);
    }
    p->weight = w->weight;
    p->running_max = w->max_running;
    p->speculate = w->speculate != 0;
    *blame = (struct blame){ .word = WORD_WEIGHT };
    if (!err && w->weight > WEIGHT_MAX)
        err = fault_set(f, ERR_LIMIT, "a weight of %u is more than the limit of %d", w->weight,
                        WEIGHT_MAX);
    return err;
}
