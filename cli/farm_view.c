#include "cli/farm_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/progress.h"
#include "cli/table.h"

const char *farm_view_state(enum grange_worker_state state)
{
    static const char *const names[] = { "up", "away", "draining", "quarantined" };
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "?";
}

const char *farm_view_engine_state(enum grange_engine_state state)
{
    static const char *const names[] = { "starting", "idle", "busy", "down" };
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "?";
}

/* Lines as words, "os=linux fast", without the names of functions, which stand with the engines. */
static void add_words(const char *lines, struct buf *out)
{
    for (size_t n; *lines; lines += n + (lines[n] == '\n')) {
        n = strcspn(lines, "\n");
        if (strncmp(lines, "fn:", 3) == 0)
            continue;
        if (out->n)
            buf_addc(out, ' ');
        buf_add(out, lines, n);
    }
}

static void add_memory(uint64_t mib, struct buf *out)
{
    if (mib >= 10240)
        buf_addf(out, "%.0f GiB", (double)mib / 1024);
    else
        buf_addf(out, "%" PRIu64 " MiB", mib);
}

/* What a worker has: memory, resources, labels; and why it is quarantined, when it ends. */
static void add_notes(const struct grange_farm_worker *w, ms_t now_ms, struct buf *out)
{
    add_words(w->resources, out);
    add_words(w->labels, out);
    if (w->end_ms > now_ms) {
        buf_adds(out, out->n ? ", ends in " : "ends in ");
        progress_duration(w->end_ms - now_ms, out);
    }
    if (w->why[0])
        buf_addf(out, "%s%s", out->n ? ", " : "", w->why);
}

struct memory_table {
    struct table table;
    FILE *file;
    char *text;
    size_t n;
};

static void open_table(struct memory_table *t, unsigned width, size_t n,
                       const char *const *headings)
{
    t->file = open_memstream(&t->text, &t->n);
    must(t->file);
    table_open(&t->table, t->file, width, n, headings);
}

static void close_table(struct memory_table *t, struct buf *out)
{
    table_close(&t->table);
    fclose(t->file);
    buf_add(out, t->text, t->n);
    free(t->text);
}

void farm_view_workers(const struct grange_farm *farm, ms_t now_ms, unsigned width, struct buf *out)
{
    static const char *const headings[] = { "id",     "worker", "host",   "state",  "slots", "busy",
                                            "queued", "ended",  "memory", "up for", "has" };
    static const bool number[] = { true, false, false, false, true, true,
                                   true, true,  true,  true,  false };
    struct memory_table t = { 0 };
    struct buf memory = { 0 }, since = { 0 }, notes = { 0 }, ended = { 0 };
    open_table(&t, width, 11, headings);
    for (size_t i = 0; i < farm->n_workers; i++) {
        const struct grange_farm_worker *w = &farm->workers[i];
        char id[16], slots[16], busy[16], queued[16];
        snprintf(id, sizeof id, "%u", w->id);
        snprintf(slots, sizeof slots, "%u", w->slots);
        snprintf(busy, sizeof busy, "%u", w->slots_busy);
        snprintf(queued, sizeof queued, "%u", w->queued);
        buf_clear(&memory), buf_clear(&since), buf_clear(&notes), buf_clear(&ended);
        add_memory(w->memory_mib, &memory);
        progress_duration(now_ms > w->since_ms ? now_ms - w->since_ms : 0, &since);
        progress_count(w->n_ended, &ended);
        add_notes(w, now_ms, &notes);
        const char *cells[] = { id,          w->name,    w->host,         farm_view_state(w->state),
                                slots,       busy,       queued,          ended.data,
                                memory.data, since.data, buf_text(&notes) };
        table_row(&t.table, cells, number);
    }
    close_table(&t, out);
    buf_fini(&memory), buf_fini(&since), buf_fini(&notes), buf_fini(&ended);
}

