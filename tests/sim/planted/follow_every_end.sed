# scheduler/graph.c: what waits for any goes where the last one ended, not the one that released it
s/wait->hits == 1 \&\& is_hit/is_hit/
