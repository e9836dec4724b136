#ifndef GRANGE_WORKER_PAYLOAD_H
#define GRANGE_WORKER_PAYLOAD_H
/* payload - the arrays that this worker was told about: what a lease of one means. Kept until
 * PAYLOADS_MAX others were used more recently; one that is in use stays. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ids.h"
#include "study/calls.h"
#include "study/study.h"

enum { PAYLOADS_MAX = 64 };

struct payload;
struct payloads;

struct payloads *payloads_new(void);
void payloads_free(struct payloads *all);
/* payloads_put - what MSG_SPEC says; replaces what was known of that array for leases to come. */
enum err payloads_put(struct payloads *all, array_id array, task_id first, const void *spec,
                      size_t bytes, struct fault *f);
/* payloads_find - NULL: never told, or forgotten since. */
struct payload *payloads_find(struct payloads *all, array_id array);
/* payloads_trim - forgets what was not used for longest, down to PAYLOADS_MAX, sparing what
 * `in_use` says. */
void payloads_trim(struct payloads *all, bool (*in_use)(const void *context, array_id array),
                   const void *context);

struct payload *payload_ref(struct payload *p);
void payload_unref(struct payload *p);

const struct study *payload_study(const struct payload *p); /* NULL: an array of calls */
const struct policy *payload_policy(const struct payload *p);
const char *payload_cwd(const struct payload *p);
const char *payload_restart(const struct payload *p); /* of calls of commands; NULL: none */
bool payload_has(const struct payload *p, task_id task);
uint64_t payload_index(const struct payload *p, task_id task);
array_id payload_array(const struct payload *p);
/* payload_function - of its calls or points; NULL: they are commands. */
const char *payload_function(const struct payload *p);
/* payload_seed - of one of its calls: 1..2^31-1, the same for every attempt. */
uint32_t payload_seed(const struct payload *p, task_id task);
/* payload_folder - the study's name as a file name. */
const char *payload_folder(const struct payload *p);

/* payload_path - the file that argv[0] stands for; NULL and errno. Looked up once while it does not
 * change. Borrowed. payload_forget_path: it was not there any more. */
const char *payload_path(struct payload *p, const char *argv0);
void payload_forget_path(struct payload *p);

/* payload_environment - of a process of this point; valid until the next call with the same
 * payload. `dir` (NULL: none) becomes GRANGE_OUT. Of a call only the index in point is looked at.
 */
char *const *payload_environment(struct payload *p, const struct point *point, lease_id lease,
                                 const char *dir);

#endif
