# worker/agent.c: an agent runs more than it has slots for
/^static void start_queued/,/^}/s/if (l->cores > a->cfg.slots - a->cores_busy/if (l->cores > 2 * a->cfg.slots - a->cores_busy/
