# scheduler/lease.c: a lease that ended keeps its slot
s/^    w->cores_used -= l->cores;/    w->cores_used -= 0;/
