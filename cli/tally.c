#include "cli/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "base/reason.h"
#include "cli/cli.h"
#include "cli/late.h"
#include "cli/points.h"
#include "cli/rows.h"
#include "client/inside.h"
#include "store/reader.h"
#include "study/csv.h"

/* ---- from a store that is here ---- */

struct reading {
    const struct study *study;
    struct study *own; /* when it came from the store */
    struct reader *reader;
    struct reader_study row;
    struct late_metrics late;
    struct tally *to;
};

static enum err on_failure(void *ctx, const struct end_row *row, struct fault *f)
{
    struct reading *x = ctx;
    struct tally_failure *one = &x->to->failures[x->to->n_failures++];
    struct buf reason = { 0 };

    (void)f;
    reason_words(row->reason, row->code, &reason);
    if (row->body && row->body->error_line && row->body->error_line[0])
        buf_addf(&reason, ": %s", row->body->error_line);
    *one = (struct tally_failure){ row->task.n - x->row.array.first.n, reason.data };
    return ERR_NONE;
}

static enum err count_row(void *ctx, size_t n, const char *const *names, const char *const *cells,
                          const bool *is_number, struct fault *f)
{
    (void)n, (void)names, (void)is_number, (void)f;
    *(uint64_t *)ctx += cells != NULL;
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

static void count_missing(struct reading *x)
{
    const char *state = state_column(x->study);
    struct buf where = { 0 };
    struct fault f;

    for (size_t k = 0; k < study_n_metrics(x->study); k++) {
        buf_clear(&where);
        add_column(study_metric_name(x->study, k), &where);
        buf_adds(&where, " IS NULL AND ");
        add_column(state, &where);
        buf_adds(&where, " = 'done'");
        if (reader_results(x->reader, &x->row, buf_text(&where), NULL, count_row,
                           &x->to->missing[k], &f))
            x->to->missing[k] = 0;
    }
    buf_fini(&where);
}

static enum err begin_reading(struct reading *x, const char *dir, const char *name, struct fault *f)
{
    enum err err = reader_open(dir, &x->reader, f);

    if (!err)
        err = reader_study(x->reader, name, &x->row, f);
    if (!err && !x->study) {
        err = study_from_json(x->row.array.spec, x->row.array.spec_bytes, &x->own, f);
        x->study = x->own;
    }
    return err;
}

static void end_reading(struct reading *x)
{
    study_free(x->own);
    reader_study_fini(&x->row);
    reader_close(x->reader);
}

static void read_here(struct reading *x, const struct tally_ask *ask, const char *dir)
{
    struct fault f;

    x->study = ask->study;
    x->to->known = begin_reading(x, dir, ask->name, &f) == ERR_NONE;
    if (x->to->known && ask->took)
        (void)reader_took(x->reader, &x->row, ask->after, &x->to->sum_us, &f);
    if (x->to->known && ask->failures)
        (void)reader_failures(x->reader, &x->row, TALLY_FAILURES, on_failure, x, &f);
    if (x->to->known && ask->late)
        late_metrics(&x->late, x->study, dir, x->reader);
    if (x->to->known && ask->metrics)
        count_missing(x);
}

static uint64_t last_end_here(const char *dir)
{
    struct reader *r = NULL;
    uint64_t n = 0;
    struct fault f;

    if (reader_open(dir, &r, &f) || reader_last_end(r, &n, &f))
        n = 0;
    reader_close(r);
    return n;
}

/* ---- over the wire: rows of CSV, WHAT,KEY,VALUE ---- */

static const char *const columns[] = { "what", "key", "value" };

static void print_row(struct rows *r, const char *what, const char *key, const char *value)
{
    rows_add(r, (const char *const[]){ what, key, value }, (const bool[3]){ 0 });
}

static void print_number(struct rows *r, const char *what, const char *key, uint64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, n);
    print_row(r, what, key, text);
}

static void print(const struct tally *t, const struct study *s, struct rows *r)
{
    char index[24];

    print_number(r, "took", "", t->sum_us);
    for (size_t i = 0; i < t->n_failures; i++) {
        snprintf(index, sizeof index, "%" PRIu64, t->failures[i].index);
        print_row(r, "failure", index, t->failures[i].reason);
    }
    for (size_t k = 0; k < study_n_metrics(s); k++)
        if (t->missing[k])
            print_number(r, "missing", study_metric_name(s, k), t->missing[k]);
}

