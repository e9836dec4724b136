# scheduler/worker_events.c: a lease that is not adopted is not revoked
s/} else if (out->n_sends == acked) {/} else if (false) {/
