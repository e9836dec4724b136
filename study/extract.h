#ifndef GRANGE_STUDY_EXTRACT_H
#define GRANGE_STUDY_EXTRACT_H
/* extract - finds one value in bytes: by a regular expression, by a path in JSON, by a column of a
 * table. The bytes are anything that a program may have written; nothing here fails or reads beyond
 * them. Each function sets *value (cleared first) and says whether there was one. */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ids.h"

/* struct pattern - a compiled regular expression. pattern_new gives ERR_USAGE with PCRE2's words,
 * the expression and a mark below the place. */
struct pattern;
enum err pattern_new(const char *text, struct pattern **p, struct fault *f);
void pattern_free(struct pattern *p);

/* pattern_last - group 1 (or all of it where there is no group) of the last match whose value is
 * not empty. A pattern that
 * takes too many steps, or more time than until `deadline` (clock_mono_ms), finds nothing. */
bool pattern_last(const struct pattern *p, const char *data, size_t n, ms_t deadline,
                  struct buf *value);

/* json_path_check - whether a path like a.b[0].c is well formed. "" is the document itself. */
bool json_path_check(const char *path);
/* json_at - the value at a path, in the spelling of the text: JSON there is no reader of numbers
 * that keeps 1.50e+03 as it is. In a stream of documents the last one that has it counts. An
 * object, an array and null are not found; *text tells a JSON string from numbers and words. */
bool json_at(const char *data, size_t n, const char *path, struct buf *value, bool *text);

/* csv_last - the cell of the last row in a column: by its name in the first row, else by its number
 * from 1. Quotes as in RFC 4180; columns are separated by the first of ',' tab ';' and blanks that
 * the first row has (with blanks any number of them is one separator). */
bool csv_last(const char *data, size_t n, const char *column, struct buf *value);

#endif
