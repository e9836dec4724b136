#ifndef GRANGE_STUDY_METRIC_H
#define GRANGE_STUDY_METRIC_H
/* metric - one number or word that is read from what a point printed or wrote.
 *
 *   NAME=regex:PATTERN           in stdout as it was captured
 *   NAME=regex@stderr:PATTERN    in stderr
 *   NAME=regex@FILE:PATTERN      in a file of the point
 *   NAME=json:FILE:a.b[0].c      in a JSON file; FILE empty or "-" is stdout
 *   NAME=csv:FILE:COLUMN         the last row of a table; COLUMN is a name of its header or 1, 2,
 * ...
 *
 * A regular expression is PCRE2's, multi-line (^ and $ fit at lines), over bytes. The value is what
 * group 1 matched, or the whole match where the expression has no group. The LAST match counts, the
 * last row of a table, and the last document of a stream of JSON: simulators that iterate print the
 * value again and again, and the last is the converged one.
 *
 * A FILE is relative to the directory of the point, has no ':' in its name, and is not read when
 * larger than METRIC_FILE_MAX. Blanks around a value do not count. What cannot be found, for
 * whatever reason, is absent: never an error of a point.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "study/study.h"

enum {
    METRIC_FILE_MAX = 256 << 20, /* a file larger than this is not read: the metric is not found */
    METRIC_VALUE_MAX = 4096,     /* bytes of one value; what is longer is cut */
    METRIC_MS_MAX = 2000, /* of searching, for all metrics of one point: well below LOST_AFTER_MS,
                             because the worker does nothing else meanwhile. Then: not found */
};

struct metric;

/* metric_parse - ERR_USAGE with what is wrong and where; for a bad expression PCRE2's own words. On
 * success *m is the caller's to metric_free. */
enum err metric_parse(const char *text, struct metric **m, struct fault *f);
void metric_free(struct metric *m); /* NULL does nothing */

const char *metric_name(const struct metric *m);
const char *metric_text(const struct metric *m); /* as typed */
bool metric_needs_dir(const struct metric *m);   /* it reads a file with a relative path */

/* metric_read_all - the values of metrics[n] as a JSON object in that order, appended to *out;
 * returns how many were not found. `dir` is where relative files start. */
uint32_t metric_read_all(struct metric *const *metrics, size_t n, const char *dir,
                         const struct streams *streams, struct buf *out);

/* metric_is_number - whether text is spelled as a JSON number that every reader can hold: finite as
 * a double and, when it is whole, within 64 bits. */
bool metric_is_number(const char *text, size_t n);
/* metric_spelled_as_json - whether text is a number in JSON's grammar, of whatever size. */
bool metric_spelled_as_json(const char *text, size_t n);

#endif
