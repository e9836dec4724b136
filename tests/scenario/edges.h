#ifndef GRANGE_TESTS_EDGES_H
#define GRANGE_TESTS_EDGES_H
/* edges - which moves of the task-state picture the scenarios make, and in which events. The
 * picture is a table of docs/testing.md, a row for two states:
 *
 *     | ready | running | time hello was-running | why |
 *
 * Every row must be made by a scenario, in each of its events, and no scenario makes another move.
 */

#include "scheduler/core.h"

/* edges_note - after an event: what moved since `before`, which is brought up to date. */
struct edges_seen {
    uint64_t n[N_TASK_STATES][N_TASK_STATES];
};
void edges_note(const struct core *c, enum event_kind kind, struct edges_seen *before);

/* edges_compare - prints what is missing on either side; 0 when nothing is. */
int edges_compare(const char *file);

#endif
