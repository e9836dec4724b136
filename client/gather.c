/* gather - what grange.h says of grange_gather: the values of one name, in one block. */
#include <stdlib.h>

#include "client/direct.h"
#include "client/session.h"

/* make - an operation that asks for them, not begun. NULL: `code` says why; the lock is free then.
 */
static struct grange_direct *make(struct grange *g, const uint64_t *engines, size_t n,
                                  const char *name, int *code)
{
    session_enter(g);
    *code = directs_check(g, name, 0, "value");
    return *code ? NULL : directs_make(g, DIRECT_GET, engines, n, name);
}

static void begin(struct grange_direct *d)
{
    struct grange *g = d->g;

    directs_begin(d);
    pump_start(g);
    session_leave(g, 0);
}

/* in_one_block - the results of all, which have ended. */
static char *in_one_block(struct grange *g, struct grange_direct *d, size_t *bytes)
{
    session_enter(g);
    char *all = directs_take(d);
    *bytes = d->all_bytes;
    session_leave(g, 0);
    return all;
}

int grange_gather(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                  int64_t timeout_ms, void **data, size_t *bytes)
{
    int code;

    *data = NULL;
    *bytes = 0;
    struct grange_direct *d = make(g, engines, n, name, &code);
    if (!d)
        return code;
    directs_gather(d);
    begin(d);
    code = grange_direct_wait(d, timeout_ms);
    if (!code)
        *data = in_one_block(g, d, bytes);
    if (!code && !*data) { /* of none, or of more than are gathered at once */
        code = grange_direct_gather(d, NULL, bytes);
        *data = malloc(*bytes + 1);
        must(*data != NULL);
        if (!code)
            code = grange_direct_gather(d, *data, bytes);
    }
    grange_direct_free(d);
    return code;
}

/* ---- into memory of the caller */

static int no_room(size_t need, size_t room)
{
    return (int)fault_set(session_fault(), ERR_LIMIT,
                          "the values have %zu bytes, there is room for %zu", need, room);
}

/* wait_placed - until all have ended, or it is known that there is no room for them. */
static int wait_placed(struct grange_direct *d, int64_t timeout_ms, size_t *bytes)
{
    struct wait w = wait_for(timeout_ms);
    struct grange *g = d->g;
    enum err err = ERR_NONE;

    session_enter(g);
    while (d->n_ended < d->n && !d->too_long &&
           !wait_end(g, &w, "the engines did not answer", &err))
        pump_turn(g, w.until);
    int code = directs_failure(d);
    if (!code && d->n_ended < d->n)
        code = (int)err;
    if (!code)
        *bytes = d->all_bytes;
    if (!code && d->too_long)
        code = no_room(d->all_bytes, d->room);
    return session_leave(g, code);
}

/* copy - of what has ended, and was not placed: of none, or of more than are gathered at once. */
static int copy(struct grange_direct *d, void *to, size_t room, size_t *bytes)
{
    int code = grange_direct_gather(d, NULL, bytes);

    if (!code && *bytes > room)
        return no_room(*bytes, room);
    return code || !*bytes ? code : grange_direct_gather(d, to, bytes);
}

/* leave - when nothing is written to the caller's memory any more. Another thread may be at it. */
static void leave(struct grange_direct *d)
{
    struct grange *g = d->g;

    session_enter(g);
    while (d->n_reading)
        pump_pause(g);
    directs_drop(d);
    session_leave(g, 0);
}

int grange_gather_into(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                       int64_t timeout_ms, void *to, size_t room, size_t *bytes)
{
    int code;

    *bytes = 0;
    struct grange_direct *d = make(g, engines, n, name, &code);
    if (!d)
        return code;
    directs_gather_into(d, to, room);
    begin(d);
    code = wait_placed(d, timeout_ms, bytes);
    if (!code && !d->into)
        code = copy(d, to, room, bytes);
    leave(d);
    return code;
}
