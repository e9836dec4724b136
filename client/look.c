/* look - what a verb that only looks prints where the farm's directory is, page after page. */
#include <string.h>

#include "client/inside.h"
#include "client/session.h"

struct looked {
    struct buf out, err;
    uint64_t look;
    bool ended;
    int code;
};

void look_on_message(struct grange *g, const struct message *m)
{
    for (struct request *r = g->requests; r; r = r->next) {
        if (r->number != m->looked.request || r->answered || !r->looked)
            continue;
        buf_clear(&r->looked->out);
        buf_add(&r->looked->out, m->looked.out, m->looked.out_bytes);
        buf_add(&r->looked->err, m->looked.err, m->looked.err_bytes);
        r->looked->look = m->looked.look;
        r->looked->ended = m->looked.ended;
        r->looked->code = m->looked.code;
        r->answered = true;
    }
}

static int ask_page(struct grange *g, const struct client_look *what, struct looked *page,
                    int64_t timeout_ms)
{
    struct message m = { .kind = MSG_LOOK };

    session_enter(g);
    struct request r = { .number = session_number(g), .looked = page };
    m.look.request = r.number;
    m.look.look = page->look;
    m.look.verb = page->look ? "" : what->verb;
    m.look.options = what->options;
    m.look.words = what->words;
    m.look.n_options = page->look ? 0 : what->n_options;
    m.look.n_words = page->look ? 0 : what->n_words;
    return session_ask(g, &m, &r, wait_for(timeout_ms));
}

int client_look(struct grange *g, const struct client_look *what, client_page_fn fn, void *ctx,
                int64_t timeout_ms, int *code, struct buf *err)
{
    struct looked page = { 0 };
    int rc = GRANGE_OK;

    while (!rc && !page.ended) {
        rc = ask_page(g, what, &page, timeout_ms);
        if (!rc && page.out.n && !fn(ctx, page.out.data, page.out.n))
            rc = GRANGE_ERR_IO;
    }
    buf_add(err, page.err.data, page.err.n);
    *code = page.code;
    buf_fini(&page.out);
    buf_fini(&page.err);
    return rc;
}
