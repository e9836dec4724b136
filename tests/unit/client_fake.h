#ifndef GRANGE_TESTS_CLIENT_FAKE_H
#define GRANGE_TESTS_CLIENT_FAKE_H
/* client_fake - a scheduler as the tests of the library need it, in a thread. A study is "sweep",
 * of FAKE_POINTS points that have ended; one that is followed says something once. It keeps arrays
 * by key, takes appends and ends calls at once. What a payload begins with says how: "fail" exits
 * with 3, "hold" waits for fake_release, "kill" is ended by signal 9, "skip" is skipped because of
 * the call before it; all else is done and gives its payload back. Arrays stay when the fake is
 * stopped, so that it can be started again. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "proto/link.h"
#include "proto/message.h"

enum { FAKE_ARRAYS_MAX = 64, FAKE_BLOBS_MAX = 8, FAKE_POINTS = 5 };

struct fake_blob {
    uint64_t id;
    struct buf data;
};

struct fake_array {
    char key[KEY_BYTES_MAX + 1], study[NAME_BYTES_MAX + 1], spec[400];
    uint32_t id;
    uint64_t n;
    bool closed;
    struct buf payloads, sizes; /* of all calls, and where each begins: size_t */
    struct buf ended;           /* a byte a call: it has */
    struct buf order;           /* uint64_t: calls in the order of their ends */
    struct buf edges;           /* struct edge: call is the index in the array */
    struct buf rules;           /* a byte a call */
    peer_id collector;
    bool shares; /* it wants to know how far calls are */
    size_t sent; /* of order */
};

struct fake_late {
    peer_id from;
    uint64_t request;
};

struct fake {
    pthread_t thread;
    struct link *link;
    peer_id peers[4]; /* who said hello last */
    peer_id dropped;  /* at a part of a blob: what comes behind it is not heard */
    unsigned n_peers;
    int wake_fd;
    char url[120];
    struct fake_array arrays[FAKE_ARRAYS_MAX];
    unsigned n_arrays;
    struct fake_blob blobs[FAKE_BLOBS_MAX];
    unsigned n_blobs;
    /* What it does differently; set while it is stopped. */
    unsigned drop_append;     /* closes the connection instead of taking this append; 1.. */
    bool drop_after;          /* takes it, and then does not answer */
    unsigned drop_part;       /* closes the connection instead of this part of a blob; 1.. */
    bool backwards;           /* the calls of one append end in reverse order */
    const char *refuse_spec;  /* Opens whose spec has this are refused */
    const char *refuse_calls; /* appends that begin with this payload are refused */
    uint32_t version;         /* of the protocol, in its welcome */
    bool refuse_hello;
    bool forgets;      /* with that part, all parts of the blob that it had */
    bool refuse_parts; /* of blobs: there is no room */
    bool takes_back;   /* what it has said is durable: then it has none of it */
    bool late_acks;    /* parts of blobs that it takes are acknowledged four at a time */
    bool one_part;     /* of those that are wanted of a result it gives but the first */
    bool refuse_cancel;
    bool beats;               /* with who beats: it is not lost because it has nothing to say */
    bool garbage;             /* answers the first Follow with bytes that are no message */
    bool says_bye;            /* when it is stopped */
    bool spread;              /* call i was submitted 10 i ms after the first, and took a second */
    bool says_all;            /* fake_say: of calls that have ended too */
    bool mute;                /* takes connections and says nothing */
    unsigned drop_submit;     /* closes the connection instead of answering this submit; 1.. */
    bool deaf;                /* takes appends without answering */
    struct fake_late late[4]; /* Collects that were not answered */
    unsigned n_late;
    atomic_bool late_replies; /* Collects are answered at fake_reply_late */
    atomic_bool stopping, released, saying, going_down;
    const char *_Atomic telling; /* a study */
    struct call_share said;
    atomic_uint n_opens, n_appends, n_appended_calls, n_cancelled, n_collects, n_parts;
    atomic_uint n_hellos, n_submits, n_follows, n_beats, n_byes, n_shutdowns;
    _Atomic uint64_t submit_requests; /* their numbers, added up */
    atomic_uint most_calls;           /* in one append */
    atomic_uint cancel_array;         /* of the last Cancel, */
    atomic_bool cancel_home;          /* and whether it named the study of the calls */
    _Atomic uint64_t cursor;          /* of the last Collect, */
    atomic_uint n_named;              /* and how many calls it named */
    atomic_int verb;                  /* of the last Control, */
    atomic_llong number;              /* and its number */
};

void fake_start(struct fake *s); /* s->url is set */
void fake_stop(struct fake *s);
void fake_down(struct fake *s);       /* the same, and says that its farm ends */
void fake_reply_late(struct fake *s); /* to what was held back, and from now on at once */
void fake_release(struct fake *s);    /* what was held ends, and what comes is not held */
/* fake_say - of every call that is held, to who wants it; the text is static. */
void fake_say(struct fake *s, double share, const char *text);
/* fake_tell - those who are connected, how far a study is that nobody asked about just now. */
void fake_tell(struct fake *s, const char *study);
void fake_fini(struct fake *s);

#endif
