#include "cli/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/must.h"
#include "base/reason.h"
#include "cli/late.h"
#include "cli/part.h"
#include "cli/points.h"
#include "cli/progress.h"
#include "client/inside.h"
#include "store/reader.h"
#include "study/csv.h"

/* Beyond so many points of earlier runs metrics that were not found are left to grange results to
 * count: about a second's worth. */
enum { REUSED_READ_MAX = 100000 };

/* What the store adds to the counts. */
struct facts {
    const struct summary *s;
    struct reader *reader;
    struct reader_study row;
    uint64_t sum_us; /* of the points that ended in this run */
    struct failure {
        uint64_t index;
        char *label, *reason;
    } failures[FAILURES_SHOWN];
    size_t n_shown;
    uint64_t missing[METRICS_MAX];
    struct late_metrics late;
};

static void print_text(const struct facts *x);
static void print_json(const struct facts *x);

static enum err open_study(const char *dir, const char *name, struct reader **r,
                           struct reader_study *row)
{
    struct fault f;
    enum err err = reader_open(dir, r, &f);
    if (err)
        return err;
    err = reader_study(*r, name, row, &f);
    if (err) {
        reader_close(*r);
        *r = NULL;
    }
    return err;
}

uint64_t summary_last_end(const char *dir)
{
    struct reader *r = NULL;
    uint64_t n = 0;
    struct fault f;
    if (!dir[0] || reader_open(dir, &r, &f))
        return 0;
    if (reader_last_end(r, &n, &f))
        n = 0;
    reader_close(r);
    return n;
}

void summary_resume(const struct control *c, const char *name, struct buf *out)
{
    buf_adds(out, "grange resume ");
    buf_add_sh(out, name);
    where_flag(&c->where, out);
}

/* ---- reading ---- */

static char *point_label(const struct study *s, uint64_t index)
{
    struct point p;
    struct buf b;
    point_init(&p);
    buf_init(&b);
    if (index < study_n_points(s)) {
        study_point(s, index, &p);
        study_point_label(s, &p, &b);
    }
    point_fini(&p);
    return b.data; /* NULL when empty */
}

static enum err on_failure(void *ctx, const struct end_row *row, struct fault *f)
{
    (void)f;
    struct facts *x = ctx;
    struct failure *to = &x->failures[x->n_shown++];
    struct buf reason;
    buf_init(&reason);
    reason_words(row->reason, row->code, &reason);
    if (row->body && row->body->error_line && row->body->error_line[0])
        buf_addf(&reason, ": %s", row->body->error_line);
    to->index = row->task.n - x->row.array.first.n;
    to->label = point_label(x->s->study, to->index);
    to->reason = reason.data;
    return ERR_NONE;
}

static enum err count_row(void *ctx, size_t n, const char *const *names, const char *const *cells,
                          const bool *is_number, struct fault *f)
{
    (void)n, (void)cells, (void)is_number, (void)f;
    *(uint64_t *)ctx += cells != NULL && names != NULL;
    return ERR_NONE;
}

