#ifndef GRANGE_WORKER_CREW_H
#define GRANGE_WORKER_CREW_H
/* crew - the engines of a worker and the calls at them: does what the agent decides about both,
 * and tells it what engines say. Private to the loop's files. */

#include "worker/call.h"
#include "worker/engine.h"
#include "worker/loop.h"

struct at_engine { /* an engine and what it was given, in order; the first one runs */
    struct engine engine;
    struct call *first, *last;
    size_t n;
    uint64_t next_number;
    uint64_t killed_for; /* the number of the call that it was killed for; 0: for none */
    uint32_t generation, restarts;
    uint32_t idle_deaths;             /* in a row, while a call had been given but not begun */
    bool closed;                      /* it closed its pipe and went on: it was killed for that */
    bool more;                        /* frames are left for the next turn */
    bool has_files;                   /* it keeps values whose files are not in its own directory */
    bool dead;                        /* it ended and was not started again */
    char reason[ERROR_LINE_MAX + 64]; /* of its last end, "" */
    enum engine_state told;           /* what the scheduler was told last */
    array_id cached_array;            /* whose function has this number here */
    uint32_t cached_function;
    struct call *arriving; /* direct calls of which parts are missing, or that are behind such */
};

struct crew {
    struct at_engine *engines; /* [n] one a slot; none without plug-ins */
    uint32_t n;
    uint64_t machine;  /* machine_id */
    char *dir;         /* of this worker, for engines and long payloads */
    const char **argv; /* of an engine */
    char *functions; /* of the first that said hello: names, each with a zero byte; NULL: unknown */
    size_t functions_bytes;
    uint32_t n_functions;
    struct call *by_lease, *by_ticket;
    struct call *coming; /* long payloads, the first one moves */
    bool changed;        /* engines are to be told */
    bool turned;         /* one became busy or idle */
    ms_t told_at;
    bool shares_new; /* a call said how far it is */
    ms_t shares_at;  /* when the scheduler was told last */
};

/* crew_sweep - in `dir`: spare files, and directories of workers of this host that are not there
 * any more. crew_delete_spares: those alone. */
void crew_sweep(const struct worker *w, const char *dir);
void crew_delete_spares(const struct worker *w);
void crew_open(struct worker *w);
void crew_close(struct worker *w);

/* crew_functions - their names, for a hello: malloc'd, the texts are borrowed. */
const char **crew_functions(const struct worker *w, size_t *n);
/* crew_has - whether an engine here has the function. */
bool crew_has(const struct worker *w, const char *function);
/* crew_take - a granted call; the payload is copied, or fetched when there is a blob of it.
 * crew_find, crew_forget: by its lease. */
void crew_take(struct worker *w, const struct grant *g, struct payload *p, const void *payload,
               size_t bytes, const struct blob_ref *blob, ms_t limit_ms);
/* crew_ready - all of it is here: the agent may have it. */
void crew_ready(struct worker *w, struct call *c);
struct call *crew_find(const struct worker *w, lease_id lease);
void crew_forget(struct worker *w, lease_id lease);

/* crew_do - an act about a call. */
void crew_do(struct worker *w, const struct act *act);
/* crew_unlist - the call is not at the engine any more. */
void crew_unlist(struct worker *w, struct at_engine *e, struct call *c);
/* crew_begin - notes when the first at an engine begins. */
void crew_begin(struct at_engine *e);
/* crew_start_engine, crew_kill_engine - as the agent says. */
void crew_start_engine(struct worker *w, uint32_t slot);
void crew_kill_engine(struct worker *w, uint32_t slot);
/* crew_event - an epoll event of an engine. crew_reap: whether it was the process of one. */
void crew_event(struct worker *w, uint64_t tag);
bool crew_reap(struct worker *w, pid_t pid);
/* crew_look - what engines left in their pages; crew_flush - bundles go. */
void crew_look(struct worker *w);
void crew_flush(struct worker *w);
/* crew_wait_ms - how long a turn may sleep at the most because of calls; -1: for ever. */
int crew_wait_ms(const struct worker *w);
/* crew_tell - the engines, when they changed; those that became busy or idle, a little later. */
void crew_tell(struct worker *w);
/* crew_done - a call that came back from its engine, or never got there: to the agent, or to who
 * sent it. */
void crew_done(struct worker *w, struct call *c);
/* crew_release - the result has been read: its engine may write into the file that it lent for it.
 */
void crew_release(struct worker *w, struct call *c);

/* --- said.c --- */
/* said_note - a call said how far it is. said_tell - the scheduler, when something is new
 * and it is time; said_wait_ms - until then; -1: nothing is new. */
void said_note(struct worker *w, struct call *c, const struct engine_frame *f);
void said_tell(struct worker *w);
int said_wait_ms(const struct worker *w);

/* --- parcel.c --- */
/* parcel_fetch - a long payload; crew_ready when it is here. False: no room for it. parcel_drop: it
 * is not wanted any more. */
bool parcel_fetch(struct worker *w, struct call *c, uint64_t blob, uint64_t bytes);
void parcel_drop(struct worker *w, struct call *c);
/* parcel_sent - whether the result may be sent: a long one goes ahead of it, and when it is there
 * its lease is among the results again. */
bool parcel_sent(struct worker *w, struct call *c);
void parcel_part(struct worker *w, const struct message *m);
void parcel_acked(struct worker *w, const struct message *m);
void parcel_gone(struct worker *w); /* the connection is */

/* --- ticket.c --- */
void ticket_take(struct worker *w, const struct message *m);
void ticket_taken(struct worker *w, const struct message *m); /* an acknowledgement */
void ticket_answer(struct worker *w, struct call *c);         /* it has ended */
void ticket_gone(struct worker *w); /* the connection is: nobody waits any more */
/* ticket_end - without an answer: its engine is gone or never was, or it was revoked. */
void ticket_end(struct worker *w, struct call *c);

#endif
