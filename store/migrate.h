#ifndef GRANGE_STORE_MIGRATE_H
#define GRANGE_STORE_MIGRATE_H
/* migrate - from an older schema to a newer one, inside store/ and for its test. */

#include <stddef.h>

#include "base/err.h"
#include "store/store.h"

/* struct migration - one step from version `from` to from + 1. */
struct migration {
    int from;
    const char *sql;
};

/* The steps there are, from any older version to STORE_SCHEMA_VERSION. */
extern const struct migration store_migrations[];
extern const size_t store_n_migrations;

/* db_migrate - from the file's version to `to` in one transaction, after a copy of the file as it
 * was has been kept as PATH.vN. On an error the file has the version that it had. */
struct db;
enum err db_migrate(struct db *db, const struct migration *steps, size_t n, int to,
                    struct fault *f);
/* store_migrate - the same of an open store. */
enum err store_migrate(struct store *st, const struct migration *steps, size_t n, int to,
                       struct fault *f);

#endif
