#ifndef GRANGE_TESTS_FUZZ_H
#define GRANGE_TESTS_FUZZ_H
/* fuzz - what a fuzz target offers, to libFuzzer or to replay.c, which runs the committed corpus
 * through it in the normal test run and writes its seeds. */

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
/* fuzz_seeds - hands over valid inputs, each with a name that fits a file. May do nothing. */
void fuzz_seeds(void (*write)(void *arg, const char *name, const void *data, size_t n), void *arg);

#endif
