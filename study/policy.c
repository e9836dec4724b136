#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "study/impl.h"
#include "study/suggest.h"
#include "study/text.h"

static enum err parse_timeout(const char *text, struct policy *p, struct fault *f);
static enum err parse_halt(const char *text, struct policy *p, struct fault *f);
static enum err parse_exits(const char *text, struct policy *p, struct fault *f);
static enum err parse_memory(const char *text, struct policy *p, struct fault *f);

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
        err = parse_memory(w->memory, p, f);
    }
    return err;
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

static enum err parse_timeout(const char *text, struct policy *p, struct fault *f)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = { { "", 1000 },     { "s", 1000 },    { "ms", 1 },      { "m", 60000 },
                  { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    const char *unit = text;
    uint64_t v;

    if (take_thousandths(&unit, &v)) {
        if (strcmp(unit, "%") == 0) {
            if (v < 100000 || v > 100000000 || v % 1000)
                return fault_set(
                    f, ERR_USAGE,
                    "timeout '%s' should be 100%% to 100000%% of the median time of a point",
                    CLIP(text));
            p->timeout_percent = (uint32_t)(v / 1000);
            return ERR_NONE;
        }
        for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
            if (strcmp(unit, units[k].name) != 0)
                continue;
            uint64_t ms;
            if (__builtin_mul_overflow(v, units[k].ms, &ms) || ms / 1000 > UINT32_MAX * 1000ULL)
                return fault_set(f, ERR_LIMIT, "timeout '%s' is longer than 49 days", CLIP(text));
            if (ms < 1000)
                return fault_set(f, ERR_USAGE,
                                 "timeout '%s' is less than 1 ms; leave it out for no limit",
                                 CLIP(text));
            p->timeout_ms = (ms_t)(ms / 1000);
            return ERR_NONE;
        }
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
    static const char *const actions[] = { "ok", "retry", "fail" };
    static const enum exit_action values[] = { EXIT_OK, EXIT_RETRY, EXIT_FATAL };
    char word[32], *end;

    if (n < sizeof word) {
        memcpy(word, text, n);
        word[n] = '\0';
        unsigned long code = word[0] >= '0' && word[0] <= '9' ? strtoul(word, &end, 10) : 256;
        if (code > 255)
            return fault_set(f, ERR_USAGE,
                             "exits: '%s' should start with an exit code, 0 to 255, as in 75:retry",
                             word);
        for (size_t k = 0; *end == ':' && k < 3; k++) {
            if (strcmp(end + 1, actions[k]) != 0)
                continue;
            if (p->exit_action[code])
                return fault_set(f, ERR_USAGE, "exits: the exit code %lu is given twice", code);
            p->exit_action[code] = (uint8_t)values[k];
            return ERR_NONE;
        }
        const char *nearest = *end == ':' ? suggest_nearest(end + 1, actions, 3) : NULL;
        return fault_set(f, ERR_USAGE,
                         "exits: '%s' should be CODE:ok, CODE:retry or CODE:fail%s%lu:%s%s", word,
                         nearest ? "; did you mean " : ", for example ", nearest ? code : 75,
                         nearest ? nearest : "retry", nearest ? "?" : "");
    }
    return fault_set(f, ERR_USAGE,
                     "exits: '%s' should be CODE:ok, CODE:retry or CODE:fail, for example 75:retry",
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

static enum err parse_memory(const char *text, struct policy *p, struct fault *f)
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
