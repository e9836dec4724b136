#ifndef GRANGE_TESTS_STORE_HELP_H
#define GRANGE_TESTS_STORE_HELP_H
/* store_help - directories and changes for the tests of the store. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/rows.h"

static inline void make_dir(char *dir)
{
    strcpy(dir, "/tmp/grange-store-XXXXXX");
    must(mkdtemp(dir));
}

static inline void remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    char path[400];

    must(d);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(dir);
}

enum { END_WALL_US = 1500000 };

static inline struct change change_array(uint32_t id, uint32_t study, const char *name,
                                         uint64_t first, uint64_t n)
{
    return (struct change){
        .kind = CHG_ARRAY,
        .array = { .id = { id },
                   .study = { study },
                   .first = { first },
                   .n = n,
                   .key = { id, 77 },
                   .submitted_ms = 1700000000000 + id,
                   .policy = { .retries = id, .needs.cores = 1 },
                   .name = name,
                   .spec = "[1]",
                   .spec_bytes = 3 },
    };
}

static inline struct change change_end(uint64_t task, uint64_t lease, enum task_state state)
{
    static const struct end_body body = { .values = "[\"1\"]", .metrics = "{}", .error_line = "" };

    return (struct change){
        .kind = CHG_END,
        .end = { .task = { task },
                 .lease = { lease },
                 .worker = { 1 },
                 .state = state,
                 .reason = END_EXIT,
                 .code = state == TASK_DONE ? 0 : 3,
                 .attempts = 1,
                 .counted = true,
                 .started_ms = 1700000000123,
                 .ended_ms = 1700000001623,
                 .wall_us = END_WALL_US,
                 .user_us = 1000,
                 .maxrss_kib = 1024,
                 .body = &body },
    };
}

#endif
