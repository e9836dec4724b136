#ifndef GRANGE_STORE_STORE_H
#define GRANGE_STORE_STORE_H
/* store - the SQLite file, its one writer, and what a start needs to read back.
 *
 * One scheduler owns a store. Everything that one turn of its loop decided is one transaction
 * (store_commit); the hot path only appends. SQLite's types appear nowhere outside store/. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rows.h"

enum { STORE_SCHEMA_VERSION = 3 };
enum store_sync { STORE_SYNC_FULL, STORE_SYNC_NORMAL, STORE_SYNC_OFF };

struct store;

/* store_open - opens or creates DIR/grange.db for writing: WAL, synchronous FULL unless relaxed,
 * migrations (the old file is kept as grange.db.vN). ERR_VERSION: from a newer Grange. ERR_DAMAGED:
 * nothing was written, *f says how to recover. ERR_DISK_FULL, ERR_PERMISSION, ERR_BUSY, ERR_IO. */
enum err store_open(const char *dir, enum store_sync sync, struct store **st, struct fault *f);
void store_close(struct store *st); /* checkpoints the WAL; NULL is fine */

/* store_epoch_raise - the next epoch, committed before it returns. */
enum err store_epoch_raise(struct store *st, uint32_t *epoch, struct fault *f);

/* store_commit - all n changes in one transaction, in their order, or none: on an error nothing of
 * it is in the file (ERR_DISK_FULL, ERR_IO). One exception, that no database can help: where the
 * last sync failed and the process is killed before store_close, a later start may find all of it.
 * ERR_STATE: the changes contradict the file (an id twice), which is our bug. n = 0 does nothing.
 * CHG_ADOPT from an adopted task is written as adopted from that one's own source. A study that
 * CHG_ARRAY makes is not active until CHG_STUDY_STATE says so. */
enum err store_commit(struct store *st, const struct change *changes, size_t n, struct fault *f);
uint64_t store_n_commits(const struct store *st); /* a counter for tests and bench */

/* Where numbers continue: one beyond the largest used. */
struct store_next {
    uint32_t study, array, worker;
    uint64_t task; /* an array of calls takes POINTS_MAX of them */
    uint64_t chunk;
};
enum err store_next(struct store *st, struct store_next *next, struct fault *f);

/* store_find_study - by name; found false and id 0 when there is none. current = its current array.
 */
struct study_row {
    study_id id;
    array_id current;
    bool active, halted; /* halted: not active, because a halt rule said so */
};
enum err store_find_study(struct store *st, const char *name, bool *found, struct study_row *row,
                          struct fault *f);
/* store_active_studies - calls back with the name of each study that a start takes up: those that
 * are active, and those that are not and have a long lease out. In id order. */
typedef void (*store_name_fn)(void *ctx, const char *name);
enum err store_active_studies(struct store *st, store_name_fn fn, void *ctx, struct fault *f);

/* store_find_array - of a study, by key (the last one of several). store_array - by id. The row's
 * name and spec point into *text, which is cleared first. */
enum err store_find_array(struct store *st, study_id study, const uint64_t key[2], bool *found,
                          struct array_row *row, struct buf *text, struct fault *f);
enum err store_array(struct store *st, array_id id, bool *found, struct array_row *row,
                     struct buf *text, struct fault *f);
/* store_other_arrays - ids of the arrays of points of a study except one, in id order; *ids is a
 * buf of array_id. */
enum err store_other_arrays(struct store *st, study_id study, array_id except, struct buf *ids,
                            struct fault *f);

/* store_states - what is known of the tasks of an array: state[i] (n bytes, zeroed by the caller)
 * becomes DONE (with STATE_WARNED where it is), FAILED, CANCELLED or QUARANTINED where the task has
 * ended itself or by adoption. One pass over the ended table. */
enum err store_states(struct store *st, const struct array_row *row, uint8_t *state,
                      struct fault *f);

/* store_durations - calls back with the wall time of each DONE task of an array (for the median).
 */
typedef void (*store_us_fn)(void *ctx, uint64_t us);
enum err store_durations(struct store *st, const struct array_row *row, store_us_fn fn, void *ctx,
                         struct fault *f);

/* store_took - the wall time of each task that is DONE among the `most` ends recorded last, of
 * whatever array, the last one first. */
typedef void (*store_took_fn)(void *ctx, task_id task, uint64_t us);
enum err store_took(struct store *st, uint64_t most, store_took_fn fn, void *ctx, struct fault *f);

/* store_troubles - tasks that have not ended though an attempt at them began (attempt_ran): how
 * many failures, and losses (END_LOST) since the last failure; `last` is the lease of that failure.
 * Both are 0 for a task that was only stopped. What came before a CHG_REOPEN does not count. */
typedef void (*store_trouble_fn)(void *ctx, task_id task, uint32_t failures, uint32_t losses,
                                 lease_id last);
enum err store_troubles(struct store *st, const struct array_row *row, store_trouble_fn fn,
                        void *ctx, struct fault *f);

/* store_halt_counts - what the halt rule of an array has counted: how many of its tasks ended by
 * themselves since its last CHG_COUNT_ANEW, and how many of those failed. Both are 0 where the
 * policy has no such rule, which saves the pass over ended. */
enum err store_halt_counts(struct store *st, const struct array_row *row, uint64_t *failed,
                           uint64_t *ended, struct fault *f);

