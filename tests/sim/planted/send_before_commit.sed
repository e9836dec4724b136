# tests/sim/scheduler_actor.c: the loop sends before it commits
s/^    sc->committing = true;/    for (size_t i = 0; i < sc->out.n_sends; i++) send_one(s, \&sc->out.sends[i]);\n    sc->out.n_sends = 0, sc->committing = true;/
