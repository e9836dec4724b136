#ifndef GRANGE_TESTS_CALLS_HELP_H
#define GRANGE_TESTS_CALLS_HELP_H
/* calls_help - a real scheduler as a child, and peers that speak the wire to it: a client, and a
 * worker that computes nothing: it gives back each payload, and keeps a result until it is
 * acknowledged. */

#include <stdbool.h>
#include <sys/types.h>

#include "proto/link.h"
#include "proto/wire.h"

struct peer_of { /* a connection of one of them */
    struct link *link;
    peer_id peer; /* 0: not connected */
    uint64_t instance;
    bool is_worker, welcome;
};

struct stage {
    char dir[64];
    pid_t scheduler;
    struct peer_of client, worker;
    uint64_t n_messages; /* that they got */
    /* of the worker */
    struct end_row kept[8192];
    struct end_body bodies[8192];
    char *results[8192];
    size_t n_kept, n_ran;
    bool hold_back;     /* it takes calls and does not end them */
    bool of_run;        /* the scheduler is that of a `grange run` */
    const char *listen; /* besides its socket; NULL: nowhere */
    /* what it does with a blob, and what the client does with a message */
    void (*on_worker)(struct stage *s, const struct message *m);
    void (*on_client)(struct stage *s, const struct message *m);
    void *context;
};

void stage_open(struct stage *s); /* a directory, a scheduler, both peers */
void stage_close(struct stage *s);
void stage_dir(struct stage *s); /* the directory alone, for stage_start */
void stage_start(struct stage *s);
void stage_kill(struct stage *s); /* kill -9, and reaped */
/* stage_turn - waits for something, and hands it on; fails the test after a long silence. */
void stage_turn(struct stage *s);
void stage_say(struct peer_of *p, const struct message *m);
/* stage_open_key - the client opens an array of study "s": of the function "echo", or what `spec`
 * says. */
void stage_open_key(struct stage *s, const char *key, const char *spec);

#endif