/* store_running - the long leases that were out when the last scheduler ended; store_workers - the
 * workers that were connected then; their labels are valid for the call. */
typedef void (*store_running_fn)(void *ctx, lease_id lease, task_id task, worker_id worker,
                                 ms_t started_ms);
enum err store_running(struct store *st, store_running_fn fn, void *ctx, struct fault *f);
typedef void (*store_worker_fn)(void *ctx, const struct worker_row *row);
enum err store_workers(struct store *st, store_worker_fn fn, void *ctx, struct fault *f);

/* store_lease_won - the task whose recorded end came from this lease; found false when
 * none. Reads all of the ended table (30 ms a million rows) when the answer is no. */
enum err store_lease_won(struct store *st, lease_id lease, bool *found, task_id *task,
                         struct fault *f);

/* --- arrays of calls --- */

/* A call's payload that is a file of its own. */
struct blob_row {
    uint64_t id;
    task_id task;
    uint64_t bytes;
};

/* struct chunk_row - what CHG_APPEND points at: the calls of one append. `data` is opaque to the
 * store, which packs it where that helps. */
struct chunk_row {
    uint64_t n; /* counts all chunks, in the order of appending */
    array_id array;
    uint64_t at, n_calls;
    ms_t appended_ms;
    bool graph; /* there are rules or edges in it */
    const void *data;
    size_t bytes;
    const struct blob_row *blobs;
    size_t n_blobs;
};

/* store_calls - arrays of calls, in id order: with a key the one that has it, else those of a
 * study. `first_end`: none of its ends is recorded before. What row points to is valid for the
 * call. */
typedef enum err (*store_calls_fn)(void *ctx, const struct array_row *row, uint64_t first_end,
                                   struct fault *f);
enum err store_calls(struct store *st, study_id study, const char *key, store_calls_fn fn,
                     void *ctx, struct fault *f);
/* store_chunks - the chunks of the arrays of some studies, or of one array (not 0), in the order of
 * appending; data only of those with a graph. store_chunk_data - appends the data of one. */
typedef enum err (*store_chunk_fn)(void *ctx, const struct chunk_row *row, struct fault *f);
enum err store_chunks(struct store *st, const study_id *studies, size_t n_studies, array_id array,
                      store_chunk_fn fn, void *ctx, struct fault *f);
enum err store_chunk_data(struct store *st, uint64_t n, struct buf *out, struct fault *f);

/* store_end_n - ended.n of the end that was recorded last; the ends of a commit are numbered on
 * from it, in the order of their changes. */
uint64_t store_end_n(const struct store *st);
/* store_ends - ends of tasks first .. last recorded after `*cursor`, oldest first, until fn says no
 * more or `most` rows of any array were looked at; *cursor is where to go on. row->body is filled
 * where there is anything in it, and valid for the call. */
typedef bool (*store_end_fn)(void *ctx, uint64_t n, const struct end_row *row);
enum err store_ends(struct store *st, task_id first, task_id last, uint64_t *cursor, uint64_t most,
                    store_end_fn fn, void *ctx, struct fault *f);
/* store_adopted - which of the tasks first .. last have the end number n of store_ends by adoption.
 */
typedef void (*store_adopted_fn)(void *ctx, uint64_t n, task_id task);
enum err store_adopted(struct store *st, task_id first, task_id last, store_adopted_fn fn,
                       void *ctx, struct fault *f);
/* store_end_states - of every recorded end of the tasks first .. last, and where it was: one pass.
 * n is its number, as in store_ends. The state of a success with a warning has STATE_WARNED set. */
typedef void (*store_state_fn)(void *ctx, uint64_t n, task_id task, enum task_state state,
                               worker_id worker);
enum err store_end_states(struct store *st, task_id first, task_id last, uint64_t first_end,
                          store_state_fn fn, void *ctx, struct fault *f);
/* store_worker - without its labels. */
enum err store_worker(struct store *st, worker_id id, bool *found, struct worker_row *row,
                      struct fault *f);
/* store_blobs_gone - ids whose last record the last commit took away; until the next commit. */
const uint64_t *store_blobs_gone(const struct store *st, size_t *n);
/* store_files_gone - files of long streams whose last record the last commit took away: n bytes of
 * names, relative to the grange directory, each with a zero byte; until the next commit. */
const char *store_files_gone(const struct store *st, size_t *n);
/* store_has_blob - whether a payload or result is recorded under this id. */
enum err store_has_blob(struct store *st, uint64_t id, bool *found, struct fault *f);

/* store_views - (re)makes the SQL views of a study: results_NAME, and `results` for this study, the
 * last one submitted. Columns: see docs/manual/store.md. `factors` are the factor names with
 * whether all their values are numbers; with reps > 1 there is a column rep = index % reps (the
 * replicate varies fastest). Called after the commit of CHG_ARRAY or CHG_CURRENT, because the view
 * shows the current array as the file has it; a transaction of its own. Idempotent. ERR_NOT_FOUND:
 * no such study. */
struct view_column {
    const char *name;
    bool numeric;
};
enum err store_views(struct store *st, study_id study, const char *name,
                     const struct view_column *factors, size_t n_factors,
                     const struct view_column *metrics, size_t n_metrics, uint32_t reps,
                     struct fault *f);

#endif
