#ifndef GRANGE_CLI_STORED_H
#define GRANGE_CLI_STORED_H
/* stored - a study as the store of a grange directory has it. */

#include "base/err.h"
#include "study/study.h"

/* stored_study - by name; NULL: the last one submitted. The caller's to study_free. */
enum err stored_study(const char *dir, const char *name, struct study **s, struct fault *f);

#endif
