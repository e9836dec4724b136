#ifndef GRANGE_STORE_READER_IMPL_H
#define GRANGE_STORE_READER_IMPL_H
/* reader_impl - what the files of the reader share. */

#include "store/impl.h"

struct reader {
    struct db db;
};

/* allow_reading - an authorizer that lets a person's expression read and compute, nothing else. ctx
 * is not used. */
int allow_reading(void *ctx, int action, const char *one, const char *two, const char *db,
                  const char *trigger);

#endif
