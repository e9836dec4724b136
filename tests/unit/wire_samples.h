#ifndef GRANGE_TESTS_WIRE_SAMPLES_H
#define GRANGE_TESTS_WIRE_SAMPLES_H
/* wire_samples - valid messages: every kind, every field, and the borders of each. The unit tests
 * take them apart, the fuzzer starts from them. */

#include "proto/message.h"

size_t wire_sample_count(void);
/* wire_sample - what it shows, as a name for a file. *m borrows static memory. */
const char *wire_sample(size_t i, struct message *m);
/* Those of wire_samples_farm.c, which the two above include. */
size_t wire_farm_sample_count(void);
const char *wire_farm_sample(size_t i, struct message *m);

#endif
