/* extract: regular expressions. PCRE2 is known to this file alone. */
#include "study/extract.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Steps of one attempt to match at one place, and what it may use. PCRE2 counts them anew at each
 * place of the subject, so they alone do not bound the whole search: the deadline does. 100,000
 * steps are about a millisecond. */
enum {
    MATCH_STEPS_MAX = 100 * 1000,
    MATCH_DEPTH_MAX = 100 * 1000,
    MATCH_HEAP_KIB = 20 * 1024,
    PLACES_PER_LOOK = 16, /* at the clock */
};

struct pattern {
    pcre2_code *code;
    bool group; /* it has one */
};

struct watch {
    ms_t deadline;
    uint32_t places;
};

static pcre2_code *compile(const char *text, int *error, size_t *at);
static size_t skip_verbs(const char *text);
static pcre2_match_context *match_context(struct watch *w);
static int on_place(pcre2_callout_block *block, void *data);

enum err pattern_new(const char *text, struct pattern **p, struct fault *f)
{
    int error = 0;
    size_t at = 0;
    uint32_t n_groups = 0;

    pcre2_code *code = compile(text, &error, &at);
    if (!code) {
        PCRE2_UCHAR words[256];
        if (pcre2_get_error_message(error, words, sizeof words) < 0)
            words[0] = '\0';
        int shown = at > 200 ? 200 : (int)at;
        return fault_set(f, ERR_USAGE,
                         "the regular expression is wrong at character %zu: %s\n  %.*s\n  %*s^",
                         at + 1, (const char *)words, shown + 60, text, shown, "");
    }
    /* The same with a callout in front, which PCRE2 calls at each place where it tries to match:
     * that is how a search is ended at its deadline. Of alternatives the first is always tried
     * first. */
    struct buf watched = { 0 };
    size_t verbs = skip_verbs(text);
    buf_add(&watched, text, verbs);
    buf_adds(&watched, "(?C1)");
    buf_adds(&watched, text + verbs);
    pcre2_code *with_callout = compile(watched.data, &error, &at);
    buf_fini(&watched);
    pcre2_code_free(code);
    if (!with_callout)
        return fault_set(f, ERR_USAGE, "the regular expression is too long");
    *p = calloc(1, sizeof **p);
    must(*p);
    (*p)->code = with_callout;
    pcre2_pattern_info(with_callout, PCRE2_INFO_CAPTURECOUNT, &n_groups);
    (*p)->group = n_groups > 0;
    return ERR_NONE;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    free(p);
}

/* Bytes, never UTF: what is searched may be binary. $ fits before \r\n too. */
static pcre2_code *compile(const char *text, int *error, size_t *at)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    must(context);
    pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                     PCRE2_MULTILINE | PCRE2_NEVER_UTF, error, at, context);
    pcre2_compile_context_free(context);
    return code;
}

/* Settings like (*ANYCRLF) must stay in front of everything. */
static size_t skip_verbs(const char *text)
{
    size_t n = 0;
    while (text[n] == '(' && text[n + 1] == '*') {
        size_t end = n + 2;
        end += strspn(text + end, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_=0123456789");
        if (text[end] != ')')
            break;
        n = end + 1;
    }
    return n;
}

bool pattern_last(const struct pattern *p, const char *data, size_t n, ms_t deadline,
                  struct buf *value)
{
    struct watch w = { deadline, 0 };
    pcre2_match_context *context = match_context(&w);
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(p->code, NULL);
    size_t from = 0, begin = PCRE2_UNSET, end = PCRE2_UNSET;
    size_t group = p->group ? 1 : 0;
    int rc = 0;

    must(match);
    while (from <= n) {
        rc = pcre2_match(p->code, (PCRE2_SPTR)data, n, from, 0, match, context);
        if (rc < 0)
            break;
        const size_t *at = pcre2_get_ovector_pointer(match);
        if (at[2 * group] != PCRE2_UNSET && at[2 * group + 1] > at[2 * group]) {
            begin = at[2 * group];
            end = at[2 * group + 1];
        }
        from = at[1] > from ? at[1] : from + 1; /* an empty match must not be met again */
    }
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    buf_clear(value);
    bool ok = begin != PCRE2_UNSET && (from > n || rc == PCRE2_ERROR_NOMATCH);
    if (ok)
        buf_add(value, data + begin, end - begin);
    return ok;
}

static pcre2_match_context *match_context(struct watch *w)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    must(context);
    pcre2_set_match_limit(context, MATCH_STEPS_MAX);
    pcre2_set_depth_limit(context, MATCH_DEPTH_MAX);
    pcre2_set_heap_limit(context, MATCH_HEAP_KIB);
    pcre2_set_callout(context, on_place, w);
    return context;
}

static int on_place(pcre2_callout_block *block, void *data)
{
    struct watch *w = data;

    (void)block;
    if (++w->places % PLACES_PER_LOOK == 0 && clock_mono_ms() > w->deadline)
        return PCRE2_ERROR_CALLOUT;
    return 0;
}
