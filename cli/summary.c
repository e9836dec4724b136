#include "cli/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/part.h"
#include "cli/progress.h"
#include "cli/tally.h"

/* Beyond so many points of earlier runs metrics that were not found are left to grange results to
 * count: about a second's worth. */
enum { REUSED_READ_MAX = 100000 };

struct facts {
    const struct summary *s;
    struct tally store;
};

static void print_text(const struct facts *x);
static void print_json(const struct facts *x);

void summary_resume(const struct control *c, const char *name, struct buf *out)
{
    buf_adds(out, "grange resume ");
    buf_add_sh(out, name);
    where_flag(&c->where, out);
}

void summary_not_done(const struct where *w, const char *name, struct buf *out)
{
    buf_adds(out, "grange results ");
    buf_add_sh(out, name);
    where_flag(w, out);
    buf_adds(out, " --where \"state <> 'done'\"");
}

void summary_print(const struct summary *s)
{
    if (s->control->quiet && !s->control->json)
        return;
    static struct facts x; /* large */
    x = (struct facts){ .s = s };
    bool few = s->counts.reused <= REUSED_READ_MAX;
    const struct tally_ask ask = {
        .name = s->name,
        .study = s->study,
        .after = s->end_before,
        .took = s->ended_here > 0,
        .failures = s->counts.failed + s->counts.quarantined > 0,
        .metrics = few && study_n_metrics(s->study) > 0,
        .late = few && s->counts.reused > 0, /* of others they were looked for when they ended */
    };
    tally_read(&ask, s->control->dir, s->g, &x.store);
    (s->control->json ? print_json : print_text)(&x);
    tally_fini(&x.store);
}

/* ---- derived numbers ---- */

static double speed_up(const struct facts *x)
{
    return x->s->wall_us > 0 ? (double)x->store.sum_us / (double)x->s->wall_us : 0;
}

/* utilisation - at most all: points may have begun before this run joined them, and workers left
 * that did some of it. */
static double utilisation(const struct facts *x)
{
    const struct policy *p = study_policy(x->s->study);
    double cores = p->needs.cores ? p->needs.cores : 1; /* a point keeps all of its cores busy */
    double part = x->s->slots ? speed_up(x) * cores / x->s->slots : 0;
    return part < 1 ? part : 1;
}

/* ---- text ---- */

static void add_counts(const struct facts *x, struct buf *b)
{
    const struct grange_counts *c = &x->s->counts;
    uint64_t n = part_points(c);
    buf_addf(b, "grange: %s: ", x->s->name);
    progress_count(n, b);
    buf_adds(b, n == 1 ? " point: " : " points: ");
    progress_count(c->done, b);
    buf_adds(b, " done");
    part_warned(c->warned, b);
    progress_part(c->failed, "failed", b);
    progress_part(c->cancelled, "cancelled", b);
    progress_part(c->quarantined, "quarantined (workers were lost, or the exit code says so)", b);
    progress_part(c->unmet, "skipped (what they wait for did not end as it had to)", b);
    progress_part(part_to_do(c), "left", b);
    if (c->reused) {
        buf_adds(b, " (");
        progress_count(c->reused, b);
        buf_adds(b, " of them ended before)");
    }
    buf_addc(b, '\n');
}

/* add_label - the factors of a point; nothing when it has none. */
static void add_label(const struct study *s, uint64_t index, struct buf *b)
{
    struct point p;

    if (index >= study_n_points(s) || study_n_factors(s) == 0)
        return;
    point_init(&p);
    study_point(s, index, &p);
    study_point_label(s, &p, b);
    point_fini(&p);
}

static void add_failures(const struct facts *x, struct buf *b)
{
    struct buf label = { 0 };
    for (size_t i = 0; i < x->store.n_failures; i++) {
        const struct tally_failure *one = &x->store.failures[i];
        buf_clear(&label);
        add_label(x->s->study, one->index, &label);
        buf_addf(b, "  point %" PRIu64, one->index);
        if (label.n)
            buf_addf(b, " (%s)", label.data);
        buf_addf(b, ": %s\n", one->reason);
    }
    buf_fini(&label);
    uint64_t n = x->s->counts.failed + x->s->counts.quarantined;
    if (n <= x->store.n_failures || !x->store.n_failures)
        return;
    buf_adds(b, "  and ");
    progress_count(n - x->store.n_failures, b);
    buf_adds(b, " more: ");
    summary_not_done(&x->s->control->where, x->s->name, b);
    buf_addc(b, '\n');
}

