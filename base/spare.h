#ifndef GRANGE_BASE_SPARE_H
#define GRANGE_BASE_SPARE_H
/* spare - a directory of files that nobody uses: who is done with a large one leaves it there, and
 * who needs one of about its length writes over it. That saves taking pages and giving them back,
 * which takes longer than to copy into them. A file belongs to who renamed it; one that was left by
 * a program that died is deleted with the directory. */

#include <stdbool.h>
#include <stddef.h>

enum {
    SPARE_FILES_MAX = 32,        /* in one directory */
    SPARE_BYTES_MAX = 128 << 20, /* likewise: page cache, and later disk */
};

/* spare_path - of the directory that belongs to this grange directory. */
void spare_path(const char *grange_dir, char *path, size_t n);
/* spare_take - a file of n bytes with any contents: a descriptor and its path, which is the
 * caller's to unlink; -1: there is none. */
int spare_take(const char *dir, size_t n, char *path, size_t path_bytes);
/* spare_make - the same of a new file of no bytes; -1: it cannot be made. */
int spare_make(const char *dir, char *path, size_t path_bytes);
/* spare_give - leaves this file there, which has `room` bytes and is used by nobody. False: it is
 * still where it was. */
bool spare_give(const char *dir, const char *path, size_t room);
/* spare_suits - a file of `room` bytes is long enough for n, and not much too long. */
static inline bool spare_suits(size_t room, size_t n)
{
    return n <= room && room / 2 <= n;
}

#endif
