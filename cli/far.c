#include "cli/far.h"

#include <errno.h>
#include <string.h>

#include "cli/signals.h"

enum { PAGE_MS = 600000 }; /* sorting a store of the largest size before the first page */

bool far_page(void *file, const void *data, size_t n)
{
    return fwrite(data, 1, n, file) == n;
}

enum err far_ask(const struct where *w, const struct client_look *what, client_page_fn fn,
                 void *ctx, int *code, struct buf *said, struct fault *f)
{
    struct grange *g = NULL;

    signals_early();
    signals_asked(SIGNALS_LOOKING);
    enum err err = where_connect(w, &g, f);
    if (err)
        return err;
    int rc = client_look(g, what, fn, ctx, PAGE_MS, code, said);
    if (rc == GRANGE_ERR_IO)
        fault_set(f, ERR_IO, "cannot write what came: %s", strerror(errno));
    else if (rc)
        fault_set(f, (enum err)rc, "%s", grange_message(g));
    grange_close(g);
    return (enum err)rc;
}

void far_say(const struct buf *said)
{
    (void)fflush(stdout); /* the order that they would have come in there */
    fwrite(buf_text(said), 1, said->n, stderr);
}

enum err far_look(const struct where *w, const struct client_look *what, client_page_fn fn,
                  void *ctx, int *code, struct fault *f)
{
    struct buf said = { 0 };
    enum err err = far_ask(w, what, fn, ctx, code, &said, f);

    far_say(&said);
    buf_fini(&said);
    return err;
}

bool far_put(void *unused, const void *data, size_t n)
{
    (void)unused;
    return cli_put(data, n);
}

int far_code(enum err err, int code, const struct fault *f)
{
    if (err == ERR_IO && cli_put_gone())
        return CLI_OK; /* cli_put_end says why */
    return err ? cli_fail(f) : code;
}

int far_print(const struct where *w, const struct client_look *what)
{
    struct fault f;
    int code = CLI_OK;
    enum err err = far_look(w, what, far_put, NULL, &code, &f);

    return far_code(err, code, &f);
}
