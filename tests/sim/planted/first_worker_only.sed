# scheduler/dispatch.c: one worker gets all the work
s/struct worker \*w = c->workers\[(i + c->turn) % c->n_workers\];/struct worker *w = c->workers[0];/
