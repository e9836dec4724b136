#ifndef GRANGE_CLI_GRAPH_H
#define GRANGE_CLI_GRAPH_H
/* graph - what waits for what, as a graph in DOT. */

#include "cli/look.h"
#include "cli/lookargs.h"

struct graph_args {
    struct look_args look;
    const char *out;
    bool points;
};

/* graph_stages - a study of points, or the stages of a file: a box each, or one a point. */
enum err graph_stages(const struct graph_args *a, const struct stages *st, struct buf *out,
                      struct fault *f);

/* graph_calls - a study of calls: a box a call, or, where that would be more than GRAPH_NODES_MAX
 * boxes or GRAPH_EDGES_MAX edges, a box for those of a key that as many steps lead to, of several
 * steps where there are many. Memory: 5 bytes a call. ERR_LIMIT beyond GRAPH_CALLS_MAX. `points`:
 * a box a call in any case, ERR_LIMIT beyond GRAPH_POINTS_MAX of them or ten times as many edges. */
enum {
    GRAPH_POINTS_MAX = 2000, /* nodes that anybody can still look at; refused */
    GRAPH_NODES_MAX = 200,
    GRAPH_EDGES_MAX = 1000,
    GRAPH_GROUPS_MAX = 60,
    GRAPH_KEYS_MAX = 20, /* keys that have boxes of their own then */
    GRAPH_CALLS_MAX = 1 << 24
};
enum err graph_calls(struct look *l, bool points, struct buf *out, struct fault *f);

#endif