static void take_row(const struct csv *row, const struct study *s, struct tally *t)
{
    const char *what = row->cells[0], *key = row->cells[1], *value = row->cells[2];

    if (strcmp(what, "took") == 0) {
        t->sum_us = strtoull(value, NULL, 10);
        t->known = true;
    } else if (strcmp(what, "failure") == 0 && t->n_failures < TALLY_FAILURES) {
        char *reason = strdup(value);
        must(reason);
        t->failures[t->n_failures++] = (struct tally_failure){ strtoull(key, NULL, 10), reason };
    } else if (strcmp(what, "missing") == 0) {
        for (size_t k = 0; k < study_n_metrics(s); k++)
            if (strcmp(study_metric_name(s, k), key) == 0)
                t->missing[k] = strtoull(value, NULL, 10);
    }
}

enum { FAR_BYTES_MAX = 1 << 20 }; /* far more than the rows of any study */

static bool add_page(void *text, const void *data, size_t n)
{
    buf_add(text, data, n);
    return ((struct buf *)text)->n < FAR_BYTES_MAX;
}

/* ask - the rows; a scheduler that does not know the verb gives none. */
static void ask_far(struct grange *g, const char *const *words, size_t n_words, struct buf *text)
{
    const struct client_look what = { .verb = "tally", .words = words, .n_words = n_words };
    struct buf said = { 0 };
    int code;

    if (g && client_look(g, &what, add_page, text, REQUEST_MS, &code, &said) != GRANGE_OK)
        buf_clear(text);
    buf_fini(&said);
}

static void read_far(const struct tally_ask *ask, struct grange *g, struct tally *t)
{
    const char *words[LOOK_WORDS_MAX] = { ask->name };
    size_t n = 2;
    char after[24];
    struct buf text = { 0 };
    struct csv csv;

    snprintf(after, sizeof after, "%" PRIu64, ask->after);
    words[1] = after;
    if (ask->took)
        words[n++] = "took";
    if (ask->failures)
        words[n++] = "failures";
    if (ask->metrics)
        words[n++] = "metrics";
    if (ask->late)
        words[n++] = "late";
    ask_far(g, words, n, &text);
    csv_init(&csv, buf_text(&text), text.n);
    while (csv_row(&csv))
        if (csv.n == 3)
            take_row(&csv, ask->study, t);
    csv_fini(&csv);
    buf_fini(&text);
}

/* ---- either ---- */

uint64_t tally_last_end(const char *dir, struct grange *g)
{
    if (dir[0])
        return last_end_here(dir);
    struct buf text = { 0 };
    ask_far(g, NULL, 0, &text);
    uint64_t n = strtoull(buf_text(&text), NULL, 10);
    buf_fini(&text);
    return n;
}

void tally_read(const struct tally_ask *ask, const char *dir, struct grange *g, struct tally *t)
{
    struct reading x = { .to = t };

    *t = (struct tally){ 0 };
    if (dir[0])
        read_here(&x, ask, dir);
    else
        read_far(ask, g, t);
    end_reading(&x);
}

void tally_fini(struct tally *t)
{
    for (size_t i = 0; i < t->n_failures; i++)
        free(t->failures[i].reason);
}

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 5; i < argc; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

/* --dir DIR -- [STUDY AFTER [took] [failures] [metrics] [late]] */
int tally_main(int argc, char **argv)
{
    static struct tally t; /* large */
    struct reading x = { .to = &t };
    struct rows rows;

    if (argc < 3 || strcmp(argv[2], "--") != 0)
        return CLI_USAGE;
    if (argc < 5) {
        printf("%" PRIu64 "\n", last_end_here(argv[1]));
        return CLI_OK;
    }
    const struct tally_ask ask = { .name = argv[3],
                                   .after = strtoull(argv[4], NULL, 10),
                                   .took = has_word(argc, argv, "took"),
                                   .failures = has_word(argc, argv, "failures"),
                                   .metrics = has_word(argc, argv, "metrics"),
                                   .late = has_word(argc, argv, "late") };
    read_here(&x, &ask, argv[1]);
    rows_begin(&rows, ROWS_CSV, stdout, false, 3, columns);
    if (t.known)
        print(&t, x.study, &rows);
    rows_end(&rows);
    end_reading(&x);
    tally_fini(&t);
    return CLI_OK;
}
