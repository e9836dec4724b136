#ifndef GRANGE_STUDY_STUDY_H
#define GRANGE_STUDY_STUDY_H
/* study - what a person asked for: a command template, a design and how to run it.
 *
 * A study is made from words (as typed on the command line, or read from a YAML file) or from the
 * JSON that a scheduler stored and that workers receive; afterwards it never changes. Its design is
 * a pure function: study_point(s, i) for i in 0..N-1 gives the factor values of point i without
 * expanding the others, in O(factors). The same words always give the same points.
 *
 * Values are text, spelled as they were given. A point's identity is a hash of what is run (command
 * template, contents of input files, declared code version, factor names and values, replicate),
 * not of its position; its seed is a hash of study seed, factors, values and replicate. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rows.h"

struct study;

/* struct after - a stage that another one waits for, in a study file with `stages:`. Each stage is
 * a study of its own, named FILE.STAGE. Either `spec` is there or, within such a spec, `keys`: who
 * runs a stage must know the directories of the stages right before it, not of those before them.
 */
enum after_on { AFTER_SUCCESS, AFTER_FAILURE, AFTER_EITHER, N_AFTER_ON };
struct after {
    const char *stage; /* its name in the file: {STAGE.out} is where its output is */
    const char *study; /* the study that has its points */
    bool each;         /* point i waits for its point i; they have the same factors */
    bool any;          /* not each: one of its points is enough; otherwise all of them */
    enum after_on on;  /* which ends of its points count */
    const char *spec;  /* that study as JSON (study_to_json), or NULL */
    const char *keys;  /* 64 hex digits: its template key and its key; NULL with spec */
};

/* struct words - a study as typed. All pointers are borrowed by study_from_words. Zero means "not
 * given" everywhere. */
struct words {
    const char *name;           /* study name; NULL: derived from the command */
    const char *const *command; /* argv template; one single argument with spaces is run by sh -c */
    size_t n_command;
    const char *function; /* instead of a command: a built-in function of the worker ("noop") */
    const char *const *factors; /* "T=280:320:10", "(a=1,2 + b=x,y)", "@points.csv"; crossed, the
                                   last varies fastest */
    size_t n_factors;
    const char *const *const *lists; /* positional sources, one NULL-terminated list for each ::: */
    size_t n_lists;
    const char *where;  /* SQLite expression over the factors; kept as text here (store/filter.h
                           evaluates it) */
    const char *design; /* "grid" (default), "random", "lhs", "sobol" */
    uint64_t n;         /* points of a sampled design */
    uint32_t reps;      /* replicates of each point; 0 and 1: one */
    uint64_t seed;      /* study seed */
    const char *code_version;  /* declared by the user; part of the identity */
    const char *const *inputs; /* paths of files to render */
    size_t n_inputs;
    const char *const *metrics; /* "fc=regex:fc *= *([-+.0-9eE]+)", "e=json:out.json:energy.total",
                                   "x=csv:out.csv:col" */
    size_t n_metrics;
    const char *timeout; /* "30s" "5m" "2h" "1d" "500ms" "30" (seconds) "300%" */
    const char *halt;    /* "now,fail=1" "soon,fail=5%" */
    const char *exits;   /* "75:retry,77:fail,3:ok" */
    const char *memory;  /* "512M" "2G" */
    uint32_t retries, cores;
    const char *resources; /* "gpus=1,disk=20" */
    const char *require;   /* "big,arch=arm": labels of a worker */
    const char *least;     /* "10m": it takes at least so long */
    const char *backoff;   /* "1s..60s": before the first retry, and at most */
    const char *restart;   /* a command for sh -c: of the second and later attempts at a point */
    const char *priority;  /* "5", "-1" */
    const char *longest_first; /* a factor: points with the largest values of it go first */
    uint32_t weight;           /* 1..WEIGHT_MAX */
    uint32_t max_running;      /* points at once */
    uint32_t speculate;        /* 1: backup attempts at the end */
    const struct after *after; /* stages that come first */
    size_t n_after;
    bool keeps_dirs; /* a stage: every point has a directory, for the stages that come later */
    int shuffle;     /* 1 yes, -1 no, 0 default: above 1,000 points */
    const char *cwd; /* absolute: where relative paths start and the command runs */
};

