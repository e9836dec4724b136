# scheduler/array.c: a task that became ready again is not queued
s/if (to == TASK_READY && position_of(a, index) < a->cursor)/if (false)/
