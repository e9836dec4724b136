#ifndef GRANGE_BASE_MACHINE_H
#define GRANGE_BASE_MACHINE_H
/* machine - whether two processes run on the same machine, and whether a path means the same file
 * to both. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* machine_id - the same for all processes since this machine was started; 0: not known. */
uint64_t machine_id(void);

/* shared_file - a file that one process names to another one on the same machine. */
struct shared_file {
    const char *path;       /* absolute; NULL or "": none */
    uint64_t offset;        /* where what is meant begins */
    uint64_t device, inode; /* so that another file of this path is not taken for it */
};
/* shared_of - names an open file. False: it cannot be asked. */
bool shared_of(int fd, const char *path, struct shared_file *s);
/* shared_open - opens it: a descriptor, or -1 when there is no such file of this user here. */
int shared_open(const struct shared_file *s, bool to_write);
/* shared_read, shared_write - n bytes at its offset `at`; false: it could not be done. */
bool shared_read(int fd, void *to, size_t n, uint64_t at);
bool shared_write(int fd, const void *from, size_t n, uint64_t at);

#endif
