# scheduler/dispatch.c: a worker gets a hundred times the work at hand that it should
s/window_us = (uint64_t)c->cfg.prefetch_ms \* 1000;/window_us = (uint64_t)c->cfg.prefetch_ms * 100000;/