void farm_view_engines(const struct grange_farm *farm, unsigned width, struct buf *out)
{
    static const char *const headings[] = { "engine",   "worker",    "state",      "pid",
                                            "restarts", "functions", "last reason" };
    static const bool number[] = { true, false, false, true, true, false, false };
    struct memory_table t = { 0 };
    struct buf functions = { 0 };
    if (farm->n_engines == 0)
        return;
    open_table(&t, width, 7, headings);
    for (size_t i = 0; i < farm->n_engines; i++) {
        const struct grange_engine *e = &farm->engines[i];
        char id[24], pid[16], restarts[16];
        snprintf(id, sizeof id, "%" PRIu64, e->id);
        snprintf(pid, sizeof pid, "%u", e->pid);
        snprintf(restarts, sizeof restarts, "%u", e->restarts);
        buf_clear(&functions);
        add_words(e->functions, &functions);
        const char *cells[] = { id,       e->worker, farm_view_engine_state(e->state),
                                pid,      restarts,  buf_text(&functions),
                                e->reason };
        table_row(&t.table, cells, number);
    }
    close_table(&t, out);
    buf_fini(&functions);
}

/* ---- JSON ---- */

static void add_text(const char *key, const char *text, struct buf *out)
{
    buf_addf(out, "\"%s\": ", key);
    buf_add_json(out, text, strlen(text));
}

static void add_list(const char *key, const char *lines, struct buf *out)
{
    buf_addf(out, ", \"%s\": [", key);
    for (size_t k = 0; *lines; k++) {
        size_t n = strcspn(lines, "\n");
        buf_adds(out, k ? ", " : "");
        buf_add_json(out, lines, n);
        lines += n + (lines[n] == '\n');
    }
    buf_addc(out, ']');
}

static void add_worker(const struct grange_farm_worker *w, struct buf *out)
{
    buf_addf(out, "    {\"id\": %u, ", w->id);
    add_text("worker", w->name, out);
    buf_adds(out, ", ");
    add_text("host", w->host, out);
    buf_adds(out, ", ");
    add_text("state", farm_view_state(w->state), out);
    buf_addf(out,
             ", \"pid\": %u, \"slots\": %u, \"busy\": %u, \"queued\": %u, \"ended\": %" PRIu64
             ", \"memory_mib\": %" PRIu64 ", \"since_ms\": %" PRId64 ", \"end_ms\": %" PRId64,
             w->pid, w->slots, w->slots_busy, w->queued, w->n_ended, w->memory_mib, w->since_ms,
             w->end_ms);
    add_list("labels", w->labels, out);
    add_list("resources", w->resources, out);
    buf_adds(out, ", ");
    add_text("why", w->why, out);
    buf_addc(out, '}');
}

static void add_engine(const struct grange_engine *e, struct buf *out)
{
    buf_addf(out, "    {\"engine\": %" PRIu64 ", ", e->id);
    add_text("worker", e->worker, out);
    buf_adds(out, ", ");
    add_text("state", farm_view_engine_state(e->state), out);
    buf_addf(out, ", \"slot\": %u, \"pid\": %u, \"restarts\": %u, ", e->slot, e->pid, e->restarts);
    add_text("reason", e->reason, out);
    add_list("functions", e->functions, out);
    buf_addc(out, '}');
}

void farm_view_json(const struct grange_farm *farm, struct buf *out)
{
    buf_adds(out, "{\n  \"workers\": [");
    for (size_t i = 0; i < farm->n_workers; i++) {
        buf_adds(out, i ? ",\n" : "\n");
        add_worker(&farm->workers[i], out);
    }
    buf_adds(out, "],\n  \"engines\": [");
    for (size_t i = 0; i < farm->n_engines; i++) {
        buf_adds(out, i ? ",\n" : "\n");
        add_engine(&farm->engines[i], out);
    }
    buf_adds(out, "]\n}\n");
}
