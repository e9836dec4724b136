#ifndef GRANGE_CLI_SESSION_INNER_H
#define GRANGE_CLI_SESSION_INNER_H
/* session_inner - a session while it goes on: session.c begins, follows and stops it, session_end.c
 * says how it ended. */

#include "cli/display.h"
#include "cli/local.h"
#include "cli/pace.h"
#include "cli/part.h"
#include "cli/session.h"

struct session {
    const struct session_plan *plan;
    const struct control *control;
    struct part *parts; /* [n_parts] the study, or its stages in the order of their dependence */
    size_t n_parts;
    const char *name; /* of the study; of stages, of all together */
    struct local local;
    struct grange *g;
    int signal_fd;
    struct grange_counts counts; /* newest, of all parts */
    uint32_t slots, slots_busy;  /* of the farm, as last heard; 0: not yet */
    uint32_t n_workers;
    bool have_news;
    uint64_t ended_before;
    uint64_t n_retried;  /* points that a retry reopened */
    uint64_t end_before; /* tally_last_end */
    ms_t started_ms;     /* monotonic */
    uint64_t begun_us;   /* likewise: from when on points may run; 0: not yet */
    uint64_t store;      /* stored_inode, once the points are stored; 0: it is elsewhere */
    ms_t lost_ms;        /* since when the connection is lost; 0: it is there */
    bool said_no_worker;
    ms_t look_ms; /* when to look why nothing runs; MS_NEVER: something does */
    struct display display;
    struct pace pace;
    /* stopping */
    int level;        /* how often we were asked to stop: 0, 1, 2, 3 */
    ms_t stop_now_ms; /* when running points are stopped; MS_NEVER */
    ms_t give_up_ms;  /* when waiting for that ends; MS_NEVER */
    bool hold_failed; /* the scheduler was away: ask again */
    uint64_t ended_at_stop, n_stopped;
    char note[160];
};

void session_idle(struct session *s, ms_t now); /* says why nothing runs */
bool session_lost_store(const struct session *s);
int session_finish(struct session *s);                      /* it came to an end: an exit code */
int session_fail(struct session *s, const struct fault *f); /* something went wrong: the same */

#endif
