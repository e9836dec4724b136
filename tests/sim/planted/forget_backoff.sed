# scheduler/result.c: a task that waits for its backoff waits for ever
s/    heap_push(&c->delayed, at, l->task.n);/    (void)at;/
