/* options - argp with our messages: what is wrong, and what would be right. */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "farm/address.h"

enum { OPTIONS_SHOWN = 128 };

struct check {
    const struct verb *verb;
    int argc;
    char **argv;
    int i;      /* the argument that is looked at */
    bool help;  /* --help was met */
    bool quiet; /* what is wrong is said elsewhere */
};

static int check_all(struct check *c);
static int check_long(struct check *c);
static int check_short(struct check *c);

int cli_parse(const struct verb *v, int argc, char **argv, void *input)
{
    struct check c = { .verb = v, .argc = argc, .argv = argv, .i = 1 };
    int rc = check_all(&c);
    if (c.help) {
        cli_help(v, stdout);
        return CLI_OK;
    }
    if (rc == 0) {
        unsigned flags = ARGP_NO_EXIT | ARGP_NO_HELP | ARGP_NO_ERRS;
        if (v->command_follows)
            flags |= ARGP_IN_ORDER;
        rc = argp_parse(v->argp, argc, argv, flags, NULL, input);
    }
    if (rc == 0)
        return -1;
    fprintf(stderr, "see: grange help %s\n", v->name);
    return CLI_USAGE;
}

int cli_first_argument(const struct verb *v, int argc, char **argv)
{
    struct check c = { .verb = v, .argc = argc, .argv = argv, .i = 1, .quiet = true };
    return check_all(&c) || c.help ? argc : c.i;
}

static int check_all(struct check *c)
{
    for (; c->i < c->argc && !c->help; c->i++) {
        const char *a = c->argv[c->i];
        int rc = 0;
        if (strcmp(a, "--") == 0) {
            c->i++;
            return 0;
        }
        if (a[0] == '-' && a[1] == '-')
            rc = check_long(c);
        else if (a[0] == '-' && a[1])
            rc = check_short(c);
        else if (c->verb->command_follows)
            return 0;
        if (rc)
            return rc;
    }
    return 0;
}

static bool is_end(const struct argp_option *o)
{
    return !o->name && !o->key && !o->doc && !o->group;
}

/* An option of the table by its long name or a beginning that fits only one; NULL: none or several.
 */
static const struct argp_option *find_long(const struct argp_option *options, const char *name,
                                           size_t n)
{
    const struct argp_option *found = NULL, *real = NULL;
    int fits = 0;
    for (const struct argp_option *o = options; o && !is_end(o); o++) {
        if (!(o->flags & OPTION_ALIAS))
            real = o;
        if (!o->name || strncmp(o->name, name, n) != 0)
            continue;
        if (strlen(o->name) == n)
            return real;
        fits += found != real;
        found = real;
    }
    return fits == 1 ? found : NULL;
}

const struct argp_option *cli_option(const struct verb *v, const char *arg)
{
    if (strncmp(arg, "--", 2) != 0)
        return NULL;
    size_t n = strcspn(arg + 2, "=");
    const struct argp_option *o = find_long(v->argp->options, arg + 2, n);
    return o && n == strlen(o->name) ? o : NULL;
}

static int unknown_long(const struct check *c, const char *name)
{
    if (c->quiet)
        return EINVAL;
    const char *names[OPTIONS_SHOWN];
    size_t n = 0;
    for (const struct argp_option *o = c->verb->argp->options; o && !is_end(o); o++)
        if (o->name && n < OPTIONS_SHOWN)
            names[n++] = o->name;
    const char *near = cli_suggest(name, names, n);
    if (near)
        return cli_bad("grange %s has no option --%s; did you mean --%s?", c->verb->name, name,
                       near);
    return cli_bad("grange %s has no option --%s", c->verb->name, name);
}

