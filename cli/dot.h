#ifndef GRANGE_CLI_DOT_H
#define GRANGE_CLI_DOT_H
/* dot - graphs in the language of graphviz: boxes with a label, coloured by what became of the
 * tasks that they stand for. */

#include <stdint.h>

#include "base/buf.h"
#include "base/rows.h"

/* tally - tasks of a box, by what became of them. */
struct tally {
    uint64_t done, failed, running, cancelled, unmet, left;
};
void tally_add(struct tally *t, enum task_state state);
/* tally_lines - a line for each number that is not 0: "\n12 done\n1 failed". */
void tally_lines(const struct tally *t, struct buf *out);

void dot_begin(const char *name, struct buf *out);
void dot_node(const char *id, const char *label, const struct tally *t, struct buf *out);
void dot_gate(const char *id, struct buf *out); /* a point where many edges meet */
/* dot_note - a text without a box. */
void dot_note(const char *id, const char *label, struct buf *out);
/* dot_caption - below the picture. */
void dot_caption(const char *text, struct buf *out);
/* dot_edge - label may be NULL or "". */
void dot_edge(const char *from, const char *to, const char *label, struct buf *out);
void dot_end(struct buf *out);

#endif
