#ifndef GRANGE_STUDY_TEMPLATE_H
#define GRANGE_STUDY_TEMPLATE_H
/* template - text with placeholders, parsed once and rendered for many points.
 *
 *   {T} factor   {1} positional   {} all positional   {#} index   {rep} {seed} {study} {out}
 *   {STAGE.out} {STAGE.list} of a stage that comes first
 *   {{ a literal {    }} a literal }    a lone } is literal
 *
 * In a command an unknown placeholder is an error. In an input file only {NAME} of a known name is
 * replaced ({} is not: too many formats use it) and everything else stays byte for byte. A factor
 * named seed is what {seed} stands for. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "study/study.h"

enum piece_kind {
    PIECE_TEXT,
    PIECE_FACTOR,
    PIECE_ALL,
    PIECE_INDEX,
    PIECE_REP,
    PIECE_SEED,
    PIECE_STUDY,
    PIECE_OUT,
    PIECE_STAGE_OUT, /* {STAGE.out} */
    PIECE_STAGE_LIST /* {STAGE.list} */
};

struct piece {
    enum piece_kind kind;
    uint32_t factor;  /* PIECE_FACTOR; of a stage: which one */
    const char *text; /* PIECE_TEXT; in the study's arena */
    size_t n;
};

struct template
{
    struct piece *pieces;
    size_t n;
};

enum { TEMPLATE_USES_SEED = 1, TEMPLATE_USES_OUT = 2, TEMPLATE_USES_ANY = 4 };

/* template_command - parses one argument of a command of s (whose factors are known already);
 * template_input the content of a file. Both mark the factors and raise s->uses. */
enum err template_command(struct study *s, const char *text, struct template *t, struct fault *f);
void template_input(struct study *s, const char *data, size_t n, struct template *t);

/* template_add - renders for one point. `sh`: what placeholders stand for is quoted for sh where it
 * must be, as text that stands outside of quotes: "{T}" in quotes of the template itself would get
 * the quotes as text when a value has unusual letters. */
struct scene {
    const struct study *s;
    const struct point *p;
    const struct dirs *dirs;
    bool sh;
};
void template_add(const struct template *t, const struct scene *scene, struct buf *out);
static inline bool template_is_all(const struct template *t)
{
    return t->n == 1 && t->pieces[0].kind == PIECE_ALL;
}

#endif
