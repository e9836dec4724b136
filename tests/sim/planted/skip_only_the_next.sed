# scheduler/graph.c: what is skipped does not skip what waits for it
s/    bool ended = task_state_ended(to);/    bool ended = task_state_ended(to) \&\& to != TASK_UNMET;/
