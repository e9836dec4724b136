#ifndef GRANGE_SCHEDULER_CALLS_H
#define GRANGE_SCHEDULER_CALLS_H
/* calls - arrays of calls in the shell: their keys, their payloads, and who collects their ends.
 *
 * The core sees counts, rules and edges. Payloads lie in chunks, one an append, in memory within
 * CHUNK_CACHE_BYTES and read back from the store beyond (chunk.c). Ends go to collectors: as they
 * are committed, or from the store for who comes late or reads slowly (collect.c). */

#include "base/chunk.h"
#include "scheduler/loop.h"

struct collector;

/* chunk - the calls of one append. `data` is what the store keeps of it: see base/chunk.h. */
struct chunk {
    uint64_t n; /* chunk_row.n */
    uint64_t at;
    uint32_t n_calls, n_left; /* n_left: have not ended since they came here */
    ms_t appended_ms;
    char *data; /* NULL: in the store alone */
    size_t bytes;
    bool summed;               /* the sizes in data have become where each payload ends */
    struct chunk *prev, *next; /* of those in memory; first is what was used last */
};

struct calls {
    array_id id;
    study_id study;
    task_id first;
    uint64_t span; /* task ids that are its own */
    uint64_t first_end;
    bool points;       /* an array of points, here only because somebody collects it; key "" */
    ms_t submitted_ms; /* of points: of all of them */
    char *key;
    struct chunk **chunks; /* in order of `at` */
    size_t n_chunks, cap_chunks;
    size_t hint; /* the chunk that was looked for last */
    struct collector *collectors;
    struct told *told; /* how far its running calls are */
    uint64_t n_told;   /* pieces of news about that */
    UT_hash_handle hh, hh_key;
};

struct worker_entry { /* the name of a worker that ended calls */
    uint32_t id;
    char name[NAME_BYTES_MAX + 1], host[NAME_BYTES_MAX + 1];
    uint64_t stamp; /* of the message that it was written to last */
    uint32_t at;    /* where in it */
    UT_hash_handle hh;
};

struct calls_table {
    struct calls *by_id, *by_key;
    struct calls **sorted; /* by first task */
    size_t n, cap;
    struct calls *last; /* that a task was looked up in */
    struct chunk *recent;
    size_t chunk_bytes, chunk_bytes_max; /* CHUNK_CACHE_BYTES; smaller for tests */
    size_t behind_bytes; /* what waits for a collector that is live: COLLECT_BEHIND_BYTES */
    struct collector *collectors; /* all of them */
    struct buf touched;           /* struct collector *: that got ends of the commit just made */
    struct worker_entry *workers;
    uint64_t stamp;
    struct loading *loading; /* calls_load.c: while one reads arrays; else NULL */
};

/* calls.c */
struct calls_table *calls_table_new(void);
void calls_table_free(struct scheduler *s);
/* calls_request - open and append; false: m is neither. */
bool calls_request(struct scheduler *s, peer_id from, const struct message *m);
void calls_send_opened(struct scheduler *s, peer_id to, uint64_t request, array_id id);
void calls_send_appended(struct scheduler *s, const struct send *d);
/* calls_tidy - forgets arrays that have ended and that nobody collects; now and then. */
void calls_tidy(struct scheduler *s);
struct calls *calls_by_id(struct scheduler *s, array_id id);    /* NULL: not known here */
struct calls *calls_by_task(struct scheduler *s, task_id task); /* NULL: not of calls */
struct calls *calls_by_key(struct scheduler *s, const char *key);
struct calls *calls_add(struct scheduler *s, const struct array_row *row, uint64_t first_end);
/* calls_points - an array of points that somebody collects; NULL: there is none of this number. */
enum err calls_points(struct scheduler *s, array_id id, struct calls **c, struct fault *f);

/* calls_in_core - it may not be there yet, or have been forgotten: its study is loaded, and goes on
 * when the store says so. */
enum err calls_in_core(struct scheduler *s, const struct calls *c, struct fault *f);

/* calls_load.c */
/* calls_after - row->after, until the end of the turn; what it names is loaded. */
struct calls_spec;
enum err calls_after(struct scheduler *s, const struct calls_spec *spec, struct array_row *row,
                     struct fault *f);
/* calls_find - by key, or by id when key is empty; read from the store when it is not here. *c is
 * NULL when there is none. The core need not have it. */
enum err calls_find(struct scheduler *s, const char *key, array_id id, struct calls **c,
                    struct fault *f);
/* calls_load - the arrays of calls of a study, into the core too. Called while another study is
 * loaded, which waits for this one, it leaves the calls to that one. */
struct study_row; /* as the store has it; NULL: it is not to go on */
enum err calls_load(struct scheduler *s, study_id study, const struct study_row *was,
                    struct fault *f);
/* calls_places - tells the core where tasks ended that others follow, as far as it asks. False: a
 * commit or the store failed, give up. */
bool calls_places(struct scheduler *s);

/* chunk.c */
struct chunk *chunk_new(struct scheduler *s, struct calls *c, const struct message *m);
struct chunk *chunk_stored(struct calls *c, const struct chunk_row *row);
void chunk_free(struct scheduler *s, struct chunk *k);
void chunk_add(struct scheduler *s, struct calls *c, struct chunk *k); /* it was accepted */
struct chunk *chunk_of(struct calls *c, uint64_t index);               /* NULL: none */
/* chunk_ended - a call has ended: a chunk without others left is not kept in memory. */
void chunk_ended(struct scheduler *s, struct chunk *k);
void chunk_trim(struct scheduler *s); /* down to CHUNK_CACHE_BYTES; not before a commit */
/* chunk_payload - of a call; read back when it has to be. *blob is set (its call is left 0) when
 * the payload is one. */
enum err chunk_payload(struct scheduler *s, struct calls *c, uint64_t index, const void **data,
                       uint32_t *bytes, struct blob_ref *blob, struct fault *f);

/* told.c */
/* told_take - what a worker said of its calls. told_drop - the call has ended. */
void told_take(struct scheduler *s, const struct call_share *shares, size_t n);
void told_drop(struct calls *c, uint64_t index);
void told_fini(struct calls *c);
double told_share(struct scheduler *s, task_id task); /* 0: it said nothing */
/* told_since - what is news after number `number` of n_told: struct call_share, by index; texts
 * are valid until the next told_take. */
size_t told_since(struct scheduler *s, struct calls *c, uint64_t number, struct buf *shares);

/* blob.c */
bool blob_request(struct scheduler *s, peer_id from, const struct message *m); /* false: not one */
bool blob_is_there(const struct scheduler *s, uint64_t id, uint64_t bytes);
void blob_delete(const struct scheduler *s, uint64_t id);
void blob_committed(struct scheduler *s); /* deletes what the last commit left without a name */
void blob_sweep(struct scheduler *s);     /* at a start */

/* collect.c */
void collect_request(struct scheduler *s, peer_id from, const struct message *m);
/* collect_committed - what was just committed, to who collects it; `end_n` is store_end_n before
 * it. */
void collect_committed(struct scheduler *s, uint64_t end_n);
/* collect_step - goes on for those who are behind. Returns in how many ms it has more to do. */
ms_t collect_step(struct scheduler *s);
void collect_gone(struct scheduler *s, peer_id peer);
void collect_free(struct scheduler *s, struct calls *c); /* all who collect this array */

#endif
