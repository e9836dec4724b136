#include "cli/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err look_up(const char *program, struct fault *f);
static enum err shell_text(const char *program, struct fault *f);

enum err lookup_command(const struct study *s, struct fault *f)
{
    if (study_function(s) || study_n_points(s) == 0)
        return ERR_NONE;
    struct point p;
    point_init(&p);
    struct command first, last;
    command_init(&first);
    command_init(&last);
    study_point(s, 0, &p);
    study_command(s, &p, &(struct dirs){ "/", "/" }, false, &first);
    study_point(s, study_n_points(s) - 1, &p);
    study_command(s, &p, &(struct dirs){ "/", "/" }, false, &last);
    enum err err = ERR_NONE;
    if (strcmp(first.argv[0], last.argv[0]) == 0)
        err = look_up(first.argv[0], f);
    if (err && first.n > 1 && strchr(first.argv[0], ' '))
        err = shell_text(first.argv[0], f);
    command_fini(&first);
    command_fini(&last);
    point_fini(&p);
    return err;
}

static int executable(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    return access(path, X_OK) == 0 ? 0 : errno;
}

static enum err look_up(const char *program, struct fault *f)
{
    if (strchr(program, '/')) {
        int rc = executable(program);
        if (rc == EACCES)
            return fault_set(f, ERR_USAGE, "command '%s' is not executable; try: chmod +x %s",
                             program, program);
        return rc ? fault_set(f, ERR_USAGE, "command '%s': %s", program, strerror(rc)) : ERR_NONE;
    }
    const char *path = getenv("PATH");
    for (const char *at = path ? path : "/usr/bin:/bin"; at;) {
        size_t n = strcspn(at, ":");
        char file[4096];
        snprintf(file, sizeof file, "%.*s%s%s", (int)n, at, n ? "/" : "./", program);
        if (executable(file) == 0)
            return ERR_NONE;
        at = at[n] ? at + n + 1 : NULL;
    }
    char here[4096];
    snprintf(here, sizeof here, "./%s", program);
    if (executable(here) == 0)
        return fault_set(f, ERR_USAGE, "command '%s' was not found in PATH; did you mean ./%s?",
                         program, program);
    return fault_set(f, ERR_USAGE, "command '%s' was not found in PATH", program);
}

static enum err shell_text(const char *program, struct fault *f)
{
    return fault_set(f, ERR_USAGE,
                     "command '%s' was not found in PATH; text for a shell must be the only "
                     "argument: write the options of grange run before it",
                     program);
}
