#ifndef GRANGE_H
#define GRANGE_H
/* grange.h - the public C interface of Grange: connect to a scheduler, submit studies, follow them.
 *
 * A study is handed over as JSON with the words of a study file (docs/manual/study-file.md); the
 * points run on the scheduler's workers. Every call that can wait takes a deadline in milliseconds
 * and returns GRANGE_ERR_TIMEOUT when it passes; a scheduler that is lost is GRANGE_ERR_LOST, after
 * which the connection keeps dialling and the same call may be made again. Requests are idempotent.
 *
 * A connection belongs to one thread at a time. Functions that return int give 0 on success or a
 * code of enum grange_err; grange_message says what was wrong in words. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GRANGE_VERSION "0.1.0"

enum grange_err {
    GRANGE_OK = 0,
    GRANGE_ERR_USAGE = 1,
    GRANGE_ERR_NOT_FOUND = 2,
    GRANGE_ERR_EXISTS = 3,
    GRANGE_ERR_BUSY = 4,
    GRANGE_ERR_LIMIT = 5,
    GRANGE_ERR_VERSION = 6,
    GRANGE_ERR_DAMAGED = 7,
    GRANGE_ERR_DISK_FULL = 8,
    GRANGE_ERR_IO = 9,
    GRANGE_ERR_PERMISSION = 10,
    GRANGE_ERR_MALFORMED = 11,
    GRANGE_ERR_TIMEOUT = 12,
    GRANGE_ERR_LOST = 13,
    GRANGE_ERR_STATE = 14
};
const char *grange_strerror(int code); /* static */
const char *grange_version(void);      /* of the library: GRANGE_VERSION */

struct grange; /* a connection */

/* grange_connect - to a scheduler at url ("ipc://PATH", "tcp://HOST:PORT"), waiting at most
 * timeout_ms until it answers. On success *g is the caller's to grange_close. On an error *g is
 * NULL, and the reason is written to why (why_bytes, may be 0). */
int grange_connect(const char *url, int64_t timeout_ms, struct grange **g, char *why,
                   size_t why_bytes);
void grange_close(struct grange *g);
const char *
grange_message(const struct grange *g); /* words for the last error; until the next call */
const char *grange_owner(const struct grange *g); /* who started the scheduler: "run 4711", or "" */
int grange_fd(const struct grange *g); /* readable when grange_next has something: for poll */

struct grange_counts { /* points of a study, by state; n = the sum of all but reused,
                          lost and unmet */
    uint64_t n, ready, waiting, running, done, failed, cancelled, skipped, quarantined;
    uint64_t reused;  /* how many of the ended ones had ended before this submission */
    uint64_t lost;    /* attempts lost with a worker since the scheduler started */
    uint64_t blocked; /* wait for others to end */
    uint64_t unmet;   /* of skipped: what they wait for can no longer come */
};

/* grange_submit - a study, as JSON; points that ended before are not run again. With retry_failed
 * those that failed are; with fresh all are. grange_resume - the same for a study that the
 * scheduler's store knows by name. The reply says what there is to do; name is the study's. */
enum { GRANGE_RETRY_FAILED = 1, GRANGE_FRESH = 2 };
struct grange_submitted {
    char name[101];
    uint32_t study, array;
    uint64_t first_task;
    struct grange_counts counts;
    bool template_changed; /* earlier points of this study came from another command */
};
int grange_submit(struct grange *g, const char *json, size_t bytes, unsigned flags,
                  int64_t timeout_ms, struct grange_submitted *reply);
int grange_resume(struct grange *g, const char *name, unsigned flags, int64_t timeout_ms,
                  struct grange_submitted *reply);

/* grange_hold - starts no new points of a study; with now, running ones are stopped and stay to be
 * done. grange_cancel / grange_retry - the points with these indexes; with n = 0 all that have not
 * ended / all that failed. *touched (may be NULL): how many. */
int grange_hold(struct grange *g, const char *name, bool now, int64_t timeout_ms,
                uint64_t *touched);
int grange_cancel(struct grange *g, const char *name, const uint64_t *index, size_t n,
                  int64_t timeout_ms, uint64_t *touched);
int grange_retry(struct grange *g, const char *name, const uint64_t *index, size_t n,
                 int64_t timeout_ms, uint64_t *touched);
/* grange_shutdown - ends the scheduler and its workers; running points stay to be done. */
int grange_shutdown(struct grange *g, int64_t timeout_ms);

/* grange_follow - asks for progress of a study; grange_next waits for the next news of any followed
 * study: GRANGE_ERR_TIMEOUT when there is none, GRANGE_ERR_LOST when the scheduler went away (call
 * again: follows are repeated by the library once it is back, and `reconnected` is set). A
 * scheduler that hangs is noticed within seconds by who calls at least once a second, also with
 * timeout_ms 0. */
enum grange_study_state { GRANGE_ACTIVE, GRANGE_HELD, GRANGE_HALTED, GRANGE_ENDED };
struct grange_running {
    uint64_t index;
    int64_t elapsed_ms;
};
struct grange_progress {
    char name[101];
    enum grange_study_state state;
    struct grange_counts counts;
    uint32_t n_workers, slots, slots_busy;
    uint64_t limit_ms; /* a relative timeout, once known; 0 otherwise */
    size_t n_running;
    struct grange_running running[8]; /* slowest first */
    bool reconnected; /* the connection was lost and is back: submit again to be sure */
};
int grange_follow(struct grange *g, const char *name, int64_t timeout_ms);
int grange_next(struct grange *g, int64_t timeout_ms, struct grange_progress *p);

#ifdef __cplusplus
}
#endif
#endif
