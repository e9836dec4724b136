/* log - the verb `grange log`: what a point printed, byte for byte. */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/look.h"
#include "cli/lookargs.h"
#include "cli/progress.h"
#include "cli/stream.h"

struct log_args {
    struct look_args look;
    bool err;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct log_args *a = state->input;
    if (key != 'e')
        return lookargs_option(key, arg, &a->look);
    a->err = true;
    return 0;
}

static const struct argp_option options[] = {
    WHERE_ROWS(0), { "stderr", 'e', 0, 0, "stderr instead of stdout", 0 }, { 0 }
};

static const struct argp argp = {
    options,
    parse,
    "STUDY POINT",
    "Prints what a point that has ended printed to stdout (or stderr), exactly as it did. POINT is "
    "an "
    "index or factor values; of calls KEY:INDEX. When it printed more than was kept, that is said "
    "on stderr.\n"
    "\v"
    "EXAMPLES\n"
    "  grange log sim 17\n"
    "  grange log sim T=290,n=2 --stderr\n"
    "  grange log render frame=12 > frame.png\n",
    0,
    0,
    0
};

static void say_notes(const struct log_args *a, const struct end_body *body, uint64_t kept)
{
    struct stream shown = stream_of(body, a->err), other = stream_of(body, !a->err);
    struct buf kept_text = { 0 }, total = { 0 }, more = { 0 };
    progress_count(kept, &kept_text);
    progress_count(shown.total, &total);
    progress_count(other.total, &more);
    if (kept < shown.total)
        cli_say("note: %s is cut: %s of %s bytes were kept", shown.name, kept_text.data,
                total.data);
    if (shown.total == 0)
        cli_say("note: the point printed nothing to %s", shown.name);
    if (other.total && shown.total == 0)
        cli_say("note: it printed %s bytes to %s: grange log %s %s%s", more.data, other.name,
                a->look.study, a->look.point, a->err ? "" : " --stderr");
    buf_fini(&kept_text);
    buf_fini(&total);
    buf_fini(&more);
}

static enum err show(struct look *l, const struct log_args *a, struct fault *f)
{
    uint64_t kept = 0;
    task_id task = { 0 };
    bool found = false;
    struct end_row row;
    struct end_body body;
    struct buf text = { 0 };
    enum err err = look_task(l, a->look.point, &task, f);
    if (!err)
        err = reader_end(l->reader, task, &found, &row, &body, &text, f);
    if (!err && !found)
        err = fault_set(f, ERR_NOT_FOUND,
                        "point %s has not ended: what it prints is kept when it does; see: grange "
                        "explain %s %s",
                        a->look.point, a->look.study, a->look.point);
    if (!err) {
        struct stream s = stream_of(&body, a->err);
        err = stream_copy(&s, a->look.dir, STDOUT_FILENO, &kept, f);
    }
    if (!err)
        say_notes(a, &body, kept);
    buf_fini(&text);
    return err;
}

static int log_main(int argc, char **argv)
{
    struct log_args a = { .look = { .pointed = "log" } };
    int rc = cli_parse(&verb_log, argc, argv, &a);
    if (rc < 0)
        rc = lookargs_near(&a.look, "log", a.err ? "--stderr" : NULL);
    if (rc >= 0)
        return rc;
    struct look l;
    struct fault f;
    enum err err = look_open(&l, a.look.dir, a.look.study, &f);
    if (!err)
        err = show(&l, &a, &f);
    look_close(&l);
    return err ? cli_fail(&f) : CLI_OK;
}

const struct verb verb_log = {
    .name = "log",
    .summary = "what a point printed",
    .argp = &argp,
    .main = log_main,
};
