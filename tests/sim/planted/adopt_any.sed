# scheduler/worker_events.c: a lease is adopted though another worker has the task
s/    if (state != TASK_READY && state != TASK_WAITING && state != TASK_BLOCKED) {/    if (task_state_ended(state)) {/
