# scheduler/lease.c: lease ids begin anew after a restart
s/lease_make(c->cfg.epoch, c->next_sequence++)/lease_make(1, c->next_sequence++)/
