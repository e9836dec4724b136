# scheduler/follow.c: calls that follow one to a worker are lost with it
s/^        array_move(c, a, w->wanted\[i\], TASK_READY);/        (void)0;/
