#ifndef GRANGE_TESTS_FAULT_VFS_H
#define GRANGE_TESTS_FAULT_VFS_H
/* fault_vfs - the default file system of SQLite with a fault in it: the Nth call that changes a
 * file (write, sync, truncate, delete) fails, and every one after it when told so. Before each such
 * call a hook may look at the files as they are. */

#include <stdbool.h>

enum fault_kind { FAULT_FULL, FAULT_IO };

void fault_vfs_install(void); /* becomes the default; once */
/* fault_vfs_arm - the nth call from now on fails (0: none does). */
void fault_vfs_arm(long nth, enum fault_kind kind, bool for_good);
long fault_vfs_calls(void); /* since it was armed */
bool fault_vfs_fired(void);
void fault_vfs_hook(void (*before)(void *ctx), void *ctx); /* NULL: none */

#endif
