/* graph - the verb `grange graph`: what waits for what, as DOT or SVG, coloured by state. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/far.h"
#include "cli/graph.h"
#include "cli/newfile.h"
#include "cli/stored.h"

enum { OPT_POINTS = 400 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct graph_args *a = state->input;
    switch (key) {
    case 'o':
        a->out = arg;
        return 0;
    case OPT_POINTS:
        a->points = true;
        return 0;
    default:
        return lookargs_option(key, arg, &a->look);
    }
}

static const struct argp_option options[] = {
    WHERE_ROWS(0),
    { "output", 'o', "FILE", 0,
      "write there: FILE.svg, .png, .pdf is a picture (by graphviz's dot), else DOT", 0 },
    { "points", OPT_POINTS, 0, 0,
      "a box for each point or call, not only for each stage or for many calls", 0 },
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "[STUDY]",
    "The stages of a study file, or the calls of a program, and what they wait for, coloured by "
    "state: green has succeeded, red has failed, blue runs, yellow was cancelled or skipped, white "
    "is still to be done. A box is a stage or a call; where there are more than 200 calls it is "
    "those that as many steps lead to, unless --points asks for each. DOT goes to stdout or a "
    "file; a picture needs the program "
    "dot (Debian: graphviz).\n"
    "\v"
    "EXAMPLES\n"
    "  grange graph wing -o wing.svg\n"
    "  grange graph wing --points | dot -Tpdf -o wing.pdf\n",
    0,
    0,
    0
};

/* ---- writing ---- */

static enum err write_to(FILE *file, const struct buf *dot, const char *where, struct fault *f)
{
    fwrite(dot->data, 1, dot->n, file);
    if (fflush(file) != 0 || ferror(file))
        return fault_set(f, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "cannot write %s: %s", where,
                         strerror(errno));
    return ERR_NONE;
}

/* What dot draws, by the end of the name; NULL: DOT itself is wanted. */
static const char *picture_of(const char *path)
{
    static const char *const kinds[] = { "svg", "png", "pdf" };
    const char *end = strrchr(path, '.');
    for (size_t i = 0; end && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(end + 1, kinds[i]) == 0)
            return kinds[i];
    return NULL;
}

static enum err write_picture(struct newfile *to, const char *kind, const struct buf *dot,
                              struct fault *f)
{
    const char *path = to->path;
    struct buf command = { 0 };

    buf_addf(&command, "command -v dot >/dev/null || exit 127; exec dot -T%s -o ", kind);
    buf_add_sh(&command, to->temporary.n ? to->temporary.data : path);
    FILE *pipe = popen(buf_text(&command), "we");
    buf_fini(&command);
    if (!pipe)
        return fault_set(f, ERR_IO, "cannot start dot: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN); /* where there is no dot its status tells */
    fwrite(dot->data, 1, dot->n, pipe);
    int status = pclose(pipe);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return fault_set(
            f, ERR_IO,
            "the program dot, which draws, is not here; install graphviz, or write DOT: "
            "grange graph -o %.*s.dot",
            (int)(strlen(path) - strlen(kind) - 1), path);
    if (status != 0)
        return fault_set(f, ERR_IO, "dot could not draw %s", path);
    return ERR_NONE;
}

static enum err put(const struct graph_args *a, const struct buf *dot, struct fault *f)
{
    struct newfile to;
    struct fault unused;
    const char *kind = a->out ? picture_of(a->out) : NULL;

    if (!a->out)
        return write_to(stdout, dot, "the graph", f);
    enum err err = newfile_open(&to, a->out, f);
    if (err)
        return err;
    err = kind ? write_picture(&to, kind, dot, f) : write_to(to.to, dot, a->out, f);
    enum err closed = newfile_close(&to, !err, err ? &unused : f);
    return err ? err : closed;
}

static enum err draw(const struct graph_args *a, struct buf *dot, struct fault *f)
{
    struct look l;
    struct stages stages;
    bool calls = false;
    enum err err = look_calls(&l, a->look.dir, a->look.study, &calls, f);
    if (!err && calls)
        err = graph_calls(&l, a->points, dot, f);
    look_close(&l);
    if (err || calls)
        return err;
    err = stored_studies(a->look.dir, a->look.study, &stages, f);
    if (err)
        return err;
    err = graph_stages(a, &stages, dot, f);
    stages_free(&stages);
    return err;
}

static bool add_page(void *dot, const void *data, size_t n)
{
    buf_add(dot, data, n);
    return true;
}

static enum err draw_far(const struct graph_args *a, const struct where *w, struct buf *dot,
                         int *code, struct fault *f)
{
    return far_look(w,
                    &(struct client_look){ .verb = "graph",
                                           .options = (const char *[]){ "--points" },
                                           .n_options = a->points,
                                           .words = &a->look.study,
                                           .n_words = a->look.study != NULL },
                    add_page, dot, code, f);
}

static int graph_main(int argc, char **argv)
{
    struct graph_args a = { 0 };
    int rc = cli_parse(&verb_graph, argc, argv, &a);
    if (rc >= 0)
        return rc;
    const struct where *w;
    rc = where_of(&a.look.at, &w);
    if (rc >= 0)
        return rc;
    a.look.dir = w->dir;
    struct buf dot = { 0 };
    struct fault f;
    rc = CLI_OK;
    enum err err = w->dir[0] ? draw(&a, &dot, &f) : draw_far(&a, w, &dot, &rc, &f);
    if (!err && rc == CLI_OK)
        err = put(&a, &dot, &f);
    buf_fini(&dot);
    return err ? cli_fail(&f) : rc;
}

const struct verb verb_graph = {
    .name = "graph",
    .summary = "draw what waits for what, coloured by state",
    .argp = &argp,
    .main = graph_main,
};
