#ifndef GRANGE_TESTS_CLIENT_FAKE_INNER_H
#define GRANGE_TESTS_CLIENT_FAKE_INNER_H
/* What the files of client_fake.h share: connections and studies in client_fake.c, arrays of calls
 * and blobs in client_fake_calls.c. */
#include "client_fake.h"

void fake_answer(struct fake *s, peer_id to, const struct message *m);
void fake_refuse(struct fake *s, peer_id to, uint64_t request, enum err code, const char *text);
void fake_reply(struct fake *s, peer_id to, uint64_t request, uint64_t n);

bool fake_calls(struct fake *s, peer_id from,
                const struct message *asked);  /* false: not of calls */
struct fake_array *fake_sweep(struct fake *s); /* of FAKE_POINTS, which have ended */
uint64_t fake_first(const struct fake_array *a);
void fake_end_held(struct fake *s);
void fake_say_held(struct fake *s);

#endif
