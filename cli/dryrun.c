#include "cli/dryrun.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/known.h"
#include "cli/progress.h"
#include "client/grange.h"

/* What --retry-failed and --fresh make of what is known. */
static uint64_t to_run(const struct control *c, const struct known_points *k)
{
    if (c->flags & GRANGE_FRESH)
        return k->n;
    return k->n - k->done - (c->flags & GRANGE_RETRY_FAILED ? 0 : k->failed);
}

/* Seconds; negative when no point has run yet. */
static double estimate_s(const struct control *c, const struct study *s,
                         const struct known_points *k)
{
    if (!k->n_mean)
        return -1;
    uint32_t cores = study_policy(s)->needs.cores ? study_policy(s)->needs.cores : 1;
    uint32_t at_once = c->slots / cores ? c->slots / cores : 1;
    return (double)to_run(c, k) * (double)k->mean_us / 1e6 / at_once;
}

static void command(const struct study *s, const char *dir, uint64_t i, struct buf *out)
{
    struct point p;
    struct buf where;
    point_init(&p);
    buf_init(&where);
    study_point(s, i, &p);
    buf_addf(&where, "%s/points/%s/", dir, study_name(s));
    study_point_dirname(s, &p, &where);
    if (study_function(s)) {
        buf_addf(out, "%s ", study_function(s));
        study_point_label(s, &p, out);
    } else {
        study_command_line(s, &p, &(struct dirs){ buf_text(&where), dir }, out);
    }
    buf_fini(&where);
    point_fini(&p);
}

static void add_commands(const struct control *c, const struct study *s,
                         const struct known_points *k, struct buf *out)
{
    for (size_t i = 0; i < k->n_samples + 1 && k->n; i++) {
        uint64_t index = i ? k->sample[i - 1] : k->first;
        buf_addf(out, "  %8" PRIu64 "  ", index);
        command(s, c->dir, index, out);
        buf_addc(out, '\n');
    }
}

static void add_known(const struct control *c, const struct known_points *k, struct buf *out)
{
    if (k->left_out) {
        buf_adds(out, "left out by --where: ");
        progress_count(k->left_out, out);
        buf_addc(out, '\n');
    }
    buf_adds(out, "done already: ");
    progress_count(k->done, out);
    if (k->failed) {
        buf_adds(out, "; failed before: ");
        progress_count(k->failed, out);
        if (!(c->flags & (GRANGE_RETRY_FAILED | GRANGE_FRESH)))
            buf_adds(out, " (run again with --retry-failed)");
    }
    buf_adds(out, "; to run: ");
    progress_count(to_run(c, k), out);
    buf_addc(out, '\n');
}

static void add_estimate(const struct control *c, const struct study *s,
                         const struct known_points *k, struct buf *out)
{
    double seconds = estimate_s(c, s, k);
    buf_adds(out, "time left: ");
    if (seconds < 0) {
        buf_adds(out, "not known, no point of this study has run yet\n");
        return;
    }
    buf_adds(out, "about ");
    progress_duration((ms_t)(seconds * 1000), out);
    buf_addf(out, " on %u %s; a point took ", c->slots, c->slots == 1 ? "core" : "cores");
    if (k->mean_us < 1000)
        buf_addf(out, "%.0f us", (double)k->mean_us);
    else
        progress_duration((ms_t)(k->mean_us / 1000), out);
    buf_adds(out, ", the mean of ");
    progress_count(k->n_mean, out);
    buf_addc(out, '\n');
}

/* A stage that goes point by point with another one has its factors whether it uses them or not. */
static bool has_points_of_another(const struct study *s)
{
    for (size_t k = 0; k < study_n_after(s); k++)
        if (study_after(s, k)->each)
            return true;
    return false;
}

static void warn_unused(const struct study *s)
{
    if (has_points_of_another(s))
        return;
    for (size_t j = 0; j < study_n_factors(s); j++)
        if (!study_factor_used(s, j) && !study_function(s))
            cli_say("warning: factor '%s' is used nowhere: the command has no {%s}",
                    study_factor_name(s, j), study_factor_name(s, j));
}

static void print_text(const struct control *c, const struct study *s, const struct known_points *k)
{
    struct buf b;
    buf_init(&b);
    buf_addf(&b, "study %s: ", study_name(s));
    progress_count(k->n, &b);
    buf_adds(&b, k->n == 1 ? " point\n" : " points\n");
    add_known(c, k, &b);
    add_estimate(c, s, k, &b);
    if (k->n) {
        buf_adds(&b,
                 k->n_samples ? "commands of the first point and some others:\n" : "command:\n");
        add_commands(c, s, k, &b);
    }
    fputs(buf_text(&b), stdout);
    buf_fini(&b);
    cli_put_flush();
    warn_unused(s);
}

static void print_json(const struct control *c, const struct study *s, const struct known_points *k)
{
    struct buf b, line;
    buf_init(&b);
    buf_init(&line);
    buf_adds(&b, "{\"study\": ");
    buf_add_json(&b, study_name(s), strlen(study_name(s)));
    buf_addf(&b,
             ", \"points\": %" PRIu64 ", \"left_out\": %" PRIu64 ", \"done\": %" PRIu64
             ", \"failed\": %" PRIu64 ", \"to_run\": %" PRIu64,
             k->n, k->left_out, k->done, k->failed, to_run(c, k));
    double seconds = estimate_s(c, s, k);
    if (seconds < 0)
        buf_adds(&b, ", \"time_left_s\": null");
    else
        buf_addf(&b, ", \"time_left_s\": %.3f", seconds);
    buf_adds(&b, ", \"commands\": [");
    for (size_t i = 0; i < k->n_samples + 1 && k->n; i++) {
        uint64_t index = i ? k->sample[i - 1] : k->first;
        buf_clear(&line);
        command(s, c->dir, index, &line);
        buf_addf(&b, "%s{\"point\": %" PRIu64 ", \"command\": ", i ? ", " : "", index);
        buf_add_json(&b, buf_text(&line), line.n);
        buf_addc(&b, '}');
    }
    buf_adds(&b, "], \"unused_factors\": [");
    bool first = true;
    for (size_t j = 0; j < study_n_factors(s); j++) {
        if (study_factor_used(s, j))
            continue;
        buf_adds(&b, first ? "" : ", ");
        buf_add_json(&b, study_factor_name(s, j), strlen(study_factor_name(s, j)));
        first = false;
    }
    printf("%s]}\n", buf_text(&b));
    buf_fini(&line);
    buf_fini(&b);
}

int dryrun(const struct control *c, const struct study *s)
{
    struct known_points k;
    struct fault f;
    if (!c->dir[0] && !c->quiet)
        cli_say("note: the store of this farm is on another machine, and --dry-run does not ask "
                "for it: every point counts as one to run");
    if (known_points(s, c->dir[0] ? c->dir : "/dev/null", &k, &f))
        return cli_fail(&f);
    (c->json ? print_json : print_text)(c, s, &k);
    return CLI_OK;
}
