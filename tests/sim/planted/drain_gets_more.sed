# scheduler/worker_events.c: a worker that a person drains is given more
s/    w->leaving = w->asked_to_leave = true;/    w->asked_to_leave = true;/
