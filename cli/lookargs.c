#include "cli/lookargs.h"

#include "cli/far.h"

static error_t word(const char *arg, struct look_args *a)
{
    if (a->pointed && a->point)
        return cli_bad("one point at a time; '%s' is one too many", arg);
    if (!a->pointed && a->study)
        return cli_bad("one study at most; '%s' and '%s' were given", a->study, arg);
    *(a->study ? &a->point : &a->study) = arg;
    return 0;
}

error_t lookargs_option(int key, char *arg, struct look_args *a)
{
    switch (key) {
    case 'J':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        return word(arg, a);
    case ARGP_KEY_END:
        return !a->pointed || a->point
                   ? 0
                   : cli_bad("which study and point? for example: grange %s sim 17", a->pointed);
    default:
        return where_option(key, arg, &a->at);
    }
}

int lookargs_where(struct look_args *a, const struct where **w)
{
    int rc = where_of(&a->at, w);

    if (rc < 0)
        a->dir = (*w)->dir;
    return rc;
}

struct client_look lookargs_look(struct look_args *a, const char *verb, const char *const *option)
{
    a->words[0] = a->study;
    a->words[1] = a->point;
    return (struct client_look){ .verb = verb,
                                 .options = option,
                                 .n_options = *option != NULL,
                                 .words = a->words,
                                 .n_words = a->point ? 2 : a->study != NULL };
}

int lookargs_near(struct look_args *a, const char *verb, const char *option)
{
    const struct where *w;
    int rc = lookargs_where(a, &w);

    if (rc >= 0 || a->dir[0])
        return rc;
    struct client_look look = lookargs_look(a, verb, &option);
    return far_print(w, &look);
}
