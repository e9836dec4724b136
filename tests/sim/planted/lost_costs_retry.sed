# scheduler/result.c: a lost worker costs a retry
s/    t->losses++;/    t->losses++, t->failures++;/
