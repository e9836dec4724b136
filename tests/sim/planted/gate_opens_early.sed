# scheduler/graph_arrays.c: an array starts before all of the one that it waits for has ended
s/^    return sum & SUM_ENDED ? OUTCOME_GOOD : OUTCOME_PENDING;/    return sum ? OUTCOME_GOOD : OUTCOME_PENDING;/
