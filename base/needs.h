#ifndef GRANGE_BASE_NEEDS_H
#define GRANGE_BASE_NEEDS_H
/* needs - what tasks ask for and what workers have: made from words, compared, explained.
 *
 * A label is a text of letters, digits and _ . : / + @ = -, such as "big", "arch=arm" or "fn:fft".
 * A resource is a name of letters, digits, _ and -, with an amount. Both are kept sorted, so that
 * equal needs are equal bytes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rows.h"

/* What a text may be; false also when it is too long or empty. */
bool label_valid(const char *text);
bool resource_name_valid(const char *text);

/* resource_parse - "gpus=2" or "gpus" (1 of it); false when it is neither. */
bool resource_parse(const char *text, struct resource *r);

/* Adding keeps the order. A name that is there gets the new amount, a label that is there stays.
 * False: not valid, an amount of 0, or there are too many. */
bool needs_add_resource(struct needs *n, const char *name, uint32_t amount);
bool needs_add_label(struct needs *n, const char *label);
bool worker_add_resource(struct worker_row *w, const char *name, uint32_t amount);
/* labels_add - to the labels of a worker, one a line. */
bool labels_add(struct buf *labels, const char *label);

/* needs_places - how much it takes of each resource of a worker, in the order of those. */
void needs_places(const struct needs *n, const struct resource *have, size_t n_have,
                  uint32_t take[RESOURCES_MAX]);

bool needs_equal(const struct needs *a, const struct needs *b);
uint64_t needs_hash(const struct needs *n);

uint32_t worker_resource(const struct worker_row *w, const char *name); /* how much it has; 0 */
bool labels_have(const char *labels, const char *label); /* of a worker; NULL: none */

/* needs_fit - the worker, were it idle and without an end, could run such a task. */
bool needs_fit(const struct needs *n, const struct worker_row *w);
/* needs_lack - why not: appends "needs gpus=2, has gpus=1" or "needs label big"; the first reason
 * only, nothing when it fits. */
void needs_lack(const struct needs *n, const struct worker_row *w, struct buf *out);
/* needs_text - "cores=2 memory=512M gpus=1 big least=600s"; what is as usual is left out. */
void needs_text(const struct needs *n, struct buf *out);

#endif
