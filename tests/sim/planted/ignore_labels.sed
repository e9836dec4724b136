# scheduler/room.c: a task starts where its labels are not
s/        if (!labels_have(w->row.labels, n->labels\[i\]))/        if (false)/
