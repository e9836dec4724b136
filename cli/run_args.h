#ifndef GRANGE_CLI_RUN_ARGS_H
#define GRANGE_CLI_RUN_ARGS_H
/* run_args - what was typed after `grange run`, and the study that it means. */

#include "cli/control.h"
#include "cli/sources.h"
#include "study/study.h"

enum { REPEATED_MAX = 512 }; /* --input, --metric, --where given again and again; refused */

struct run_args {
    const char *verb;
    struct control control;
    struct words words; /* points into argv and sources */
    struct sources sources;
    const char *file; /* the study file; NULL: a command was typed */
    const char *inputs[REPEATED_MAX], *metrics[REPEATED_MAX];
    char **argv; /* the arguments with all options in front; owned */
    char cwd[4096];
    struct buf resources, require; /* of repeated options */
    bool dry_run;
    const char *save;
};

extern const struct argp run_argp, submit_argp;

/* run_args_parse - fills *a. Returns as cli_parse does: -1 to go on. v is run or one
 * like it. a is large: keep it static. */
int run_args_parse(const struct verb *v, int argc, char **argv, struct run_args *a);
void run_args_fini(struct run_args *a);

/* run_args_studies - the study, or the stages of a study file; checks all that can be checked
 * before anything starts, also that the commands can be found. The caller's to stages_free. */
enum err run_args_studies(const struct run_args *a, struct stages *stages, struct fault *f);

#endif
