# scheduler/room.c: a resource that is in use is given out again
s/w->used\[at\] + n->resources\[i\].amount > /n->resources[i].amount > /
