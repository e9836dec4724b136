# scheduler/follow.c: after a restart nobody knows where what others follow has run
s/^        a->graph->ran_on\[w->index\] = worker;/        a->graph->ran_on[w->index] = 0 * worker;/
