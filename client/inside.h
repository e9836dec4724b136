#ifndef GRANGE_CLIENT_INSIDE_H
#define GRANGE_CLIENT_INSIDE_H
/* inside - what the program grange asks of a scheduler beyond grange.h. Errors as there. */

#include "client/grange.h"

/* client_points - grange_retry or grange_cancel of the points or calls of one array of the study;
 * array 0: the current one. */
int client_points(struct grange *g, bool retry, const char *name, uint32_t array,
                  const uint64_t *index, size_t n, int64_t timeout_ms, uint64_t *touched);

#endif
