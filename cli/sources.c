#include "cli/sources.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static const char separator[] = ":::";

struct group { /* arguments between two separators */
    const char *const *args;
    size_t n;
};

static enum err add_group(struct sources *s, const struct group *g, struct fault *f);

enum err sources_split(const char *const *args, size_t n, struct sources *s, struct fault *f)
{
    /* Every argument is a factor at most once, or a value at most once with one NULL a group. */
    *s = (struct sources){ .command = args };
    s->factors = calloc(n + 1, sizeof *s->factors);
    s->lists = calloc(n + 1, sizeof *s->lists);
    s->values = calloc(2 * n + 1, sizeof *s->values);
    must(s->factors && s->lists && s->values);

    size_t i = 0;
    while (i < n && strncmp(args[i], separator, 3) != 0)
        i++;
    s->n_command = i;
    enum err err = ERR_NONE;
    while (i < n && !err) {
        if (strcmp(args[i], separator) != 0)
            return fault_set(f, ERR_USAGE,
                             "'%s' is not known here; write ':::' before factors such as T=1,2,3, "
                             "x=@FILE for a file with a value a line, or '(a=1,2 + b=3,4)' for "
                             "values that belong together",
                             args[i]);
        struct group g = { args + i + 1, 0 };
        while (i + 1 + g.n < n && strncmp(g.args[g.n], separator, 3) != 0)
            g.n++;
        i += 1 + g.n;
        err = add_group(s, &g, f);
    }
    return err;
}

void sources_fini(struct sources *s)
{
    free(s->factors);
    free(s->lists);
    free(s->values);
    *s = (struct sources){ 0 };
}

static enum err mixed(const struct group *g, const char *value, const char *factor, struct fault *f)
{
    bool first_is_value = g->args[0] == value;
    return fault_set(f, ERR_USAGE,
                     "after ':::', '%s' is a %s and '%s' is a %s; a group holds either factors "
                     "(NAME=VALUES, @FILE, '(a=1,2 + b=3,4)') or plain values for {}, so give each "
                     "kind its own ':::'",
                     first_is_value ? value : factor, first_is_value ? "plain value" : "factor",
                     first_is_value ? factor : value, first_is_value ? "factor" : "plain value");
}

static enum err add_group(struct sources *s, const struct group *g, struct fault *f)
{
    const char *factor = NULL, *value = NULL;
    for (size_t i = 0; i < g->n; i++) {
        if (sources_is_factor(g->args[i]))
            factor = factor ? factor : g->args[i];
        else
            value = value ? value : g->args[i];
    }
    if (!factor && !value)
        return fault_set(f, ERR_USAGE,
                         "there is nothing after ':::'; factors such as T=280:320:10 or n=1,2,4 "
                         "belong there, or plain values for {}");
    if (factor && value)
        return mixed(g, value, factor, f);
    if (factor) {
        memcpy(s->factors + s->n_factors, g->args, g->n * sizeof *g->args);
        s->n_factors += g->n;
        return ERR_NONE;
    }
    /* The values of the lists so far, each with its NULL, are in front. */
    size_t used = 0;
    for (size_t k = 0; k < s->n_lists; k++)
        for (used++; s->values[used - 1]; used++)
            continue;
    memcpy(s->values + used, g->args, g->n * sizeof *g->args);
    s->values[used + g->n] = NULL;
    s->lists[s->n_lists++] = s->values + used;
    return ERR_NONE;
}

bool sources_is_factor(const char *arg)
{
    if (arg[0] == '@' && arg[1])
        return true;
    size_t n = strlen(arg);
    if (n > 1 && arg[0] == '(' && arg[n - 1] == ')')
        return true;
    if (!isalpha((unsigned char)arg[0]) && arg[0] != '_')
        return false;
    size_t i = 1;
    while (isalnum((unsigned char)arg[i]) || arg[i] == '_')
        i++;
    return arg[i] == '=';
}
