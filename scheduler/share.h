#ifndef GRANGE_SCHEDULER_SHARE_H
#define GRANGE_SCHEDULER_SHARE_H
/* share - whose turn it is: those of a higher priority first, then those of the study that had the
 * least core time for its weight, then the older ones. A study is charged for a task when it is
 * given out (with what its tasks took on average), and what it took once that is known; one that
 * comes back from having nothing to do starts where those are that had. Internal to the core.
 *
 * The order is kept, not made: an array that has ready tasks is in its claim, by age. A claim is
 * what the arrays of a study have in common that ask for the same under the same policy; claims of
 * the same shape, whose tasks take about as long, are in a lane, by priority and share; lanes are
 * in one heap. What one claim of a lane finds no room for, no other does, so a pass goes over
 * lanes, and what one costs does not depend on how many arrays, studies or tasks are ready. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/turns.h"

struct core;
struct array;
struct lease;
struct live;
struct shape;

struct claim {
    struct turn turn;     /* in its lane, while it is open: something of it may be given out */
    struct turn measured; /* in its level: of the share, what is known and not guessed */
    struct live *study;
    struct lane *lane;
    struct level *level;
    uint32_t weight, running_max;
    struct turns arrays;       /* with ready tasks */
    size_t n_users;            /* arrays, ready or not */
    struct claim *next, *prev; /* of its study */
};
struct lane {
    struct turn turn; /* in core.turns, while a claim of it is open and it was not passed */
    struct shape *shape;
    uint32_t length; /* of its tasks, 1 + log2 of the microseconds, about; 0: not known, or nothing
                        to have at hand */
    bool full;       /* only workers in core.grown may take more of it to have at hand */
    bool open, passed;
    struct turns claims;
    size_t n_users;
    struct lane *next;        /* of its shape */
    struct lane *next_passed; /* within a pass */
};
/* The open claims of one priority, by what their studies were measured to have. */
struct level {
    int32_t priority;
    struct turns claims;
    size_t n_users;
    struct level *next;
};

/* share_place - an array is new, or its policy, its shape or how long its tasks take has changed;
 * share_forget - it goes. */
void share_place(struct core *c, struct array *a);
void share_forget(struct core *c, struct array *a);
/* share_update - what of it is ready, or whether that may be given out, has changed. */
void share_update(struct core *c, struct array *a);
bool share_allows(const struct array *a);           /* no running_max is in the way */
void share_leased(struct core *c, struct live *st); /* more of the study are leased, or fewer */
void share_drop(struct core *c, struct live *st);   /* a study goes, after its arrays */

void share_charge(struct lease *l); /* it is given out: what it may take */
void share_measured(struct core *c, struct lease *l, uint64_t us); /* it took, so far or in all */

/* share_begin - a pass. Then share_first says whose turn it is, NULL: nobody's; beyond: only of
 * those whose tasks are short enough to be had at hand. share_pass: it found no room, nor will
 * those that need the same. share_over: all are back. */
void share_begin(struct core *c);
struct array *share_first(struct core *c, bool beyond);
void share_pass(struct core *c, const struct array *a, bool beyond);
void share_over(struct core *c);

/* share_off_most - by how much core time the place of a study may be off. To move it costs
 * something for each of its open claims, so it is moved when that is worth it: at once with one
 * claim, every 50 ms of core time with 500. */
uint64_t share_off_most(const struct live *st);
void share_stuck(struct core *c, struct shape *s, bool stuck); /* see struct shape */
uint32_t share_widest(const struct core *c); /* cores of the widest ready tasks; 63: or more */
void share_check(const struct core *c);      /* aborts unless every invariant holds */

#endif
