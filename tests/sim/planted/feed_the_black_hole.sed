# scheduler/result.c: a worker that fails what others do well is given more
s/^    w->quarantined = true;/    w->quarantined = false;/
