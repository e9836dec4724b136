# scheduler/graph.c: a task is released when one of those it waits for has not ended
s/    return w->hits ? TASK_UNMET : w->open ? TASK_BLOCKED : TASK_READY;/    return w->hits ? TASK_UNMET : w->open > 1 ? TASK_BLOCKED : TASK_READY;/
