#include "cli/stored.h"

#include "store/reader.h"

enum err stored_study(const char *dir, const char *name, struct study **s, struct fault *f)
{
    struct reader *r = NULL;
    enum err err = reader_open(dir, &r, f);
    if (err)
        return err;
    struct reader_study row = { 0 };
    err = reader_study(r, name, &row, f);
    if (!err)
        err = study_from_json(row.array.spec, row.array.spec_bytes, s, f);
    reader_study_fini(&row);
    reader_close(r);
    return err;
}
