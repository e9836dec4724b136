#include "cli/dot.h"

#include "cli/progress.h"

void tally_add(struct tally *t, enum task_state state)
{
    uint64_t *const at[N_TASK_STATES] = {
        [TASK_DONE] = &t->done,           [TASK_FAILED] = &t->failed,
        [TASK_QUARANTINED] = &t->failed,  [TASK_LEASED] = &t->running,
        [TASK_CANCELLED] = &t->cancelled, [TASK_UNMET] = &t->unmet,
    };

    ++*(at[state] ? at[state] : &t->left);
}

static void add_count(uint64_t n, const char *word, struct buf *out)
{
    if (!n)
        return;
    buf_addc(out, '\n');
    progress_count(n, out);
    buf_addf(out, " %s", word);
}

void tally_lines(const struct tally *t, struct buf *out)
{
    add_count(t->done, "done", out);
    add_count(t->failed, "failed", out);
    add_count(t->running, "running", out);
    add_count(t->cancelled, "cancelled", out);
    add_count(t->unmet, "skipped", out);
    add_count(t->left, "left", out);
}

/* Colours that differ for the colour-blind too (Okabe and Ito's set, lightened). */
static const char *colour(const struct tally *t)
{
    if (t->failed)
        return "#f0a080"; /* vermilion */
    if (t->running)
        return "#9ecdf0"; /* sky blue */
    if (t->cancelled + t->unmet)
        return "#f5e690";                               /* yellow */
    return t->left || !t->done ? "#ffffff" : "#8fd6bd"; /* bluish green */
}

static void add_quoted(const char *text, struct buf *out)
{
    buf_addc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_addc(out, '\\');
        if (*text != '\n')
            buf_addc(out, *text);
        else
            buf_adds(out, "\\n");
    }
    buf_addc(out, '"');
}

void dot_begin(const char *name, struct buf *out)
{
    buf_adds(out, "digraph ");
    add_quoted(name, out);
    buf_adds(out, " {\n  rankdir=LR\n  node [shape=box, style=\"filled,rounded\", "
                  "fontname=\"sans-serif\", fontsize=11]\n  edge [fontname=\"sans-serif\", "
                  "fontsize=10]\n");
}

static void add_labelled(const char *id, const char *label, struct buf *out)
{
    buf_adds(out, "  ");
    add_quoted(id, out);
    buf_adds(out, " [label=");
    add_quoted(label, out);
}

void dot_node(const char *id, const char *label, const struct tally *t, struct buf *out)
{
    add_labelled(id, label, out);
    buf_addf(out, ", fillcolor=\"%s\"]\n", colour(t));
}

void dot_note(const char *id, const char *label, struct buf *out)
{
    add_labelled(id, label, out);
    buf_adds(out, ", shape=plaintext, style=\"\"]\n");
}

void dot_caption(const char *text, struct buf *out)
{
    buf_adds(out, "  fontname=\"sans-serif\"\n  fontsize=11\n  label=");
    add_quoted(text, out);
    buf_addc(out, '\n');
}

void dot_gate(const char *id, struct buf *out)
{
    buf_adds(out, "  ");
    add_quoted(id, out);
    buf_adds(out, " [shape=point]\n");
}

void dot_edge(const char *from, const char *to, const char *label, struct buf *out)
{
    buf_adds(out, "  ");
    add_quoted(from, out);
    buf_adds(out, " -> ");
    add_quoted(to, out);
    if (label && *label) {
        buf_adds(out, " [label=");
        add_quoted(label, out);
        buf_addc(out, ']');
    }
    buf_addc(out, '\n');
}

void dot_end(struct buf *out)
{
    buf_adds(out, "}\n");
}