static int check_long(struct check *c)
{
    const char *name = c->argv[c->i] + 2;
    size_t n = strcspn(name, "=");
    if (strcmp(name, "help") == 0) {
        c->help = true;
        return 0;
    }
    const struct argp_option *o = find_long(c->verb->argp->options, name, n);
    if (!o) {
        char typed[64];
        snprintf(typed, sizeof typed, "%.*s", (int)(n < 60 ? n : 60), name);
        return unknown_long(c, typed);
    }
    if (!o->arg && name[n])
        return c->quiet ? EINVAL
                        : cli_bad("--%s takes no value; it was given '%s'", o->name, name + n + 1);
    if (o->arg && !(o->flags & OPTION_ARG_OPTIONAL) && !name[n] && ++c->i >= c->argc)
        return c->quiet ? EINVAL : cli_bad("--%s needs a value: --%s %s", o->name, o->name, o->arg);
    return 0;
}

static int unknown_short(const struct check *c, const char *s)
{
    if (isdigit((unsigned char)*s)) /* a number below 0 */
        return cli_bad("grange %s has no option -%c; words that begin with '-' come behind '--': "
                       "grange %s .. -- -%s",
                       c->verb->name, *s, c->verb->name, s);
    return cli_bad("grange %s has no option -%c", c->verb->name, *s);
}

static int check_short(struct check *c)
{
    for (const char *s = c->argv[c->i] + 1; *s; s++) {
        const struct argp_option *o = c->verb->argp->options;
        while (o && !is_end(o) && o->key != *s)
            o++;
        if (!o || is_end(o)) {
            c->help = *s == 'h' || *s == '?';
            if (c->help)
                return 0;
            return c->quiet ? EINVAL : unknown_short(c, s);
        }
        if (!o->arg)
            continue;
        if (!s[1] && ++c->i >= c->argc)
            return c->quiet ? EINVAL : cli_bad("-%c needs a value: -%c %s", *s, *s, o->arg);
        return 0;
    }
    return 0;
}

void cli_help(const struct verb *v, FILE *to)
{
    char name[64];
    snprintf(name, sizeof name, "grange %s", v->name);
    setenv("ARGP_HELP_FMT", "no-dup-args-note,rmargin=99,opt-doc-col=29", 0);
    argp_help(v->argp, to, ARGP_HELP_LONG | ARGP_HELP_SHORT_USAGE | ARGP_HELP_DOC, name);
}

error_t cli_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end)
        return cli_bad("%s: '%s' is no whole number; it must be one from %llu to %llu", what, text,
                       (unsigned long long)min, (unsigned long long)max);
    if (errno || value < min || value > max)
        return cli_bad("%s: %s is out of bounds; it must be from %llu to %llu", what, text,
                       (unsigned long long)min, (unsigned long long)max);
    *n = value;
    return 0;
}

error_t cli_duration(const char *what, const char *text, ms_t min, ms_t max, ms_t *ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = { { "", 1e3 },    { "s", 1e3 },   { "ms", 1 },    { "m", 6e4 },
                  { "min", 6e4 }, { "h", 3.6e6 }, { "d", 8.64e7 } };
    char *end = NULL;
    double value = isdigit((unsigned char)text[0]) ? strtod(text, &end) : -1;
    for (size_t k = 0; value >= 0 && k < sizeof units / sizeof *units; k++) {
        if (strcmp(end, units[k].name) != 0)
            continue;
        value *= units[k].ms;
        if (value < (double)min || value > (double)max)
            return cli_bad("%s: %s is out of bounds; it must be from %.10g s to %.10g s", what,
                           text, (double)min / 1e3, (double)max / 1e3);
        *ms = (ms_t)value;
        return 0;
    }
    return cli_bad("%s: '%s' is no duration; write 30s, 5m, 2h, 1d or 500ms", what, text);
}

error_t cli_listen(const char *url)
{
    struct address unused;
    struct fault f;
    return address_parse(url, &unused, &f) ? cli_bad("%s", f.text) : 0;
}

error_t cli_bad(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("grange: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EINVAL;
}

void cli_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("grange: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

int cli_fail(const struct fault *f)
{
    cli_say("%s", f->text[0] ? f->text : err_text((int)f->code));
    return f->code == ERR_USAGE || f->code == ERR_NOT_FOUND || f->code == ERR_LIMIT ? CLI_USAGE
                                                                                    : CLI_ERROR;
}
