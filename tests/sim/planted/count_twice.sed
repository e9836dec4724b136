# scheduler/worker_events.c: a lease whose result has counted is adopted again when its ack was lost
s/if (t && h->lease.n <= t->last.n)/if (false)/
