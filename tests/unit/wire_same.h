#ifndef GRANGE_TESTS_WIRE_SAME_H
#define GRANGE_TESTS_WIRE_SAME_H
/* wire_same - asserts that two messages are equal, field by field: encoding both and comparing
 * bytes would miss a forgotten field. */

#include "proto/message.h"

void wire_same(const struct message *a, const struct message *b);
void wire_same_farm(const struct message *a, const struct message *b); /* MSG_DIRECT and later */

#endif
