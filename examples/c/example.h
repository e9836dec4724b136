#ifndef EXAMPLE_H
#define EXAMPLE_H
/* example - what the examples have in common: NAME [--plugin LIB.so] [WHERE]
 *
 * With WHERE (a URL, a connection file, the name of a farm) they use the farm that is there;
 * without, one of their own, which ends with them. Its engines offer the functions of the plug-in.
 */
#include <grange.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE     60000
#define CONNECT_MS 5000 /* until a scheduler answers, or a farm of one's own is there */

static inline _Noreturn void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* check - that a call of the library went well. */
static inline void check(struct grange *g, int code)
{
    if (code != GRANGE_OK)
        die("%s: %s", grange_strerror(code), grange_message(g));
}

static inline struct grange *example_connect(int argc, char **argv, bool *has_plugin)
{
    const char *plugin = argc > 2 && strcmp(argv[1], "--plugin") == 0 ? argv[2] : NULL;
    const char *where = argc > (plugin ? 3 : 1) ? argv[plugin ? 3 : 1] : NULL;
    struct grange_embed how = { .slots = 2, .plugins = &plugin, .n_plugins = plugin != NULL };
    struct grange *g;
    char why[1024];
    int code = where ? grange_connect(where, CONNECT_MS, &g, why, sizeof why)
                     : grange_embed(&how, CONNECT_MS, &g, why, sizeof why);

    if (code != GRANGE_OK)
        die("%s", why);
    if (has_plugin)
        *has_plugin = plugin != NULL;
    return g;
}

#endif