static void add_times(const struct facts *x, struct buf *b)
{
    if (!x->s->ended_here || !x->s->slots || !x->store.known)
        return;
    buf_adds(b, "  wall time ");
    progress_duration((ms_t)(x->s->wall_us / 1000), b);
    buf_adds(b, ", sum of the points' times ");
    progress_duration((ms_t)(x->store.sum_us / 1000), b);
    buf_addf(b, ": speed-up %.2f on %u %s, utilisation %.0f%%\n", speed_up(x), x->s->slots,
             x->s->slots == 1 ? "core" : "cores", 100 * utilisation(x));
}

static void add_missing(const struct facts *x, struct buf *b)
{
    for (size_t k = 0; k < study_n_metrics(x->s->study); k++) {
        if (!x->store.missing[k])
            continue;
        buf_addf(b, "  metric %s was not found in ", study_metric_name(x->s->study, k));
        progress_count(x->store.missing[k], b);
        buf_addf(b, " %s that succeeded\n", x->store.missing[k] == 1 ? "point" : "points");
    }
}

static void print_text(const struct facts *x)
{
    struct buf b;
    buf_init(&b);
    add_counts(x, &b);
    add_failures(x, &b);
    add_times(x, &b);
    add_missing(x, &b);
    buf_adds(&b, "  results: grange results ");
    buf_add_sh(&b, x->s->name);
    where_flag(&x->s->control->where, &b);
    buf_addc(&b, '\n');
    fputs(buf_text(&b), stderr);
    buf_fini(&b);
}

/* ---- JSON ---- */

static void add_text_member(const char *key, const char *text, struct buf *b)
{
    buf_addf(b, ", \"%s\": ", key);
    buf_add_json(b, text ? text : "", text ? strlen(text) : 0);
}

static void add_number_members(const struct facts *x, struct buf *b)
{
    const struct grange_counts *c = &x->s->counts;
    const struct {
        const char *key;
        uint64_t n;
    } members[] = {
        { "points", part_points(c) },
        { "done", c->done },
        { "failed", c->failed },
        { "cancelled", c->cancelled },
        { "quarantined", c->quarantined },
        { "left", part_to_do(c) },
        { "warned", c->warned },
        { "skipped", c->unmet },
        { "left_out", c->n - part_points(c) },
        { "reused", c->reused },
        { "ended_here", x->s->ended_here },
        { "attempts_lost", c->lost },
        { "slots", x->s->slots },
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        buf_addf(b, ", \"%s\": %" PRIu64, members[i].key, members[i].n);
    buf_addf(b, ", \"wall_s\": %.3f, \"sum_s\": %.3f, \"speed_up\": %.3f, \"utilisation\": %.3f",
             (double)x->s->wall_us / 1e6, (double)x->store.sum_us / 1e6, speed_up(x),
             utilisation(x));
}

static void print_json(const struct facts *x)
{
    static const char *const ends[] = { "ended", "halted", "held", "interrupted" };
    struct buf b;
    buf_init(&b);
    buf_adds(&b, "{\"study\": ");
    buf_add_json(&b, x->s->name, strlen(x->s->name));
    add_text_member("dir", x->s->control->dir, &b);
    add_text_member("end", ends[x->s->end], &b);
    add_number_members(x, &b);
    buf_adds(&b, ", \"failures\": [");
    for (size_t i = 0; i < x->store.n_failures; i++) {
        struct buf label = { 0 };
        add_label(x->s->study, x->store.failures[i].index, &label);
        buf_addf(&b, "%s{\"point\": %" PRIu64, i ? ", " : "", x->store.failures[i].index);
        add_text_member("values", buf_text(&label), &b);
        add_text_member("reason", x->store.failures[i].reason, &b);
        buf_addc(&b, '}');
        buf_fini(&label);
    }
    buf_adds(&b, "], \"metrics_missing\": {");
    bool first = true;
    for (size_t k = 0; k < study_n_metrics(x->s->study); k++) {
        const char *name = study_metric_name(x->s->study, k);
        buf_adds(&b, first ? "" : ", ");
        buf_add_json(&b, name, strlen(name));
        buf_addf(&b, ": %" PRIu64, x->store.missing[k]);
        first = false;
    }
    printf("%s}}\n", buf_text(&b));
    cli_put_flush();
    buf_fini(&b);
}
