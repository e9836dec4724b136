# scheduler/live.c: a restart takes a study that a halt rule stopped for one on hold
s/^    ch->halted = halted;/    ch->halted = false;/
