# scheduler/graph.c: the edges that the store has are forgotten at a start
s/^    if (ev->n_edges)$/    if (ev->n_edges \&\& !ev->stored)/
