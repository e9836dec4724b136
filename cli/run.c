/* run - the verb `grange run`: words -> study -> session. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/dryrun.h"
#include "cli/late.h"
#include "cli/run_args.h"
#include "cli/session.h"

static int save(const char *path, const struct study *s)
{
    struct buf yaml;
    struct fault f;
    buf_init(&yaml);
    enum err err = ERR_NONE;
    study_to_yaml(s, &yaml);
    FILE *file = fopen(path, "we");
    if (!file)
        err = fault_set(&f, ERR_IO, "cannot write '%s': %s", path, strerror(errno));
    if (!err) {
        fwrite(yaml.data, 1, yaml.n, file);
        bool bad = ferror(file) != 0;
        if (fclose(file) != 0 || bad)
            err = fault_set(&f, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "cannot write '%s': %s",
                            path, strerror(errno));
    }
    buf_fini(&yaml);
    if (!err)
        return -1;
    return cli_fail(&f);
}

static int run_study(const struct run_args *a, const struct study *s)
{
    int rc = a->save ? save(a->save, s) : -1;
    if (rc >= 0)
        return rc;
    if (a->dry_run) {
        rc = dryrun(&a->control, s);
        if (rc == CLI_OK && a->save && !a->control.quiet)
            cli_say("wrote %s; run it with: grange run %s", a->save, a->save);
        return rc;
    }
    if (!a->control.quiet && a->control.dir[0])
        late_changed(s, a->control.dir);
    return session_run(&(struct session_plan){ .control = &a->control, .study = s });
}

static int run_stages(const struct run_args *a, const struct stages *stages)
{
    int rc = CLI_OK;
    if (a->save)
        return cli_bad("--save writes one study; a file with stages is saved already: %s", a->file),
               CLI_USAGE;
    for (size_t i = 0; i < stages->n && rc == CLI_OK; i++) {
        if (a->dry_run)
            rc = dryrun(&a->control, stages->items[i]);
        else if (!a->control.quiet && a->control.dir[0])
            late_changed(stages->items[i], a->control.dir);
    }
    if (rc != CLI_OK || a->dry_run)
        return rc;
    return session_run(&(struct session_plan){ .control = &a->control,
                                               .stages = stages->items,
                                               .n_stages = stages->n,
                                               .stages_name = stages->name });
}

static int run_main(int argc, char **argv)
{
    static struct run_args a; /* large */
    int rc = run_args_parse(&verb_run, argc, argv, &a);
    struct stages stages = { 0 };
    struct fault f;
    if (rc < 0) {
        if (run_args_studies(&a, &stages, &f))
            rc = cli_fail(&f);
        else
            rc = stages.staged ? run_stages(&a, &stages) : run_study(&a, stages.items[0]);
        stages_free(&stages);
    }
    run_args_fini(&a);
    return rc;
}

const struct verb verb_run = {
    .name = "run",
    .summary = "run a command for every point of a sweep; again: only what is missing",
    .argp = &run_argp,
    .command_follows = true,
    .main = run_main,
};
