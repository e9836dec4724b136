#ifndef GRANGE_WORKER_TREE_H
#define GRANGE_WORKER_TREE_H
/* tree - directories of attempts: made, put in place, deleted. All return 0 or errno. */

#include <stdbool.h>

/* tree_make - the directory and those above it; one that is there already is fine. */
int tree_make(const char *path);
/* tree_make_parent - the directory that will hold path. */
int tree_make_parent(const char *path);
/* tree_delete - path and all below it, never through a symbolic link; gone already is fine. */
int tree_delete(const char *path);
/* tree_place - renames `from` to `to`, making the directories above; what was at `to` is deleted
 * once the new one is there, or, without `replace`, kept (EEXIST). */
int tree_place(const char *from, const char *to, bool replace);

#endif
