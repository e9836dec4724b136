/* session_idle - says why nothing runs, where someone would have to do something about it. */
#include <stdlib.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/session_inner.h"
#include "cli/unfit.h"

enum {
    NO_WORKER_MS = 3000, /* then say that a daemon has no worker */
    IDLE_MS = 1500,      /* nothing runs, though points are left: then look why */
    LOOK_AGAIN_MS = 10000,
    ANSWER_MS = 1000 /* for the answer */
};

static void say_no_worker(struct session *s)
{
    struct buf b = { 0 };
    buf_adds(&b, "no worker is connected to this scheduler; start one: grange worker");
    if (s->control->where.connect[0])
        buf_adds(&b, " --connect worker.json, the file beside client.json");
    else
        cli_dir_flag(s->control->dir, &b);
    display_say(&s->display, buf_text(&b));
    buf_fini(&b);
}

/* A stage whose points no worker can run is named; true: there was one. */
static bool say_unfit(struct session *s)
{
    struct grange_farm *farm = NULL;
    bool said = false;
    for (size_t i = 0; i < s->n_parts; i++) {
        const struct part *p = &s->parts[i];
        const struct needs *n = &study_policy(p->study)->needs;
        struct buf why = { 0 }, b = { 0 };
        if (!part_to_do(&p->counts) || !unfit_needs(n))
            continue;
        if (!farm && grange_farm_look(s->g, ANSWER_MS, &farm))
            break;
        if (unfit_why(n, farm, clock_wall_ms(), &why)) {
            buf_addf(
                &b, "%s waits: no worker that is connected can run its points, until one comes: %s",
                p->name, buf_text(&why));
            display_say(&s->display, buf_text(&b));
            said = true;
        }
        buf_fini(&why);
        buf_fini(&b);
    }
    free(farm);
    return said;
}

void session_idle(struct session *s, ms_t now)
{
    bool nobody = s->local.joined && s->have_news && s->n_workers == 0;
    if (nobody && !s->said_no_worker && now - s->started_ms > NO_WORKER_MS) {
        s->said_no_worker = true;
        say_no_worker(s);
    }
    bool idle =
        s->n_workers && !s->lost_ms && !s->level && !s->counts.running && part_to_do(&s->counts);
    if (!idle)
        s->look_ms = MS_NEVER;
    else if (s->look_ms == MS_NEVER)
        s->look_ms = now + IDLE_MS;
    else if (now >= s->look_ms)
        s->look_ms = say_unfit(s) ? MS_NEVER - 1 : now + LOOK_AGAIN_MS; /* once is enough */
}
