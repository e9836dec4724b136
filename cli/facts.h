#ifndef GRANGE_CLI_FACTS_H
#define GRANGE_CLI_FACTS_H
/* facts - all that is known of one point: what it is, where it stands and why, and every attempt.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/look.h"

struct attempt {
    struct end_row row; /* body is NULL: what it held is in error_line */
    char worker[NAME_BYTES_MAX + 1], host[NAME_BYTES_MAX + 1]; /* "" when not known */
    char error_line[ERROR_LINE_MAX + 1];
    bool result; /* it is the end of the point */
};

struct facts {
    struct look *look; /* borrowed */
    struct point point;
    struct buf call, after; /* of a call: KEY:INDEX, and what it waits for, in words */
    bool function;          /* it is one of a function */
    uint64_t payload_bytes;
    uint32_t seed;
    struct buf label, command, cwd, dir; /* dir is empty when the point has none of its own */
    struct buf restart;                  /* the restart command; empty: none */
    bool ended;
    struct end_row end;
    struct end_body body;
    struct buf text;          /* where end and body point to */
    struct buf last_line;     /* of stderr, of a failure */
    struct attempt *attempts; /* [n_attempts] oldest first, the result included */
    size_t n_attempts;
    enum task_state state;
    struct buf why; /* the state in words: "failed: exit status 3 after 2 attempts" */
};

/* facts_gather - of the point, or the call, that `text` names. facts_fini may be called after a
 * failure too. */
enum err facts_gather(struct facts *x, struct look *l, const char *text, struct fault *f);
void facts_fini(struct facts *x);

/* facts_of_call - finds the call that `text` names: call, after, payload_bytes, command, cwd. */
enum err facts_of_call(struct facts *x, const char *text, task_id *task, struct fault *f);

#endif
