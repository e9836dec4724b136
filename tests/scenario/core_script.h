#ifndef GRANGE_TESTS_CORE_SCRIPT_H
#define GRANGE_TESTS_CORE_SCRIPT_H
/* core_script - the scheduler's core in a scenario, in two files: core_script.c plays, core_words.c
 * turns the words of a line into an event. */

#include "base/buf.h"
#include "scheduler/core.h"
#include "tests/scenario/words.h"

enum { ROWS_MAX = 16, POINTS_IN_SCRIPT = 4096, LIST_MAX = 64, CALLS_IN_SCRIPT = 100 };

/* One event with everything it borrows. */
struct scripted {
    struct event ev;
    struct array_row array;
    struct worker_row worker;
    struct end_row end;
    struct event_held held[LIST_MAX];
    uint64_t index[LIST_MAX], durations_us[LIST_MAX];
    struct change adopts[LIST_MAX];
    uint8_t states[POINTS_IN_SCRIPT], rules[POINTS_IN_SCRIPT];
    struct edge edges[LIST_MAX];
    struct array_edge after[LIST_MAX];
    uint32_t order[POINTS_IN_SCRIPT];
    struct buf labels; /* of the worker */
};

/* What lines may refer to: arrays that were submitted before. */
struct rows {
    struct array_row array[ROWS_MAX];
    size_t n;
    uint64_t next_task;
};

/* core_words - fills *s from the words after the event's name; everything but the peer. */
void core_words(struct words *w, const char *verb, struct rows *rows, struct scripted *s);

/* core_verb - what an event is called in scripts; "" when it has no name. */
const char *core_verb(enum event_kind kind);

/* needs_words.c: what tasks need, what workers have, what steers them. */
void needs_words(struct words *w, struct needs *n);
void share_words(struct words *w, struct policy *p);
void offer_words(struct words *w, struct scripted *s);
void steer_words(struct words *w, struct scripted *s);

/* core_worker_words - the worker of a hello. */
void core_worker_words(struct words *w, struct scripted *s, const char *name);

#endif
