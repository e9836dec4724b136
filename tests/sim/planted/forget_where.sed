# scheduler/follow.c: after a restart nobody knows where what others follow has run
s/^    \*now = at;/    *now = (struct core_place){ 0, at.n };/
