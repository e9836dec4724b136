#ifndef GRANGE_STORE_READER_H
#define GRANGE_STORE_READER_H
/* reader - what the commands that only look (status, results, log, explain, --dry-run) ask the
 * store, while a scheduler writes or when none runs. Never writes a row. Works on a store that was
 * left behind by kill -9 (SQLite replays the WAL), and on one in a directory that may not be
 * written. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/chunk.h"
#include "base/err.h"
#include "base/rows.h"

struct reader;

/* reader_open - ERR_NOT_FOUND when DIR has no store; ERR_VERSION, ERR_DAMAGED with advice. */
enum err reader_open(const char *dir, struct reader **r, struct fault *f);
void reader_close(struct reader *r);

/* reader_study - one study; NULL name: the last one submitted. ERR_NOT_FOUND lists the known names.
 */
struct reader_study {
    study_id id;
    char name[NAME_BYTES_MAX + 1];
    bool active;
    struct array_row array; /* the current one; name and spec point into text */
    struct buf text;
    ms_t submitted_ms;
};
enum err reader_study(struct reader *r, const char *name, struct reader_study *s, struct fault *f);
void reader_study_fini(struct reader_study *s);
typedef enum err (*reader_study_fn)(void *ctx, const struct reader_study *s, struct fault *f);
enum err reader_studies(struct reader *r, reader_study_fn fn, void *ctx, struct fault *f);

/* reader_counts - of the current array, adopted ends included; of a study of calls all its arrays.
 * left = n - the ended and skipped ones (those running are left). What --where leaves out is no row
 * of the store, so `skipped` is 0 and such points are among the left ones here: who has the spec
 * takes them off. running: leases older than DURABLE_LEASE_MS, as the last commit has them. */
struct reader_counts {
    uint64_t n, done, failed, cancelled, quarantined, skipped, running, left;
    uint64_t unmet;  /* ended without a run: what they wait for did not end as it had to */
    uint64_t warned; /* of those that are done: with a warning */
    uint64_t wall_us_sum, n_wall;         /* of DONE points: for an estimate of the time left */
    ms_t first_started_ms, last_ended_ms; /* 0 when none */
};
enum err reader_counts(struct reader *r, const struct reader_study *s, struct reader_counts *c,
                       struct fault *f);
/* reader_last_end - the number of the end that was recorded last, of any study; 0: there is none.
 * reader_took - the wall times, together, of the points of the current array that ended after
 * that one, whatever their end. Reads those rows only. */
enum err reader_last_end(struct reader *r, uint64_t *n, struct fault *f);
enum err reader_took(struct reader *r, const struct reader_study *s, uint64_t after, uint64_t *us,
                     struct fault *f);
/* reader_states - as store_states, without STATE_WARNED. */
enum err reader_states(struct reader *r, const struct reader_study *s, uint8_t *state,
                       struct fault *f);
/* reader_known - of arrays of points; identities are joined by the caller: each task of any array
 * of the study that ended itself (an adopted end is given where it is from), array after array in
 * the order of their ids: first on_array with the spec, then on_end for its tasks, in which
 * row->spec is borrowed from the same call. */
typedef enum err (*reader_array_fn)(void *ctx, const struct array_row *row, struct fault *f);
typedef void (*reader_ended_fn)(void *ctx, const struct array_row *row, uint64_t index,
                                enum task_state state);
enum err reader_known(struct reader *r, const struct reader_study *s, reader_array_fn on_array,
                      reader_ended_fn on_end, void *ctx, struct fault *f);

/* reader_results - rows of the study's results view. where / sort are SQL over its columns (NULL:
 * all, in order of index; sort "-col" descends; what has no value comes last); a bad one is
 * ERR_USAGE with SQLite's words and the known columns. The first call gives the names alone (cells
 * and is_number are NULL), so a table without rows has its heading too; then one call a row, where
 * a cell is NULL for SQL NULL and is_number where SQL holds a number. Factors and metrics come in
 * the spelling they were given in. ERR_STATE: the study has no view yet. */
typedef enum err (*reader_row_fn)(void *ctx, size_t n_columns, const char *const *names,
                                  const char *const *cells, const bool *is_number, struct fault *f);
enum err reader_results(struct reader *r, const struct reader_study *s, const char *where,
                        const char *sort, reader_row_fn fn, void *ctx, struct fault *f);

