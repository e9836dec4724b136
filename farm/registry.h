#ifndef GRANGE_FARM_REGISTRY_H
#define GRANGE_FARM_REGISTRY_H
/* registry - the farms of this user: one file a farm, $XDG_STATE_HOME/grange/farms/NAME.json
 * (~/.local/state when that is not set), mode 0600.
 *
 * An entry says where a farm is; whether it is up is asked of its directory at each look: whoever
 * holds flock(DIR/lock) is its scheduler. An entry is a hint that a crash may leave behind, never a
 * lock. */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ids.h"
#include "base/limits.h"

enum farm_state {
    FARM_UP,       /* its directory is held by a scheduler */
    FARM_DOWN,     /* it is not: stopped, or it crashed */
    FARM_ELSEWHERE /* on another host: cannot be told from here */
};

struct farm {
    char name[NAME_BYTES_MAX + 1];
    char host[256];  /* where its scheduler runs */
    char dir[4096];  /* absolute */
    long pid;        /* of the scheduler when it was added */
    ms_t started_ms; /* wall clock */
    enum farm_state
        state; /* this and kept by registry_find and registry_list; ignored by registry_add */
    bool kept; /* it is down, but a keeper that lives starts its scheduler again */
};

/* registry_name_ok - 1..NAME_BYTES_MAX of letters, digits, '.', '_' and '-', beginning with a
 * letter or digit; ERR_USAGE says so. */
enum err registry_name_ok(const char *name, struct fault *f);
/* registry_add - also replaces an entry that is down or was ours (the same dir). ERR_EXISTS when a
 * farm of that name is up, or on another host, with another directory. */
enum err registry_add(const struct farm *farm, struct fault *f);
/* registry_remove - no entry is no error. */
enum err registry_remove(const char *name, struct fault *f);
/* registry_find - ERR_NOT_FOUND names the farms that there are. */
enum err registry_find(const char *name, struct farm *farm, struct fault *f);
/* registry_list - all entries by name; files that are none are left out. free(*farms). */
enum err registry_list(struct farm **farms, size_t *n, struct fault *f);

/* farm_held - whether some scheduler holds DIR/lock; *pid (may be NULL) is the one it names. */
bool farm_held(const char *dir, long *pid);
/* farm_host - the name of this host. Static. */
const char *farm_host(void);

#endif
