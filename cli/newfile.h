#ifndef GRANGE_CLI_NEWFILE_H
#define GRANGE_CLI_NEWFILE_H
/* newfile - a file that is there whole or not at all: written beside its place under another name
 * and renamed once all of it is on the disk. What is no regular file (a pipe, /dev/stdout) is
 * written directly. */

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

struct newfile {
    const char *path; /* borrowed */
    FILE *to;
    struct buf temporary; /* empty: written directly */
};

enum err newfile_open(struct newfile *n, const char *path, struct fault *f);
/* newfile_close - keeps the file, or with keep false leaves what was there before. May be called
 * for one that was never opened (zeroed). */
enum err newfile_close(struct newfile *n, bool keep, struct fault *f);

#endif
