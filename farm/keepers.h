#ifndef GRANGE_FARM_KEEPERS_H
#define GRANGE_FARM_KEEPERS_H
/* keepers - who keeps the scheduler and the workers of a farm running: each keeper that lives (see
 * cli/keeper.h) holds flock on a file DIR/keepers/PID, with one line "PID FIRST N LEFT SCHEDULER".
 * So whoever looks can tell which workers are there, and that a scheduler that died is started
 * again. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { KEEPERS_MAX = 256 /* that are looked at, of one directory */ };

struct keeper_entry {
    pid_t pid;
    uint32_t first, n_numbers; /* its workers have the numbers first .. first+n_numbers-1 */
    uint32_t left;             /* of them, those that it keeps: a drained one is not */
    bool scheduler;            /* it starts the scheduler again when that fails */
};

/* keepers_enter - the entry of this process, which is there while the descriptor that is returned
 * is open; -1 when it cannot be had: the log says why. keepers_change writes another one there. */
int keepers_enter(const char *dir, const struct keeper_entry *entry);
void keepers_change(int fd, const struct keeper_entry *entry);
void keepers_leave(const char *dir, int fd);

/* keepers_list - those that live, at most `most`; returns how many. What a killed one left is
 * deleted. */
size_t keepers_list(const char *dir, struct keeper_entry *found, size_t most);
/* keepers_restart - whether one lives that keeps a scheduler. */
bool keepers_restart(const char *dir);

#endif
