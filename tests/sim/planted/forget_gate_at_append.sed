# scheduler/graph.c: what is appended to an array that can never run is not skipped
s/a->graph->gate_bad && i < ev->at + ev->n; i++)/false; i++)/
