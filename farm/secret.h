#ifndef GRANGE_FARM_SECRET_H
#define GRANGE_FARM_SECRET_H
/* secret - files that only their owner may read: keys and connection files.
 *
 * A secret is written under a name of its own, with mode 0600 from the first moment and whatever
 * the umask, brought to the disk and renamed into place: it is there whole or as it was before, and
 * never readable by others, not even for a moment. */

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { SECRET_BYTES_MAX = 1 << 20 }; /* of one file, when it is read; they have some 5 KiB */

/* secret_write - replaces PATH. Its directory must be there. */
enum err secret_write(const char *path, const char *text, size_t n, struct fault *f);
/* secret_read - appends the file to *text. Refused (ERR_PERMISSION) when others than its owner
 * could read or write it, or when it belongs neither to us nor to root: then it is no secret, or
 * not ours to trust. ERR_NOT_FOUND when it is not there. */
enum err secret_read(const char *path, struct buf *text, struct fault *f);
/* secret_dir - makes the directory, mode 0700, and those above it that are missing. One that is
 * there stays as it is. */
enum err secret_dir(const char *path, struct fault *f);
/* secret_home - makes the grange directory, mode 0700, where it is not there. ERR_PERMISSION when
 * we may not write in it, or when others may: they could put a socket or a store of their own
 * there. Who may read it is up to its owner. */
enum err secret_home(const char *path, struct fault *f);

#endif
