# scheduler/room.c: one worker gets all the work
s/    if (!kept_for_another(a, w) && room_fits(c, a->shape, w))/    if (w == c->workers[0] \&\& room_fits(c, a->shape, w))/
