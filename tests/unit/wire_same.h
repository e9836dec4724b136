#ifndef GRANGE_TESTS_WIRE_SAME_H
#define GRANGE_TESTS_WIRE_SAME_H
/* wire_same - asserts that two messages are equal, field by field: encoding both and comparing
 * bytes would miss a forgotten field. */

#include "base/buf.h"
#include "proto/message.h"

/* wire_decoded - that all of it is a message; which is the caller's to message_fini. */
struct message wire_decoded(const struct buf *b);
void wire_same(const struct message *a, const struct message *b);
void wire_same_farm(const struct message *a, const struct message *b); /* MSG_DIRECT and later */

#endif
