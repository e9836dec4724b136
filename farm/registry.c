#include "farm/registry.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/must.h"
#include "farm/keepers.h"
#include "farm/secret.h"

const char *farm_host(void)
{
    static char host[256];

    if (!*host && gethostname(host, sizeof host - 1))
        strcpy(host, "localhost");
    return host;
}

bool farm_held(const char *dir, long *pid)
{
    char path[PATH_MAX], text[128];

    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
    ssize_t n = held ? read(fd, text, sizeof text - 1) : 0;
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (held && pid)
        *pid = strtol(text, NULL, 10);
    return held;
}

enum err registry_name_ok(const char *name, struct fault *f)
{
    size_t n = strlen(name);
    bool ok = n > 0 && n <= NAME_BYTES_MAX && isalnum((unsigned char)name[0]);

    for (size_t i = 0; ok && i < n; i++)
        ok = isalnum((unsigned char)name[i]) || strchr("._-", name[i]);
    return ok ? ERR_NONE
              : fault_set(f, ERR_USAGE,
                          "'%.120s' is no name for a farm: 1 to %d letters, digits, '.', '_' and "
                          "'-', beginning with a letter or digit",
                          name, (int)NAME_BYTES_MAX);
}

/* registry_dir - where the files are. */
static enum err registry_dir(char *path, size_t size, struct fault *f)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && state[0] == '/')
        snprintf(path, size, "%s/grange/farms", state);
    else if (home && home[0] == '/')
        snprintf(path, size, "%s/.local/state/grange/farms", home);
    else
        return fault_set(f, ERR_NOT_FOUND,
                         "neither XDG_STATE_HOME nor HOME says where the farms of this user are");
    return ERR_NONE;
}

static enum err entry_path(const char *name, char *path, size_t size, struct fault *f)
{
    char dir[PATH_MAX];
    enum err err = registry_name_ok(name, f);

    if (!err)
        err = registry_dir(dir, sizeof dir, f);
    if (!err && snprintf(path, size, "%s/%s.json", dir, name) >= (int)size)
        err = fault_set(f, ERR_LIMIT, "the path of the farms of this user is too long");
    return err;
}

/* ---- entries */

static bool take_text(const json_t *root, const char *field, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(root, field));

    return text && *text && snprintf(to, size, "%s", text) < (int)size;
}

static void look(struct farm *farm)
{
    if (strcmp(farm->host, farm_host()) != 0)
        farm->state = FARM_ELSEWHERE;
    else
        farm->state = farm_held(farm->dir, &farm->pid) ? FARM_UP : FARM_DOWN;
    farm->kept = farm->state == FARM_DOWN && keepers_restart(farm->dir);
}

/* entry_read - ERR_NOT_FOUND, or what is wrong with the file. */
static enum err entry_read(const char *path, struct farm *farm, struct fault *f)
{
    struct buf text = { 0 };
    enum err err = secret_read(path, &text, f);
    json_t *root = err ? NULL : json_loadb(buf_text(&text), text.n, 0, NULL);

    *farm = (struct farm){ 0 };
    if (!err && !(take_text(root, "name", farm->name, sizeof farm->name) &&
                  take_text(root, "host", farm->host, sizeof farm->host) &&
                  take_text(root, "dir", farm->dir, sizeof farm->dir)))
        err = fault_set(f, ERR_MALFORMED, "%s: no entry of a farm: name, host or dir is missing",
                        path);
    if (!err) {
        farm->pid = (long)json_integer_value(json_object_get(root, "pid"));
        farm->started_ms = json_integer_value(json_object_get(root, "started_ms"));
        look(farm);
    }
    json_decref(root);
    buf_fini(&text);
    return err;
}

enum err registry_add(const struct farm *farm, struct fault *f)
{
    char path[PATH_MAX], dir[PATH_MAX];
    struct farm old;
    struct fault ignored;
    enum err err = entry_path(farm->name, path, sizeof path, f);

    if (!err)
        err = registry_dir(dir, sizeof dir, f);
    if (!err)
        err = secret_dir(dir, f);
    if (err)
        return err;
    if (!entry_read(path, &old, &ignored) && (old.state != FARM_DOWN || old.kept) &&
        strcmp(old.dir, farm->dir) != 0)
        return fault_set(f, ERR_EXISTS, "there is a farm '%s' already, in %s on %s", farm->name,
                         old.dir, old.host);
    json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", farm->name, "host", farm->host,
                             "dir", farm->dir, "pid", (json_int_t)farm->pid, "started_ms",
                             (json_int_t)farm->started_ms);
    if (!root)
        return fault_set(f, ERR_USAGE, "the directory '%s' has a name that is not UTF-8",
                         farm->dir);
    char *text = json_dumps(root, JSON_INDENT(2));
    must(text != NULL);
    err = secret_write(path, text, strlen(text), f);
    free(text);
    json_decref(root);
    return err;
}

enum err registry_remove(const char *name, struct fault *f)
{
    char path[PATH_MAX];
    enum err err = entry_path(name, path, sizeof path, f);

    if (!err && unlink(path) && errno != ENOENT)
        err = fault_set(f, ERR_PERMISSION, "cannot remove %s: %s", path, strerror(errno));
    return err;
}

/* ---- looking */

static int by_name(const void *a, const void *b)
{
    const struct farm *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static bool is_entry(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".json") == 0;
}

enum err registry_list(struct farm **farms, size_t *n, struct fault *f)
{
    char dir[PATH_MAX], path[PATH_MAX];
    enum err err = registry_dir(dir, sizeof dir, f);
    struct fault ignored;

    *farms = NULL;
    *n = 0;
    DIR *d = err ? NULL : opendir(dir);
    if (!d) /* none yet */
        return err;
    for (struct dirent *e; (e = readdir(d));) {
        if (!is_entry(e->d_name) ||
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path)
            continue;
        *farms = realloc(*farms, (*n + 1) * sizeof **farms);
        must(*farms != NULL);
        if (!entry_read(path, &(*farms)[*n], &ignored))
            (*n)++;
    }
    closedir(d);
    if (*n)
        qsort(*farms, *n, sizeof **farms, by_name);
    return ERR_NONE;
}

static enum err none_such(const char *name, struct fault *f)
{
    struct farm *farms;
    size_t n;
    struct buf names = { 0 };
    struct fault ignored;

    if (registry_list(&farms, &n, &ignored))
        n = 0;
    for (size_t i = 0; i < n; i++)
        buf_addf(&names, "%s%s", i ? ", " : "; there are: ", farms[i].name);
    if (!n)
        buf_adds(&names, "; this user has none (grange up makes one)");
    free(farms);
    enum err err = fault_set(f, ERR_NOT_FOUND, "no farm is called '%s'%s", name, buf_text(&names));
    buf_fini(&names);
    return err;
}

enum err registry_find(const char *name, struct farm *farm, struct fault *f)
{
    char path[PATH_MAX];
    enum err err = entry_path(name, path, sizeof path, f);

    if (!err)
        err = entry_read(path, farm, f);
    return err == ERR_NOT_FOUND ? none_such(name, f) : err;
}