/* The texts among them that say how points are run, and the numbers. */
#define RUN_TEXTS(X)                                                                               \
    X(resources, WORD_RESOURCES)                                                                   \
    X(require, WORD_REQUIRE)                                                                       \
    X(least, WORD_LEAST)                                                                           \
    X(backoff, WORD_BACKOFF)                                                                       \
    X(restart, WORD_RESTART)                                                                       \
    X(priority, WORD_PRIORITY)                                                                     \
    X(longest_first, WORD_LONGEST_FIRST)
#define RUN_NUMBERS(X)                                                                             \
    X(weight, WORD_WEIGHT, WEIGHT_MAX)                                                             \
    X(max_running, WORD_MAX_RUNNING, POINTS_MAX)                                                   \
    X(speculate, WORD_SPECULATE, 1)

/* study_from_words - parses, reads the files named (factor files, tables, inputs), checks all of
 * it: grammar, limits, names, placeholders. ERR_USAGE and friends with the text in *f; on success
 * *s is the caller's to study_free. */
enum err study_from_words(const struct words *w, struct study **s, struct fault *f);

/* study_from_yaml - the same from a study file; errors name file, line and key. Relative paths in
 * the file start at the file's directory; the command runs in cwd. `over` (may be NULL) holds words
 * that were given beside it and win over the file's. */
enum err study_from_yaml(const char *path, const char *cwd, const struct words *over,
                         struct study **s, struct fault *f);

/* stages_from_yaml - the same from a file that may have `stages:`: one study for each, in an order
 * in which each comes after those it waits for; without stages, the one study of the file. On
 * success the studies are the caller's: stages_free. */
struct stages {
    struct study **items;
    size_t n;
    bool staged; /* the file has stages */
    char *name;  /* of the file's study: stages are NAME.STAGE */
};
enum { STAGES_MAX = 64 }; /* of one study file; refused */
enum err stages_from_yaml(const char *path, const char *cwd, const struct words *over,
                          struct stages *stages, struct fault *f);
void stages_free(struct stages *stages);

/* study_to_yaml - the study as a study file that gives the same points again: paths of inputs and
 * factor files are written as they were given. */
void study_to_yaml(const struct study *s, struct buf *out);

/* study_to_json / study_from_json - the whole study, contents of files included; what the store
 * keeps and the wire carries. Equal studies give equal bytes. study_from_json trusts nothing. */
void study_to_json(const struct study *s, struct buf *out);
enum err study_from_json(const void *json, size_t bytes, struct study **s, struct fault *f);

/* study_parse_memory - "512M", "2G": sets p->needs.memory_mib, rounded up. */
enum err study_parse_memory(const char *text, struct policy *p, struct fault *f);

void study_free(struct study *s);

const char *study_name(const struct study *s);
const struct policy *study_policy(const struct study *s);
const char *study_where(const struct study *s);    /* NULL: none */
const char *study_function(const struct study *s); /* NULL: a command */
const char *study_cwd(const struct study *s);
uint64_t study_n_points(const struct study *s); /* replicates included; before --where */
void study_key(const struct study *s,
               uint64_t key[2]); /* same points in the same order: same key */
void study_template_key(const struct study *s,
                        uint64_t key[2]); /* of command, inputs, code version only */

size_t study_n_factors(const struct study *s); /* `rep` is no factor */
const char *study_factor_name(const struct study *s, size_t j);
bool study_factor_numeric(const struct study *s, size_t j); /* every value is a decimal number */
bool study_factor_used(const struct study *s, size_t j);    /* by a placeholder somewhere */
/* study_longest_first - the factor whose largest values go first; SIZE_MAX: none. */
size_t study_longest_first(const struct study *s);
bool study_in_order(const struct study *s); /* --no-shuffle: the points go as they are listed */
uint32_t study_reps(const struct study *s);
size_t study_n_metrics(const struct study *s);
const char *study_metric_name(const struct study *s, size_t k);
const char *study_metric_text(const struct study *s, size_t k); /* as typed */
size_t study_n_inputs(const struct study *s);
const char *study_input_name(const struct study *s,
                             size_t k); /* base name: its name in the point's directory */

/* struct point - the values of one point. Embedded by the caller and reused from point to point;
 * values stay valid until the next study_point on it or point_fini. */
struct point {
    uint64_t index;      /* i */
    uint32_t rep;        /* 0..reps-1 */
    size_t n;            /* factors */
    const char **values; /* [n], as spelled */
    struct buf text;     /* where the values live */
};
void point_init(struct point *p);
void point_fini(struct point *p);
void study_point(const struct study *s, uint64_t i, struct point *p); /* i < study_n_points */

