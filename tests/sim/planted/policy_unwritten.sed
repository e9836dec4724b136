# scheduler/steer.c: a priority that is changed is not written
s/    return was.priority != p->priority ||/    return/
