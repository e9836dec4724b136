# scheduler/worker_events.c: long leases are not written
s/if (elapsed_ms >= DURABLE_LEASE_MS)/if (elapsed_ms < 0)/
