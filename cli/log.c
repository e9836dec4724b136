/* log - the verb `grange log`: what a point printed, byte for byte. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/far.h"
#include "cli/look.h"
#include "cli/lookargs.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "study/extract.h"

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

/* ---- where the farm's directory is on another machine */

static bool add_page(void *to, const void *data, size_t n)
{
    buf_add(to, data, n);
    return true;
}

static uint64_t number_at(const struct buf *json, const char *path)
{
    struct buf text = { 0 };
    bool is_text;
    uint64_t number = 0;

    if (json_at(buf_text(json), json->n, path, &text, &is_text))
        number = strtoull(buf_text(&text), NULL, 10);
    buf_fini(&text);
    return number;
}

/* find_here - the stream, when it stays where its worker is, and that is this machine. */
static bool find_here(struct log_args *a, const struct where *w, struct end_body *body,
                      struct buf *file)
{
    static const char *const as_json = "--json";
    struct client_look what = lookargs_look(&a->look, "explain", &as_json);
    struct buf json = { 0 }, said = { 0 };
    struct fault ignored;
    bool is_text;
    int code = CLI_OK;
    enum err err = far_ask(w, &what, add_page, &json, &code, &said, &ignored);
    bool found =
        !err && !code &&
        json_at(buf_text(&json), json.n, a->err ? "stderr_file" : "stdout_file", file, &is_text) &&
        kept_here(buf_text(file));

    *body = (struct end_body){ .out_total = number_at(&json, "stdout_bytes"),
                               .err_total = number_at(&json, "stderr_bytes") };
    *(a->err ? &body->err_file : &body->out_file) = buf_text(file);
    buf_fini(&json);
    buf_fini(&said);
    return found;
}

static int show_here(const struct log_args *a, const struct end_body *body)
{
    struct stream s = stream_of(body, a->err);
    struct fault f;
    uint64_t kept = 0;
    enum err err = stream_copy(&s, "", STDOUT_FILENO, &kept, &f);

    if (!err)
        say_notes(a, body, kept);
    return err ? cli_fail(&f) : CLI_OK;
}

static int show_far(struct log_args *a, const struct where *w)
{
    const char *option = a->err ? "--stderr" : NULL;
    struct client_look what = lookargs_look(&a->look, "log", &option);
    struct buf said = { 0 }, file = { 0 };
    struct end_body body;
    struct fault f;
    int code = CLI_OK;
    enum err err = far_ask(w, &what, far_put, NULL, &code, &said, &f);

    if (!err && code == CLI_USAGE && find_here(a, w, &body, &file)) {
        code = show_here(a, &body);
    } else {
        far_say(&said);
        code = far_code(err, code, &f);
    }
    buf_fini(&said);
    buf_fini(&file);
    return code;
}

static int log_main(int argc, char **argv)
{
    struct log_args a = { .look = { .pointed = "log" } };
    const struct where *w;
    int rc = cli_parse(&verb_log, argc, argv, &a);
    if (rc < 0)
        rc = lookargs_where(&a.look, &w);
    if (rc >= 0)
        return rc;
    if (!a.look.dir[0])
        return show_far(&a, w);
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
