# scheduler/graph.c: element by element, the end of a task is told to the next one
s/^    uint64_t index = j->task - on->row.first.n;/    uint64_t index = j->task - on->row.first.n + 1;/
