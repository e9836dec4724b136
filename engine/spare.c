/* spare - files of values that are not used, until they are again. */
#include <stdlib.h>

#include <utlist.h>

#include "base/must.h"
#include "engine/host_inner.h"

enum {
    SPARES_MAX = 8,              /* two values of each of a few sizes */
    SPARES_BYTES_MAX = 64 << 20, /* of one engine: page cache that the kernel may write back */
    HOARD_MAX = 4 * SPARES_MAX,  /* within one call, before it is over: then they go at once */
    HOARD_BYTES_MAX = 256 << 20,
};

struct spare {
    struct space space;
    bool reusable;
    struct spare *prev, *next;
};

static void take_out(struct spares *all, struct spare *spare)
{
    DL_DELETE(all->oldest, spare);
    all->n--;
    all->bytes -= spare->space.room;
}

static void destroy(struct spares *all, struct spare *spare)
{
    take_out(all, spare);
    space_give(&spare->space, spare->reusable && spare->space.foreign ? all->dir : NULL);
    free(spare);
}

void spares_add(struct spares *all, struct space *s, bool reusable)
{
    struct spare *spare = calloc(1, sizeof *spare);

    must(spare != NULL);
    spare->space = *s;
    spare->reusable = reusable;
    *s = (struct space){ 0 };
    DL_APPEND(all->oldest, spare);
    all->n++;
    all->bytes += spare->space.room;
    if (all->n > HOARD_MAX || all->bytes > HOARD_BYTES_MAX)
        spares_trim(all);
}

bool spares_take(struct spares *all, size_t n, struct space *s)
{
    struct spare *spare;

    DL_FOREACH(all->oldest, spare)
    {
        if (!spare->reusable || !space_suits(&spare->space, n))
            continue;
        take_out(all, spare);
        *s = spare->space;
        s->bytes = n;
        free(spare);
        return true;
    }
    return false;
}

void spares_trim(struct spares *all)
{
    struct spare *spare, *next;

    DL_FOREACH_SAFE(all->oldest, spare, next)
    {
        if (!spare->reusable || spare->space.foreign || all->n > SPARES_MAX ||
            all->bytes > SPARES_BYTES_MAX)
            destroy(all, spare);
    }
}

void spares_fini(struct spares *all)
{
    while (all->oldest)
        destroy(all, all->oldest);
    free(all->dir);
}
