#ifndef GRANGE_STUDY_ENDS_H
#define GRANGE_STUDY_ENDS_H
/* ends - points that have ended, found by their identity: what one design of a study has, another
 * one need not run again.
 *
 * All are added, then sealed, then asked for. 40 to 48 bytes a point; sealing and finding touch
 * memory about twice a point, which is what a million of them cost. A zeroed one is empty. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/rows.h"

struct point_end {
    uint64_t id[2]; /* study_identity */
    task_id task;
    uint8_t state; /* enum task_state, STATE_WARNED beside it */
};
struct ends {
    struct point_end *items;
    size_t n, cap;
    uint32_t *slots; /* 1 + index of an item, 0: free; by identity, then the next free one */
    size_t n_slots;  /* a power of two, at most half of them taken */
};

void ends_fini(struct ends *e);
void ends_add(struct ends *e, const uint64_t id[2], task_id task, uint8_t state);
/* ends_seal - of each identity the best end stays: a success before any other, the newest task of
 * those that are as good. */
void ends_seal(struct ends *e);
/* ends_find - those of n identities; NULL where there is none. At most ENDS_AT_ONCE. */
enum { ENDS_AT_ONCE = 64 };
void ends_find(const struct ends *e, const uint64_t (*ids)[2], size_t n,
               const struct point_end **found);
/* end_succeeded - with a warning or without. */
bool end_succeeded(uint8_t state);

#endif
