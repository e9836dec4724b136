#ifndef GRANGE_CLIENT_INSIDE_H
#define GRANGE_CLIENT_INSIDE_H
/* inside - what the program grange asks of a scheduler beyond grange.h. Errors as there. */

#include "base/buf.h"
#include "client/grange.h"

/* client_points - grange_retry or grange_cancel of the points or calls of one array of the study;
 * array 0: the current one. */
int client_points(struct grange *g, bool retry, const char *name, uint32_t array,
                  const uint64_t *index, size_t n, int64_t timeout_ms, uint64_t *touched);

/* client_look - what `grange VERB` prints where the farm's directory is: stdout goes to fn page
 * after page, which returns false to give up (GRANGE_ERR_IO). At its end the exit code is in *code
 * and what it wrote to stderr, at most LOOK_ERR_BYTES_MAX, in *err. The deadline is for each page.
 */
struct client_look {
    const char *verb;
    const char *const *options, *const *words;
    size_t n_options, n_words;
};
typedef bool (*client_page_fn)(void *ctx, const void *data, size_t n);
int client_look(struct grange *g, const struct client_look *what, client_page_fn fn, void *ctx,
                int64_t timeout_ms, int *code, struct buf *err);

#endif
