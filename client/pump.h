#ifndef GRANGE_CLIENT_PUMP_H
#define GRANGE_CLIENT_PUMP_H
/* pump - who takes what arrives on a connection. Of the threads that wait for something one leads:
 * it polls the link, takes what came and wakes the others. A thread of the library leads when
 * nobody waits; it is started with the first future, and stands back for IDLE_MS after a caller
 * led, so that a program that calls and waits in turn has no thread beside it to wake.
 *
 * A caller that comes while the library's thread polls takes the lead away from it without waking
 * it: both see the link become readable, and the one that has lost the lead does nothing. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"

enum { IDLE_MS = 5 };

struct grange;

struct pump {
    pthread_cond_t changed; /* something was taken, or the lead is free */
    pthread_cond_t idle;    /* wakes the library's thread while it stands back */
    uint64_t lead, leads;   /* who leads, by number of its turn; 0: nobody */
    bool lead_is_ours;      /* the library's thread */
    unsigned n_waiting;     /* on `changed` */
    ms_t since_ms;          /* when the one who leads began */
    ms_t led_ms;            /* when a caller last led */
    int wake_fd;            /* ends the wait of the library's thread */
    bool has_thread, parked, closing;
    pthread_t thread;
    bool in_callbacks; /* one thread runs callbacks: */
    pthread_t callback_thread;
};

void pump_init(struct pump *p);
void pump_fini(struct pump *p);
void pump_start(struct grange *g);             /* the library's thread; once */
void pump_stop(struct grange *g);              /* ends it; without the lock */
bool pump_in_callback(const struct grange *g); /* whether the caller is one */

/* pump_turn - takes everything that arrived; when that was nothing waits until something arrives or
 * `until` (clock_mono_ms) passes, and takes that. The lock is given up while it waits. Callbacks of
 * futures that ended run before it returns. */
void pump_turn(struct grange *g, ms_t until);
/* pump_pause - until another thread has had its turn, or for a moment. */
void pump_pause(struct grange *g);
/* pump_callbacks - of the futures that ended, one at a time, without the lock. Another thread that
 * is at it already sees what we would have seen. */
void pump_callbacks(struct grange *g);
void pump_wake(struct grange *g); /* whoever waits looks again */

#endif
