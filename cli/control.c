#include "cli/control.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

void control_init(struct control *c)
{
    *c = (struct control){
        .slots = control_cores(),
        .sync = "full",
        .grace_ms = 1000 * GRACE_DEFAULT_S,
    };
}

error_t control_option(int key, char *arg, struct control *c)
{
    uint64_t n = 0;
    error_t rc = 0;
    switch (key) {
    case 'j':
        rc = cli_number("-j", arg, 1, SLOTS_MAX, &n);
        c->slots = (uint32_t)n;
        c->slots_given = true;
        c->here = "-j";
        return rc;
    case OPT_GRACE:
        rc = cli_number("--grace", arg, 0, GRACE_MAX_S, &n);
        c->grace_ms = 1000 * (ms_t)n;
        c->here = "--grace";
        return rc;
    case OPT_SYNC:
        c->sync = arg;
        c->here = "--sync";
        if (strcmp(arg, "full") == 0 || strcmp(arg, "normal") == 0 || strcmp(arg, "off") == 0)
            return 0;
        return cli_bad("--sync: '%s' is not known; it is one of full, normal, off", arg);
    case 'q':
        c->quiet = true;
        return 0;
    case 'J':
        c->json = true;
        return 0;
    default:
        return where_option(key, arg, &c->at);
    }
}

enum err control_find(struct control *c, bool look, struct fault *f)
{
    enum err err = (look ? where_look : where_find)(&c->at, &c->where, f);
    c->dir = c->where.dir;
    return err;
}

uint32_t control_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    return n > 0 ? (uint32_t)n : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}
