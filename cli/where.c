#include "cli/where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/local.h"
#include "cli/signals.h"
#include "farm/connection.h"
#include "farm/keepers.h"
#include "farm/registry.h"

error_t where_option(int key, char *arg, struct where_args *a)
{
    switch (key) {
    case 'd':
        a->dir = arg;
        return arg[0] ? 0 : cli_bad("--dir needs the name of a directory");
    case OPT_WHERE_CONNECT:
        a->connect = arg;
        return arg[0] ? 0 : cli_bad("--connect needs a connection file or a URL");
    case OPT_WHERE_FARM:
        a->farm = arg;
        return arg[0] ? 0 : cli_bad("--farm needs a name; see: grange farms");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- finding it ---- */

enum { OTHERS_SHOWN = 600 }; /* bytes of farms that are up, in a message */

static bool has_store(const char *dir)
{
    char path[WHERE_DIR_MAX + 16];
    snprintf(path, sizeof path, "%s/grange.db", dir);
    return access(path, R_OK) == 0;
}

/* The name that the farm of a directory has in the registry, if any. */
static void find_name(struct where *w)
{
    struct farm *farms = NULL;
    size_t n = 0;
    struct fault unused;
    char *path = realpath(w->dir, NULL);
    if (!path || registry_list(&farms, &n, &unused))
        n = 0;
    for (size_t i = 0; i < n; i++)
        if ((farms[i].state == FARM_UP || farms[i].kept) && strcmp(farms[i].dir, path) == 0)
            snprintf(w->farm, sizeof w->farm, "%s", farms[i].name);
    free(farms);
    free(path);
}

static enum err by_dir(const char *dir, struct where *w, struct fault *f)
{
    if (strlen(dir) >= sizeof w->dir)
        return fault_set(f, ERR_LIMIT, "the name of the directory is longer than %d bytes",
                         WHERE_DIR_MAX - 1);
    pid_t pid = 0;
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    enum holder holder = local_holder(dir, &pid);
    /* A scheduler that is being started again is there in a moment. */
    w->up = holder == HOLDER_DAEMON || (holder == HOLDER_NONE && keepers_restart(dir));
    if (w->up)
        find_name(w);
    return ERR_NONE;
}

/* The file is read again by who connects; here it says where the directory is. */
static enum err by_connection(const char *what, struct where *w, struct fault *f)
{
    struct connection c;
    if (strlen(what) >= sizeof w->connect)
        return fault_set(f, ERR_LIMIT, "the connection is longer than %d bytes", WHERE_DIR_MAX - 1);
    enum err err = connection_find(what, CONNECTION_CLIENT, &c, f);
    if (err)
        return err;
    snprintf(w->connect, sizeof w->connect, "%s", what);
    snprintf(w->farm, sizeof w->farm, "%s", c.farm ? c.farm : "");
    if (c.dir && c.host && strcmp(c.host, farm_host()) == 0 && has_store(c.dir))
        snprintf(w->dir, sizeof w->dir, "%s", c.dir);
    w->up = true;
    connection_fini(&c);
    return ERR_NONE;
}

static enum err by_farm(const char *name, struct where *w, struct fault *f)
{
    static struct farm farm; /* large */
    enum err err = registry_find(name, &farm, f);
    if (err)
        return err;
    if (farm.state == FARM_ELSEWHERE) {
        char path[WHERE_DIR_MAX];
        connection_path(farm.dir, CONNECTION_CLIENT, path, sizeof path);
        err = by_connection(path, w, f);
    } else {
        err = by_dir(farm.dir, w, f);
    }
    snprintf(w->farm, sizeof w->farm, "%s", farm.name);
    if (!err && !w->up)
        return fault_set(f, ERR_LOST,
                         "the farm %s is not up; start it with: grange up --name %s "
                         "--dir %s",
                         farm.name, farm.name, farm.dir);
    return err;
}

static bool default_is_up(void)
{
    static struct farm farm; /* large */
    struct fault f;
    return registry_find(WHERE_FARM_DEFAULT, &farm, &f) == ERR_NONE &&
           (farm.state == FARM_UP || farm.kept);
}

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

enum err where_own(struct fault *f)
{
    struct stat st;
    if (stat(CLI_DIR_DEFAULT, &st) != 0 || st.st_uid == geteuid())
        return ERR_NONE;
    return fault_set(f, ERR_PERMISSION,
                     "the directory " CLI_DIR_DEFAULT " here belongs to another user (uid %u), who "
                     "could run commands as you; if that is meant: --dir " CLI_DIR_DEFAULT,
                     (unsigned)st.st_uid);
}

static enum err by_itself(struct where *w, struct fault *f)
{
    const char *connect = from_environment("GRANGE_CONNECT");
    const char *farm = from_environment("GRANGE_FARM");
    pid_t pid = 0;
    if (connect)
        return by_connection(connect, w, f);
    if (farm)
        return by_farm(farm, w, f);
    /* A task does not find the farm that runs it here: it might wait for its own slot. */
    bool task = from_environment("GRANGE_PARENT") != NULL;
    if (where_own(f))
        return f->code;
    if (local_holder(CLI_DIR_DEFAULT, &pid) != HOLDER_NONE || task || !default_is_up())
        return by_dir(CLI_DIR_DEFAULT, w, f);
    return by_farm(WHERE_FARM_DEFAULT, w, f);
}

enum err where_find(const struct where_args *a, struct where *w, struct fault *f)
{
    *w = (struct where){ 0 };
    if ((a->connect != NULL) + (a->farm != NULL) + (a->dir != NULL) > 1)
        return fault_set(f, ERR_USAGE, "only one of --connect, --farm and --dir says which farm");
    if (a->connect)
        return by_connection(a->connect, w, f);
    if (a->farm)
        return by_farm(a->farm, w, f);
    return a->dir ? by_dir(a->dir, w, f) : by_itself(w, f);
}

enum err where_look(const struct where_args *a, struct where *w, struct fault *f)
{
    struct where_args looked = *a;
    static struct farm farm; /* large */
    /* What a farm that is down has in its store can be looked at all the same. */
    if (a->farm && !a->connect && !a->dir && registry_find(a->farm, &farm, f) == ERR_NONE &&
        farm.state == FARM_DOWN)
        looked = (struct where_args){ .dir = farm.dir };
    return where_find(&looked, w, f);
}

int where_of(const struct where_args *a, const struct where **w)
{
    static struct where found; /* large */
    struct fault f;
    if (where_look(a, &found, &f))
        return cli_fail(&f);
    *w = &found;
    return -1;
}

/* What runs as a task means the farm that runs it, where it names no other. Not for `grange run`: a
 * task that waits for others in its own slot may wait for ever. */
static const char *parent(const struct where_args *a)
{
    bool named = a->connect || a->farm || a->dir || from_environment("GRANGE_CONNECT") ||
                 from_environment("GRANGE_FARM");
    return named ? NULL : from_environment("GRANGE_PARENT");
}

/* add_others - the farms of this user that are up, where none was named. */
static void add_others(const struct where_args *a, struct buf *out)
{
    struct farm *farms = NULL;
    size_t n = 0, up = 0;
    struct fault f;
    if (a->connect || a->farm || a->dir || registry_list(&farms, &n, &f))
        n = 0;
    for (size_t i = 0; i < n; i++)
        if (farms[i].state == FARM_UP)
            buf_addf(out, "%s%s (%s)", up++ ? ", " : "; or name one that is: --farm ",
                     farms[i].name, farms[i].dir);
    free(farms);
}

/* need_scheduler - `stays`: one that does not end with the `grange run` that it serves. */
static enum err need_scheduler(const struct where_args *a, bool stays, struct where *w,
                               struct fault *f)
{
    const struct where_args of_parent = { .connect = parent(a) };
    enum err err = where_find(of_parent.connect ? &of_parent : a, w, f);
    if (err || w->up || (!stays && local_serves(w->dir)))
        return err;
    pid_t pid = 0;
    if (local_holder(w->dir, &pid) == HOLDER_RUN)
        return fault_set(f, ERR_LOST,
                         "no farm is up in %s, but a `grange run` (process %d), which ends by "
                         "itself; wait for it, or use "
                         "another directory with --dir",
                         w->dir, (int)pid);
    struct buf flag = { 0 }, others = { 0 };
    where_flag(w, &flag);
    add_others(a, &others);
    fault_set(f, ERR_LOST, "no farm is up in %s; start one: grange up%s%.*s", w->dir,
              buf_text(&flag), OTHERS_SHOWN, buf_text(&others));
    buf_fini(&others);
    buf_fini(&flag);
    return ERR_LOST;
}

enum err where_up(const struct where_args *a, struct where *w, struct fault *f)
{
    return need_scheduler(a, true, w, f);
}

enum err where_connect(const struct where *w, struct grange **g, struct fault *f)
{
    char why[FAULT_TEXT_MAX / 2];
    struct buf url = { 0 }, name = { 0 };
    if (!w->connect[0])
        cli_url(w->dir, &url);
    int rc = grange_connect(w->connect[0] ? w->connect : buf_text(&url), WHERE_CONNECT_MS, g, why,
                            sizeof why);
    where_name(w, &name);
    if (rc && strstr(w->connect, "://") && strstr(why, w->connect)) /* it says where by itself */
        fault_set(f, (enum err)rc, "%s", why);
    else if (rc)
        fault_set(f, (enum err)rc, "cannot connect to %s: %s", buf_text(&name), why);
    buf_fini(&url);
    buf_fini(&name);
    return (enum err)rc;
}

static enum err open_found(const struct where *w, struct grange **g, struct fault *f)
{
    signals_early();
    return where_connect(w, g, f);
}

enum err where_open(const struct where_args *a, struct where *w, struct grange **g, struct fault *f)
{
    enum err err = need_scheduler(a, false, w, f);
    return err ? err : open_found(w, g, f);
}

enum err where_open_farm(const struct where_args *a, struct where *w, struct grange **g,
                         struct fault *f)
{
    enum err err = where_up(a, w, f);
    return err ? err : open_found(w, g, f);
}

/* ---- saying it ---- */

/* add_log - where it says why, when it is a farm of this machine that `grange up` started. */
static void add_log(const struct where *w, struct buf *out)
{
    char path[WHERE_DIR_MAX + sizeof "/log/scheduler.log"];

    snprintf(path, sizeof path, "%s/log/scheduler.log", w->dir);
    if (w->dir[0] && w->farm[0] && access(path, R_OK) == 0)
        buf_addf(out, " (its log: %s)", path);
}

enum err where_lost(const struct where *w, bool shut_down, const char *then, struct fault *f)
{
    struct buf name = { 0 }, log = { 0 };
    where_name(w, &name);
    add_log(w, &log);
    if (shut_down)
        fault_set(f, ERR_LOST, "%s was shut down; %s", buf_text(&name), then);
    else
        fault_set(f, ERR_LOST, "%s went away and did not come back within %g s%s; %s",
                  buf_text(&name), (double)clock_patience_ms(WHERE_LOST_MS) / 1000, buf_text(&log),
                  then);
    buf_fini(&log);
    buf_fini(&name);
    return ERR_LOST;
}

void where_flag(const struct where *w, struct buf *out)
{
    if (w->connect[0]) {
        buf_adds(out, " --connect ");
        buf_add_sh(out, w->connect);
    } else {
        cli_dir_flag(w->dir, out);
    }
}

void where_name(const struct where *w, struct buf *out)
{
    if (w->farm[0])
        buf_addf(out, "the farm %s", w->farm);
    else
        buf_adds(out, "the scheduler");
    if (w->connect[0])
        buf_addf(out, " at %s", w->connect);
    else
        buf_addf(out, " in %s", w->dir);
}
