# scheduler/client_events.c: a restart forgets how many failures a halt rule has counted
s/^    a->new_failed = ev->new_failed;/    a->new_failed = 0;/
