#ifndef GRANGE_CLI_STORED_H
#define GRANGE_CLI_STORED_H
/* stored - studies as the store of a grange directory has them. */

#include "base/err.h"
#include "study/study.h"

/* stored_study - by name; NULL: the last one submitted. The caller's to study_free. */
enum err stored_study(const char *dir, const char *name, struct study **s, struct fault *f);

/* stored_studies - the study of that name, or, when NAME.STAGE are there instead, its stages in an
 * order in which each comes behind those that it waits for (staged is set). NULL: what was
 * submitted last, all stages of it. The caller's to stages_free. */
enum err stored_studies(const char *dir, const char *name, struct stages *stages, struct fault *f);
/* stored_inode - of the store of that directory: another one is another store. 0: there is none.
 * stored_gone - whether it was deleted, moved or replaced since it was `inode`; what cannot be seen
 * was not. */
uint64_t stored_inode(const char *dir);
bool stored_gone(const char *dir, uint64_t inode);

#endif
