/* A point for people and for programs: as JSON, as a label, as a file name. */
#include <inttypes.h>
#include <string.h>

#include "study/impl.h"
#include "study/text.h"

enum { DIRNAME_MAX = 120, HASH_DIGITS = 12 };

void point_values_json(const struct point *p, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t j = 0; j < p->n; j++) {
        if (j)
            buf_addc(out, ',');
        buf_add_json(out, p->values[j], strlen(p->values[j]));
    }
    buf_addc(out, ']');
}

void study_point_label(const struct study *s, const struct point *p, struct buf *out)
{
    for (size_t j = 0; j < p->n; j++) {
        buf_addf(out, "%s%s=", j ? " " : "", s->factors[j].name);
        buf_add_sh(out, CLIP(p->values[j]));
    }
    if (s->words.reps > 1)
        buf_addf(out, "%srep=%" PRIu32, p->n ? " " : "", p->rep);
    else if (p->n == 0)
        buf_addf(out, "point %" PRIu64, p->index);
}

/* Letters that no shell and no file system minds; what is too long is cut. */
static void add_name(struct buf *out, const char *text, size_t end)
{
    static const char fine[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-=,@%";

    for (; *text && out->n < end; text++)
        buf_addc(out, strchr(fine, *text) ? *text : '_');
}

void study_point_dirname(const struct study *s, const struct point *p, struct buf *out)
{
    size_t end = out->n + DIRNAME_MAX - HASH_DIGITS - 1;
    uint64_t id[2];

    for (size_t j = 0; j < p->n; j++) {
        add_name(out, j ? "," : "", end);
        add_name(out, s->factors[j].name, end);
        add_name(out, "=", end);
        add_name(out, p->values[j], end);
    }
    if (p->n == 0)
        add_name(out, "point", end);
    if (s->words.reps > 1) {
        struct buf rep = { 0 };
        buf_addf(&rep, ",rep=%" PRIu32, p->rep);
        add_name(out, rep.data, end);
        buf_fini(&rep);
    }
    study_identity(s, p, id);
    buf_addf(out, "~%0*" PRIx64, HASH_DIGITS, id[0] >> (64 - 4 * HASH_DIGITS));
}
