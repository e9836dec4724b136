#ifndef GRANGE_STUDY_IMPL_H
#define GRANGE_STUDY_IMPL_H
/* impl - what the files of study/ share and nobody else sees: how a study is held in memory.
 *
 * A study keeps the words that it was made from (copied) and, beside them, what they mean: groups
 * of factors, parsed templates, contents of files, keys. It is made by study_make alone, from typed
 * words and from stored JSON alike, so that both pass the same checks; JSON is the words plus the
 * contents of the files that they name. Everything lives in the study's arena and is freed with it.
 * After study_make nothing changes any more, so all functions on a const study may run in any
 * thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rows.h"
#include "study/arena.h"
#include "study/factor.h"
#include "study/metric.h"
#include "study/sobol.h"
#include "study/study.h"
#include "study/template.h"

enum design_kind { DESIGN_GRID, DESIGN_RANDOM, DESIGN_LHS, DESIGN_SOBOL, N_DESIGNS };

/* struct file - a file that the study was made from. */
struct file {
    const char *path; /* as given */
    const char *name; /* base name */
    const char *data;
    size_t n;
};

/* struct upstream - what is known of a stage that comes first. */
struct upstream {
    struct study *study; /* NULL where only the keys are kept */
    uint64_t template_key[2], key[2];
    bool used, listed; /* {STAGE.out}, {STAGE.list} */
};

struct study {
    struct arena arena;
    struct words words; /* as typed, copied; name and cwd are never NULL, reps at least 1 */
    struct policy policy;

    struct factor *factors; /* [n_factors] in the order given; positional lists come last */
    struct group *groups;   /* [n_groups] each moves as one */
    size_t n_factors, n_groups, n_named;
    size_t longest_first; /* a factor, from 1; 0: none */
    uint32_t *sorted;     /* [n_factors] indices of factors in name order */

    enum design_kind design;
    uint64_t n_samples; /* N / reps */
    uint64_t n_points;
    uint32_t (*directions)[SOBOL_BITS]; /* [n_groups] for DESIGN_SOBOL */
    uint32_t *shifts;                   /* [n_groups] for DESIGN_SOBOL */

    const char **arg_texts; /* [n_args] the command's templates; with the {} that was implied */
    struct template *args;  /* [n_args] the same, parsed */
    size_t n_args;
    bool shell;               /* args[0] is a text for sh -c */
    struct template *restart; /* of words.restart: a text for sh -c; NULL: none */
    struct file *inputs;      /* [words.n_inputs] */
    struct template *input_templates;
    struct file *files; /* [n_files] factor files and tables, in the order of their first use */
    size_t n_files;
    uint32_t uses; /* TEMPLATE_USES_* of command and inputs together */

    struct upstream *upstreams; /* [words.n_after] */

    struct metric **metrics; /* [words.n_metrics]; words.metrics[k] is its text as typed */

    uint64_t template_key[2], key[2];
    uint64_t identity_base[2]; /* hash of all parts of an identity that points share */
    uint64_t seed_base;        /* the same of a seed */
};

/* struct blame - which word is being looked at: when study_make fails, the word at fault. i is the
 * index among factors, lists, inputs, metrics or command arguments. */
enum word {
    WORD_NONE,
    WORD_NAME,
    WORD_COMMAND,
    WORD_FUNCTION,
    WORD_FACTORS,
    WORD_LISTS,
    WORD_WHERE,
    WORD_DESIGN,
    WORD_N,
    WORD_REPS,
    WORD_CODE_VERSION,
    WORD_INPUTS,
    WORD_METRICS,
    WORD_TIMEOUT,
    WORD_HALT,
    WORD_EXITS,
    WORD_MEMORY,
    WORD_RETRIES,
    WORD_CORES,
    WORD_RESOURCES,
    WORD_REQUIRE,
    WORD_LEAST,
    WORD_BACKOFF,
    WORD_RESTART,
    WORD_PRIORITY,
    WORD_LONGEST_FIRST,
    WORD_WEIGHT,
    WORD_MAX_RUNNING,
    WORD_SPECULATE,
    WORD_AFTER,
    WORD_STAGES,
    WORD_CWD,
};
struct blame {
    enum word word;
    size_t i;
};

/* struct sources - where files come from. Zero: from the disk, relative paths from words.cwd. */
struct sources {
    const char *factors_dir,
        *inputs_dir; /* absolute; where relative paths of factor files and inputs start */
    bool held_only;  /* from a stored study: only the files below, never the disk */
    const struct file *factor_files; /* [n_factor_files] found by path */
    size_t n_factor_files;
    const struct file *inputs; /* [words.n_inputs] */
};

/* study_make - what study_from_words, study_from_yaml and study_from_json have in common. `from`
 * and `blame` may be NULL; on an error *blame says which word was wrong. */
enum err study_make(const struct words *w, const struct sources *from, struct study **s,
                    struct fault *f, struct blame *blame);

/* study_words - as typed, for a printer; the study's own. name and cwd are filled in. */
const struct words *study_words(const struct study *s);

/* words_check - what can be said about words alone: numbers of them, names, UTF-8. */
enum err words_check(const struct words *w, struct fault *f, struct blame *blame);
/* words_copy - a deep copy in the arena, with the name and the number of replicates filled in. */
void words_copy(struct arena *a, const struct words *w, struct words *copy);

/* policy_parse - all but order_seed. */
enum err policy_parse(const struct words *w, struct policy *p, struct fault *f,
                      struct blame *blame);

/* design_prepare - number of points and what the design needs to give any of them. */
enum err design_prepare(struct study *s, struct fault *f, struct blame *blame);

/* command_prepare - the command's templates. */
enum err command_prepare(struct study *s, struct fault *f, struct blame *blame);

/* after_prepare - reads the specs of the stages that come first; after_fini frees them. */
enum err after_prepare(struct study *s, struct fault *f, struct blame *blame);
void after_fini(struct study *s);
/* after_find - {STAGE.out} and {STAGE.list}; false when it is neither. */
bool after_find(const struct study *s, const char *name, size_t n, struct piece *piece);

/* study_write - study_to_json; within another study's spec only the keys of its stages. */
void study_write(const struct study *s, bool within, struct buf *out);

/* identity_prepare - keys, and what the identities of all points share. */
void identity_prepare(struct study *s);

#endif
