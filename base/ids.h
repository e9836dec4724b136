#ifndef GRANGE_BASE_IDS_H
#define GRANGE_BASE_IDS_H
/* ids - the names of things, one struct each, so that one cannot be passed for another. 0 is
 * nobody.
 *
 * A task id is (first task of its array) + (index of the point in its array), so task and (array,
 * index) convert by arithmetic. A lease id is (epoch << 32) | sequence: a scheduler that starts
 * again raises the epoch, so no lease id is ever given out twice. A peer is one connection, never
 * reused; a worker is the row that the store keeps of one worker process. */

#include <stdint.h>

typedef int64_t ms_t; /* milliseconds; wall times count from 1970-01-01 UTC */
#define MS_NEVER INT64_MAX

typedef struct {
    uint64_t n;
} task_id;
typedef struct {
    uint64_t n;
} lease_id;
typedef struct {
    uint64_t n;
} peer_id;
typedef struct {
    uint32_t n;
} study_id;
typedef struct {
    uint32_t n;
} array_id;
typedef struct {
    uint32_t n;
} worker_id;

static inline lease_id lease_make(uint32_t epoch, uint32_t sequence)
{
    return (lease_id){ ((uint64_t)epoch << 32) | sequence };
}

#endif
