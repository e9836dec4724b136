# scheduler/graph.c: what was skipped stays so when its reason is run again
s/    if (state != TASK_READY && state != TASK_BLOCKED && state != TASK_UNMET)/    if (state != TASK_READY \&\& state != TASK_BLOCKED)/