/* --- studies of calls (array.kind is ARRAY_CALLS): many arrays, a key each --- */

/* reader_calls - the arrays of the study, oldest first, or the one with this key; row->key_text is
 * set. reader_call_states - of each call that has ended. reader_results gives: key, point (the
 * index), state, reason, seconds, attempts, host, started, error, worker, bytes, result (as text,
 * where it is some). */
enum err reader_calls(struct reader *r, const struct reader_study *s, const char *key,
                      reader_array_fn fn, void *ctx, struct fault *f);
typedef void (*reader_state_fn)(void *ctx, uint64_t n, task_id task, enum task_state state,
                                worker_id worker);
enum err reader_call_states(struct reader *r, const struct reader_study *s, reader_state_fn fn,
                            void *ctx, struct fault *f);
/* reader_edges - what waits for what, an append after the other in their order: calls at .. at + n
 * - 1 of an array. Those without rules and edges are left out. */
typedef void (*reader_edges_fn)(void *ctx, array_id array, uint64_t at, uint64_t n,
                                const struct chunk_graph *g);
enum err reader_edges(struct reader *r, const struct reader_study *s, reader_edges_fn fn, void *ctx,
                      struct fault *f);
/* reader_payload - appends the payload of a call; nothing where it is a file of its own, *bytes is
 * how long it is all the same. */
enum err reader_payload(struct reader *r, array_id array, uint64_t index, struct buf *out,
                        uint64_t *bytes, struct fault *f);

/* reader_late - metrics that a study asks for now, and did not when some of its points ended: where
 * what was recorded of a point lacks one of names[n], fn appends a JSON object of what it finds in
 * what is kept of it; body->metrics is what was recorded. From then on reader_results and
 * reader_end give both, recorded values first. names and ctx are borrowed until reader_close. */
typedef void (*reader_late_fn)(void *ctx, const struct end_body *body, struct buf *json);
void reader_late(struct reader *r, const char *const *names, size_t n, reader_late_fn fn,
                 void *ctx);

/* reader_values - points that were cancelled or skipped before they began have no values in the
 * store: fn appends those of the point with that index of the study that reader_results is asked
 * for, as point_values_json does. ctx is borrowed until reader_close. */
typedef void (*reader_values_fn)(void *ctx, uint64_t index, struct buf *json);
void reader_values(struct reader *r, reader_values_fn fn, void *ctx);

/* reader_end - the recorded end of a task (own or adopted) with its output; found false when it has
 * not ended. row->body is body, and what it points to is in *text, which is cleared first.
 * reader_attempts - attempts that did not become the result, oldest first, those of the task whose
 * end it adopted included; of the output there is the head of stderr. */
enum err reader_end(struct reader *r, task_id task, bool *found, struct end_row *row,
                    struct end_body *body, struct buf *text, struct fault *f);
/* reader_because - of a task that was skipped, because what it waits for did not end as it had to:
 * the first such task, as the name of its study and its index there. found false: it was not
 * skipped. */
struct reader_because {
    char study[NAME_BYTES_MAX + 1];
    char key[KEY_BYTES_MAX + 1]; /* of an array of calls; "" */
    uint64_t index;
    enum task_state state;
};
enum err reader_because(struct reader *r, task_id task, bool *found, struct reader_because *why,
                        struct fault *f);
typedef enum err (*reader_attempt_fn)(void *ctx, const struct end_row *row, struct fault *f);
enum err reader_attempts(struct reader *r, task_id task, reader_attempt_fn fn, void *ctx,
                         struct fault *f);
/* reader_failures - the ended points of the current array that did not succeed, in order of index,
 * at most `most`. */
enum err reader_failures(struct reader *r, const struct reader_study *s, size_t most,
                         reader_attempt_fn fn, void *ctx, struct fault *f);
/* reader_worker - without its labels. */
enum err reader_worker(struct reader *r, worker_id id, struct worker_row *row, struct fault *f);
/* reader_running - long leases of tasks of this study. */
typedef void (*reader_running_fn)(void *ctx, lease_id lease, task_id task, worker_id worker,
                                  ms_t started_ms);
enum err reader_running(struct reader *r, const struct reader_study *s, reader_running_fn fn,
                        void *ctx, struct fault *f);

#endif