static void add_column(const char *name, struct buf *b)
{
    buf_addc(b, '"');
    for (; *name; name++)
        buf_add(b, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    buf_addc(b, '"');
}

/* The columns of the view are factors and metrics first; its own yield by an underscore each. */
static bool has_name(const struct study *s, const char *name)
{
    for (size_t j = 0; j < study_n_factors(s); j++)
        if (strcasecmp(study_factor_name(s, j), name) == 0)
            return true;
    for (size_t k = 0; k < study_n_metrics(s); k++)
        if (strcasecmp(study_metric_name(s, k), name) == 0)
            return true;
    return false;
}

static const char *state_column(const struct study *s)
{
    const char *state = "___state";
    while (state[0] == '_' && !has_name(s, state + 1))
        state++;
    return state;
}

static void count_missing(struct facts *x)
{
    struct buf where;
    struct fault f;
    buf_init(&where);
    const char *state = state_column(x->s->study);
    for (size_t k = 0; k < study_n_metrics(x->s->study); k++) {
        buf_clear(&where);
        add_column(study_metric_name(x->s->study, k), &where);
        buf_adds(&where, " IS NULL AND ");
        add_column(state, &where);
        buf_adds(&where, " = 'done'");
        if (reader_results(x->reader, &x->row, buf_text(&where), NULL, count_row, &x->missing[k],
                           &f))
            x->missing[k] = 0;
    }
    buf_fini(&where);
}

/* ---- of a farm elsewhere: the failures alone ---- */

enum { FAR_BYTES_MAX = 1 << 16 }; /* of rows: more than are shown */

static bool add_rows(void *text, const void *data, size_t n)
{
    buf_add(text, data, n);
    return ((struct buf *)text)->n < FAR_BYTES_MAX;
}

/* The index is the first column of a row, and the reason the fifth from the end. */
static void take_rows(struct facts *x, const struct buf *text)
{
    struct csv csv;
    csv_init(&csv, buf_text(text), text->n);
    bool heading = csv_row(&csv);
    size_t n = csv.n;
    while (heading && x->n_shown < FAILURES_SHOWN && csv_row(&csv) && csv.n == n && n > 5) {
        struct failure *to = &x->failures[x->n_shown++];
        to->index = strtoull(csv.cells[0], NULL, 10);
        to->label = point_label(x->s->study, to->index);
        to->reason = strdup(csv.cells[n - 5]);
        must(to->reason);
    }
    csv_fini(&csv);
}

static void read_far(struct facts *x)
{
    struct buf where = { 0 }, text = { 0 }, said = { 0 };
    struct grange *g = NULL;
    struct fault f;
    int code;
    if (!(x->s->counts.failed + x->s->counts.quarantined) ||
        where_connect(&x->s->control->where, &g,
                      &f)) /* signals still wait, as the session had them */
        return;
    buf_adds(&where, "--where=");
    add_column(state_column(x->s->study), &where);
    buf_adds(&where, " IN ('failed', 'quarantined')");
    const struct client_look what = { .verb = "results",
                                      .options = (const char *[]){ "--format=csv", where.data },
                                      .n_options = 2,
                                      .words = &x->s->name,
                                      .n_words = 1 };
    (void)client_look(g, &what, add_rows, &text, REQUEST_MS, &code, &said);
    grange_close(g);
    take_rows(x, &text);
    buf_fini(&said);
    buf_fini(&where);
    buf_fini(&text);
}

static void read_facts(struct facts *x)
{
    const struct summary *s = x->s;
    struct fault f;
    if (!s->control->dir[0]) { /* it is not on this machine */
        read_far(x);
        return;
    }
    if (open_study(s->control->dir, s->name, &x->reader, &x->row))
        return;
    if (s->ended_here)
        (void)reader_took(x->reader, &x->row, s->end_before, &x->sum_us, &f);
    if (s->counts.failed + s->counts.quarantined)
        (void)reader_failures(x->reader, &x->row, FAILURES_SHOWN, on_failure, x, &f);
    if (s->counts.reused > REUSED_READ_MAX)
        return;
    if (s->counts.reused) /* of the others all metrics were looked for when they ended */
        late_metrics(&x->late, s->study, s->control->dir, x->reader);
    count_missing(x);
}

void summary_print(const struct summary *s)
{
    if (s->control->quiet && !s->control->json)
        return;
    static struct facts x; /* large */
    x = (struct facts){ .s = s };
    read_facts(&x);
    (s->control->json ? print_json : print_text)(&x);
    for (size_t i = 0; i < x.n_shown; i++) {
        free(x.failures[i].label);
        free(x.failures[i].reason);
    }
    if (x.reader) {
        reader_study_fini(&x.row);
        reader_close(x.reader);
    }
}

/* ---- derived numbers ---- */

static double speed_up(const struct facts *x)
{
    return x->s->wall_ms > 0 ? (double)x->sum_us / 1000 / (double)x->s->wall_ms : 0;
}

static double utilisation(const struct facts *x)
{
    const struct policy *p = study_policy(x->s->study);
    double cores = p->needs.cores ? p->needs.cores : 1; /* a point keeps all of its cores busy */
    return x->s->slots ? speed_up(x) * cores / x->s->slots : 0;
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
    progress_part(c->quarantined, "given up (workers were lost under them)", b);
    progress_part(c->unmet, "skipped (what they wait for did not end as it had to)", b);
    progress_part(part_to_do(c), "left", b);
    if (c->reused) {
        buf_adds(b, " (");
        progress_count(c->reused, b);
        buf_adds(b, " of them ended before)");
    }
    buf_addc(b, '\n');
}

static void add_failures(const struct facts *x, struct buf *b)
{
    for (size_t i = 0; i < x->n_shown; i++) {
        const struct failure *one = &x->failures[i];
        char number[32];
        snprintf(number, sizeof number, "point %" PRIu64, one->index);
        buf_addf(b, "  %s", number);
        if (one->label && strcmp(one->label, number) != 0) /* it has factors */
            buf_addf(b, " (%s)", one->label);
        buf_addf(b, ": %s\n", one->reason ? one->reason : "failed");
    }
    uint64_t n = x->s->counts.failed + x->s->counts.quarantined;
    if (n <= x->n_shown || !x->n_shown)
        return;
    buf_adds(b, "  and ");
    progress_count(n - x->n_shown, b);
    buf_adds(b, " more: grange results ");
    buf_add_sh(b, x->s->name);
    where_flag(&x->s->control->where, b);
    buf_adds(b, " --where \"state <> 'done'\"\n");
}

static void add_times(const struct facts *x, struct buf *b)
{
    if (!x->s->ended_here || !x->s->slots || !x->reader)
        return;
    buf_adds(b, "  wall time ");
    progress_duration(x->s->wall_ms, b);
    buf_adds(b, ", sum of the points' times ");
    progress_duration((ms_t)(x->sum_us / 1000), b);
    buf_addf(b, ": speed-up %.2f on %u %s, utilisation %.0f%%\n", speed_up(x), x->s->slots,
             x->s->slots == 1 ? "core" : "cores", 100 * utilisation(x));
}

static void add_missing(const struct facts *x, struct buf *b)
{
    for (size_t k = 0; k < study_n_metrics(x->s->study); k++) {
        if (!x->missing[k])
            continue;
        buf_addf(b, "  metric %s was not found in ", study_metric_name(x->s->study, k));
        progress_count(x->missing[k], b);
        buf_addf(b, " %s that succeeded\n", x->missing[k] == 1 ? "point" : "points");
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
             (double)x->s->wall_ms / 1000, (double)x->sum_us / 1e6, speed_up(x), utilisation(x));
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
    for (size_t i = 0; i < x->n_shown; i++) {
        buf_addf(&b, "%s{\"point\": %" PRIu64, i ? ", " : "", x->failures[i].index);
        add_text_member("values", x->failures[i].label, &b);
        add_text_member("reason", x->failures[i].reason, &b);
        buf_addc(&b, '}');
    }
    buf_adds(&b, "], \"metrics_missing\": {");
    bool first = true;
    for (size_t k = 0; k < study_n_metrics(x->s->study); k++) {
        const char *name = study_metric_name(x->s->study, k);
        buf_adds(&b, first ? "" : ", ");
        buf_add_json(&b, name, strlen(name));
        buf_addf(&b, ": %" PRIu64, x->missing[k]);
        first = false;
    }
    printf("%s}}\n", buf_text(&b));
    fflush(stdout);
    buf_fini(&b);
}
