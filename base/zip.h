#ifndef GRANGE_BASE_ZIP_H
#define GRANGE_BASE_ZIP_H
/* zip - zstd, known to this file alone. */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* zip_pack - appends the packed bytes to *out and returns true, or leaves *out alone and returns
 * false where packing would not make it smaller (short or random input). */
bool zip_pack(const void *data, size_t n, struct buf *out);
/* zip_unpack - appends the original; false (and *out as it was) when damaged or larger than max. */
bool zip_unpack(const void *data, size_t n, size_t max, struct buf *out);

#endif
