# scheduler/array.c: that failures count anew is not written down
s/    if (a->row.policy.halt_when != HALT_NEVER \&\& (a->new_ended || unknown))/    if (a->row.policy.halt_when != HALT_NEVER \&\& unknown)/
