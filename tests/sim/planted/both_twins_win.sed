# scheduler/speculate.c: the attempt that was beaten goes on as if it were the task's
s/    other->orphan = true;/    other->orphan = false;/
