#include "cli/unfit.h"

#include <stdio.h>
#include <string.h>

#include "base/needs.h"
#include "cli/cli.h"
#include "cli/signals.h"

bool unfit_needs(const struct needs *n)
{
    return n->cores > 1 || n->memory_mib || n->n_resources || n->n_labels || n->least_ms;
}

static void row_of(const struct grange_farm_worker *w, struct worker_row *row)
{
    *row = (struct worker_row){
        .slots = w->slots, .memory_mib = w->memory_mib, .labels = w->labels, .end_ms = w->end_ms
    };
    for (const char *at = w->resources; *at;) {
        size_t n = strcspn(at, "\n");
        char text[RESOURCE_NAME_MAX + 16];
        struct resource r;
        snprintf(text, sizeof text, "%.*s", (int)n, at);
        if (resource_parse(text, &r))
            worker_add_resource(row, r.name, r.amount);
        at += n + (at[n] == '\n');
    }
}

bool unfit_why(const struct needs *n, const struct grange_farm *farm, int64_t now_ms,
               struct buf *out)
{
    struct buf first = { 0 };
    const char *name = NULL;

    for (size_t i = 0; i < farm->n_workers; i++) {
        const struct grange_farm_worker *w = &farm->workers[i];
        struct worker_row row;
        struct buf lack = { 0 };
        row_of(w, &row);
        needs_lack(n, &row, &lack);
        if (!lack.n && row.end_ms && now_ms + n->least_ms >= row.end_ms)
            buf_adds(&lack,
                     n->least_ms ? "takes longer than until its end" : "has come to its end");
        if (!lack.n && w->state != GRANGE_WORKER_UP && w->state != GRANGE_WORKER_AWAY)
            buf_adds(&lack, "it takes nothing new");
        bool fits = !lack.n;
        if (!fits && !name) {
            buf_adds(&first, lack.data);
            name = w->name;
        }
        buf_fini(&lack);
        if (fits) {
            buf_fini(&first);
            return false;
        }
    }
    if (!name)
        buf_adds(out, "no worker is connected");
    else
        buf_addf(out, "%s (worker %s", first.data, name);
    if (farm->n_workers > 1)
        buf_addf(out, ", and %zu other%s", farm->n_workers - 1, farm->n_workers > 2 ? "s" : "");
    if (name)
        buf_addc(out, ')');
    buf_fini(&first);
    return true;
}

struct grange_farm *unfit_look(const char *dir)
{
    struct grange *g = NULL;
    struct grange_farm *farm = NULL;
    struct buf url = { 0 };
    char why[FAULT_TEXT_MAX];

    signals_early();
    signals_asked(SIGNALS_LOOKING);
    cli_url(dir, &url);
    int rc = grange_connect(buf_text(&url), LOOK_MS, &g, why, sizeof why);
    if (!rc && grange_farm_look(g, LOOK_MS, &farm))
        farm = NULL;
    grange_close(g);
    buf_fini(&url);
    return farm;
}
