#ifndef GRANGE_TESTS_SCRIPT_H
#define GRANGE_TESTS_SCRIPT_H
/* script - what turns the words of a line into an event for the thing that is played, and its
 * outputs into text. One for the scheduler's core, one for the worker's agent; the player knows
 * neither. */

#include "base/buf.h"
#include "tests/scenario/words.h"

struct script {
    void *(*start)(struct words *config); /* the words after `config` */
    void (*step)(void *state, ms_t now, struct words *w,
                 struct buf *said); /* one event; what follows from it */
    void (*timeout)(void *state, ms_t now, struct buf *said);
    ms_t (*deadline)(void *state);
    void (*end)(void *state);
};
extern const struct script core_script, agent_script;

#endif