void study_identity(const struct study *s, const struct point *p, uint64_t id[2]);
uint32_t study_seed(const struct study *s,
                    const struct point *p); /* 1..2^31-1: fits every generator's int */
/* point_values_json - ["280","1"]: what end_body.values holds. */
void point_values_json(const struct point *p, struct buf *out);
/* study_point_label - "T=290 n=2 rep=1" for people. */
void study_point_label(const struct study *s, const struct point *p, struct buf *out);
/* study_point_dirname - a file name for the point: readable values and 12 hex digits of the
 * identity, e.g. "T=290,n=2~1a2b3c4d5e6f"; at most 120 bytes, no '/', no leading dot. */
void study_point_dirname(const struct study *s, const struct point *p, struct buf *out);

/* study_find - the index that a person meant: "17", or factor values "T=290,n=2" (also rep=1, and
 * positional "1=a,2=b") that fit exactly one point. ERR_NOT_FOUND / ERR_USAGE (several) with text.
 */
enum err study_find(const struct study *s, const char *text, uint64_t *i, struct fault *f);

/* study_is_stage - of a study file; its name is FILE.STAGE. */
bool study_is_stage(const struct study *s);
/* Stages that a study waits for. */
size_t study_n_after(const struct study *s);
const struct after *study_after(const struct study *s, size_t k);
/* study_after_used - whether something of the command or the inputs names stage k. */
bool study_after_used(const struct study *s, size_t k);
/* study_after_dir - the directory that {STAGE.out} stands for at point i of s: of the point of that
 * stage when it has one point or goes with this one, else the directory that has one for each of
 * its points. `root` is the grange directory. */
void study_after_dir(const struct study *s, size_t k, uint64_t i, const char *root,
                     struct buf *out);
/* study_after_list - whether {STAGE.list} is used; it is the file STAGE.csv in the point's own
 * directory. study_after_write - writes it: index, factors, directory of each point of the stage.
 * Returns an errno. */
bool study_after_list(const struct study *s, size_t k);
int study_after_write(const struct study *s, size_t k, const char *root, const char *path);

/* --- for the worker: running a point --- */

/* struct dirs - where a point runs: `out` is its own directory, absolute ({out}); `root` the grange
 * directory, absolute, where the directories of earlier stages are. Either may be NULL: nothing
 * stands there then. */
struct dirs {
    const char *out, *root;
};

/* study_needs_dir - whether a point needs a directory of its own ({out}, inputs, metrics from
 * files). */
bool study_needs_dir(const struct study *s);
/* study_runs_in_dir - whether that directory is the working directory (there are input files). */
bool study_runs_in_dir(const struct study *s);

/* study_command - the argv of a point, ready for exec: NULL-terminated array of n strings in *out.
 * A shell command gives {"/bin/sh","-c",TEXT}
 * with values quoted for sh. An argv[0] that is a relative path with a '/' was made absolute.
 * again: it is not the first attempt at the point, so its restart command runs when it has one. */
struct command {
    struct buf text;
    char **argv;
    size_t n;
};
void command_init(struct command *c);
void command_fini(struct command *c);
void study_command(const struct study *s, const struct point *p, const struct dirs *dirs,
                   bool again, struct command *c);
/* study_command_line - the same as one line for people, quoted so that it can be pasted into sh in
 * study_cwd (a relative program is shown as it was typed), or, where study_runs_in_dir, in the
 * directory of the point. */
void study_command_line(const struct study *s, const struct point *p, const struct dirs *dirs,
                        struct buf *out);
/* study_restart_line - the restart command as a line for sh; nothing when it has none. */
void study_restart_line(const struct study *s, const struct point *p, const struct dirs *dirs,
                        struct buf *out);

/* study_input_render - input file k with the placeholders of known names replaced, all else byte
 * for byte ({unknown} and {{ stay as they are). */
void study_input_render(const struct study *s, size_t k, const struct point *p,
                        const struct dirs *dirs, struct buf *out);

/* study_metrics - reads the metrics of an ended point: JSON object into *out, and returns how many
 * were not found. A number that JSON can hold is a JSON number in its own spelling, anything else a
 * string. `dir` is where files of the point are (NULL: study_cwd). stdout as captured. */
struct streams {
    const void *out, *err;
    size_t out_bytes, err_bytes;
};
uint32_t study_metrics(const struct study *s, const char *dir, const struct streams *streams,
                       struct buf *out);

#endif
