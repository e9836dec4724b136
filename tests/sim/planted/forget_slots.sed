# scheduler/room.c: a lease that ended keeps its slot
s/^    w->cores_used -= n->cores;/    w->cores_used -= 0;/
