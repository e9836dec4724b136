#ifndef GRANGE_TESTS_CLIENT_ENGINES_FAKE_H
#define GRANGE_TESTS_CLIENT_ENGINES_FAKE_H
/* client_engines_fake - a scheduler with four engines, for the tests of operations on engines, in a
 * thread. It keeps to the credit of docs/protocol.md as strictly as it may, so that a client that
 * sends too much fails the test and one that sends too little waits for ever. A function "fail"
 * exits with 3, "crash" dies of signal 11, "slow" runs out of its time, "hold" does not return
 * before engines_release, "stuck" acknowledges but the first part of its payload until then; all
 * others give back what they are given. Payloads that are offered as files are declined and results
 * go in parts, until `files` is set. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ids.h"
#include "base/limits.h"
#include "client/grange.h"

enum { LONG_MS = 100000, ENGINES = 4, STREAMS = 8, OFFERS_MAX = 64 };

struct engines_fake {
    char dir[64], url[100];
    struct buf values[ENGINES]; /* one each is enough */
    bool has_value[ENGINES];
    bool gather_streams; /* results in parts go on once STREAMS of them are wanted */
    bool stuck_streams;  /* they do not go on */
    bool says_less;      /* a result is twice as long as was said */
    bool backwards;      /* what was held is released in reverse order */
    bool counts_only;    /* of a payload in a file it looks at the length alone */
    bool hides;          /* shows files that are not there */
    bool names;          /* declines a file and names one of its own */
    bool keeps_last;     /* says no last word about a result that was read out of its file */
    atomic_bool files;   /* takes payloads and shows results as files */
    atomic_uint n_jobs, most_jobs, n_cancelled, n_begun, most_begun, n_offered, n_filled, n_read;
    _Atomic uint64_t bytes_out, most_out; /* payloads that came without an acknowledgement: of all,
                                             and of one at most */
    uint64_t offers[OFFERS_MAX];          /* inodes of the files that were offered */
    atomic_llong limit_ms;                /* of the last call */
    atomic_bool wrong;                    /* the client went beyond its credit */
};

extern struct engines_fake fake;
extern struct grange *g; /* is connected to it */
extern const uint64_t all[ENGINES];

void engines_setup(void);
void engines_teardown(void);
void engines_stop(void);
pthread_t engines_thread(void);
/* engines_release - what was held ends, and what comes is not held. */
void engines_release(void);
void engines_crash(void); /* whoever runs something dies of signal 9 */
void engines_asked(void); /* returns when the scheduler has taken all that was sent */
char *pattern(size_t n);  /* n bytes to free() */

#endif
