# scheduler/room.c: a task starts that takes longer than its worker lives
s/    return !w->row.end_ms || c->now + s->needs.least_ms < w->row.end_ms;/    return true || (c \&\& s \&\& w);/
