/* cycle - calls of one append that wait for each other in a circle. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "scheduler/core.h"

/* The edges within an append, as lists by the call that waits, and the walk over them. */
struct walk {
    uint64_t at, n;
    uint32_t *start; /* [n + 1] places in `on` */
    uint32_t *on;
    uint8_t *seen;   /* 0 new, 1 on the path, 2 done */
    uint32_t *path;  /* [n] */
    uint32_t *place; /* [n] which edge of each call on the path comes next */
    size_t depth;
};

static void *room(uint64_t n, size_t size)
{
    void *p = calloc(n + 1, size);

    must(p != NULL);
    return p;
}

static void sort_edges(struct walk *w, uint64_t first, const struct edge *edges, size_t n)
{
    for (int fill = 0; fill < 2; fill++) {
        for (size_t i = 0; i < n; i++) {
            uint64_t on = edges[i].on.n - first;
            if (edges[i].on.n < first || on >= w->n || edges[i].call >= w->n)
                continue;
            if (fill)
                w->on[--w->start[edges[i].call]] = (uint32_t)on;
            else
                w->start[edges[i].call]++;
        }
        for (uint64_t i = 0; !fill && i < w->n; i++)
            w->start[i + 1] += w->start[i];
        if (!fill)
            w->on = room(w->start[w->n], sizeof *w->on);
    }
}

/* Follows the path until it comes back to itself: the place on it where the circle begins, or
 * depth. */
static bool walk_from(struct walk *w, uint32_t from, size_t *begin)
{
    w->depth = 0;
    w->path[w->depth++] = from;
    w->seen[from] = 1;
    w->place[from] = w->start[from];
    while (w->depth) {
        uint32_t call = w->path[w->depth - 1];
        if (w->place[call] == w->start[call + 1]) {
            w->seen[call] = 2;
            w->depth--;
            continue;
        }
        uint32_t on = w->on[w->place[call]++];
        if (w->seen[on] == 1) {
            *begin = 0;
            while (w->path[*begin] != on)
                ++*begin;
            return true;
        }
        if (w->seen[on])
            continue;
        w->seen[on] = 1;
        w->place[on] = w->start[on];
        w->path[w->depth++] = on;
    }
    return false;
}

static void name_cycle(const struct walk *w, size_t begin, char *text, size_t n)
{
    enum { SHOWN = 12 };
    size_t at = 0, length = w->depth - begin;

    for (size_t i = 0; i <= length && at < n; i++) {
        uint64_t call = w->at + w->path[begin + i % length];
        if (length > SHOWN && i == SHOWN / 2) {
            at += (size_t)snprintf(text + at, n - at, " -> .. %zu more", length - SHOWN);
            i += length - SHOWN;
            call = w->at + w->path[begin + i % length];
        }
        if (at < n)
            at += (size_t)snprintf(text + at, n - at, "%s%" PRIu64, i ? " -> " : "cycle: ", call);
    }
}

bool graph_check_cycle(uint64_t at, uint64_t n, task_id first, const struct edge *edges,
                       size_t n_edges, char *text, size_t text_bytes)
{
    struct walk w = { .at = at, .n = n };
    bool found = false;
    size_t begin = 0;

    w.start = room(n + 1, sizeof *w.start);
    w.seen = room(n, sizeof *w.seen);
    w.path = room(n, sizeof *w.path);
    w.place = room(n, sizeof *w.place);
    sort_edges(&w, first.n + at, edges, n_edges);
    for (uint64_t i = 0; i < n && !found; i++)
        found = !w.seen[i] && walk_from(&w, (uint32_t)i, &begin);
    if (found && text_bytes)
        name_cycle(&w, begin, text, text_bytes);
    free(w.start);
    free(w.on);
    free(w.seen);
    free(w.path);
    free(w.place);
    return found;
}
