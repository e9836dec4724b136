/* submit - the verb `grange submit`: as `grange run`, but it returns when the farm has the study.
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/late.h"
#include "cli/part.h"
#include "cli/progress.h"
#include "cli/run_args.h"
#include "cli/signals.h"
#include "cli/where.h"

enum { SUBMIT_MS = 600000 }; /* a spec of the largest size, joined with a store of the largest */

static void say_counts(const struct part *p)
{
    const struct grange_submitted *r = &p->submitted;
    struct buf b = { 0 };
    if (r->template_changed)
        cli_say("the command or its input files differ from those of earlier points of this study: "
                "these are new points; the earlier ones stay in the store");
    buf_addf(&b, "%s: ", p->name);
    progress_count(part_points(&r->counts), &b);
    buf_adds(&b, part_points(&r->counts) == 1 ? " point, " : " points, ");
    if (r->counts.reused) {
        progress_count(r->counts.reused, &b);
        buf_adds(&b, " ended before, ");
    }
    progress_count(part_to_do(&r->counts), &b);
    buf_adds(&b, " to run");
    cli_say("%s", buf_text(&b));
    buf_fini(&b);
}

static void print_json(const struct part *p)
{
    struct buf b = { 0 };
    buf_add_json(&b, p->name, strlen(p->name));
    const struct grange_counts *c = &p->submitted.counts;
    printf("{\"study\": %s, \"points\": %" PRIu64 ", \"reused\": %" PRIu64 ", \"to_run\": %" PRIu64
           "}\n",
           buf_text(&b), part_points(c), c->reused, part_to_do(c));
    buf_fini(&b);
}

static enum err submit_one(struct grange *g, const struct run_args *a, const struct study *s,
                           struct fault *f)
{
    struct part p;
    part_init(&p, s, false);
    int rc = part_submit(&p, g, a->control.flags, SUBMIT_MS, &p.submitted);
    enum err err = rc ? fault_set(f, (enum err)rc, "%s", grange_message(g)) : ERR_NONE;
    if (!err) {
        part_submitted(&p);
        if (!a->control.quiet)
            say_counts(&p);
        if (a->control.json)
            print_json(&p);
        else
            printf("%s\n", p.name);
    }
    part_fini(&p);
    return err;
}

static int submit_all(const struct run_args *a, const struct stages *stages)
{
    struct where where;
    struct grange *g = NULL;
    struct fault f;
    if (a->dry_run || a->save)
        return cli_bad("--dry-run and --save are for grange run"), CLI_USAGE;
    if (a->control.here)
        return cli_bad("%s is for grange run: a farm that is up has its own", a->control.here),
               CLI_USAGE;
    for (size_t i = 0; i < stages->n && !a->control.quiet && a->control.dir[0]; i++)
        late_changed(stages->items[i], a->control.dir);
    enum err err = where_open_farm(&a->control.at, &where, &g, &f);
    signals_asked(SIGNALS_FARM);
    for (size_t i = 0; i < stages->n && !err; i++)
        err = submit_one(g, a, stages->items[i], &f);
    grange_close(g);
    return err ? cli_fail(&f) : CLI_OK;
}

static int submit_main(int argc, char **argv)
{
    static struct run_args a; /* large */
    int rc = run_args_parse(&verb_submit, argc, argv, &a);
    struct stages stages = { 0 };
    struct fault f;
    if (rc < 0) {
        rc = run_args_studies(&a, &stages, &f) ? cli_fail(&f) : submit_all(&a, &stages);
        stages_free(&stages);
    }
    run_args_fini(&a);
    return rc;
}

const struct verb verb_submit = {
    .name = "submit",
    .summary = "as run, on a farm that is up; returns at once, prints the study's name",
    .argp = &submit_argp,
    .command_follows = true,
    .main = submit_main,
};
