#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/host_inner.h"

static const char name_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-";

__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
    va_list args;

    fputs("grange: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return 1;
}

static int add(struct functions *to, const char *path, const struct grange_function *f)
{
    if (!f->name || !*f->name || strlen(f->name) > FUNCTION_NAME_MAX ||
        f->name[strspn(f->name, name_letters)])
        return wrong("plug-in %s: '%s' is no name of a function: 1 to %d letters, digits and any "
                     "of _ . + -",
                     path, f->name ? f->name : "", FUNCTION_NAME_MAX);
    if (!f->run)
        return wrong("plug-in %s: the function '%s' is NULL", path, f->name);
    for (size_t i = 0; i < to->n; i++)
        if (strcmp(to->items[i].name, f->name) == 0)
            return wrong("plug-in %s: there is a function '%s' already", path, f->name);
    if (to->n == FUNCTIONS_MAX)
        return wrong("plug-in %s: more than %d functions", path, FUNCTIONS_MAX);
    to->items = realloc(to->items, (to->n + 1) * sizeof *to->items);
    must(to->items != NULL);
    to->items[to->n++] = *f;
    return 0;
}

static int load(const char *path, struct functions *to)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return wrong("plug-in %s", dlerror());
    void (*describe)(struct grange_plugin *) = NULL;
    *(void **)&describe = dlsym(library, "grange_plugin");
    if (!describe)
        return wrong("plug-in %s: it has no function: none was registered with GRANGE_FUNCTION",
                     path);
    struct grange_plugin plugin;
    describe(&plugin);
    if (plugin.version != GRANGE_PLUGIN_VERSION)
        return wrong("plug-in %s: made for version %u of grange_engine.h, this is version %d; "
                     "compile it again",
                     path, plugin.version, GRANGE_PLUGIN_VERSION);
    for (const struct grange_function *const *f = plugin.begin; f < plugin.end; f++)
        if (add(to, path, *f))
            return 1;
    return 0;
}

int plugins_load(char *const *paths, size_t n, struct functions *to)
{
    *to = (struct functions){ 0 };
    for (size_t i = 0; i < n; i++)
        if (load(paths[i], to))
            return 1;
    return 0;
}
