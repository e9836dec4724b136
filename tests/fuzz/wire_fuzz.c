/* wire_fuzz - whatever bytes a peer sends: decoding them must not crash, and what is accepted must
 * encode to something that is accepted again and encodes the same.
 *
 * Seeds: `fuzz_wire --seeds DIR` writes one file for each of tests/unit/wire_samples.c. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/wire_samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct message m, again;
    struct fault f;
    struct buf first = { 0 }, second = { 0 };

    if (wire_decode(data, n, &m, &f) != ERR_NONE)
        return 0;
    wire_encode(&m, &first);
    must(wire_decode(first.data, first.n, &again, &f) == ERR_NONE);
    wire_encode(&again, &second);
    must(first.n == second.n && (first.n == 0 || memcmp(first.data, second.data, first.n) == 0));
    message_fini(&m);
    message_fini(&again);
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}

void fuzz_seeds(void (*write)(void *arg, const char *name, const void *data, size_t n), void *arg)
{
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct message m;
        struct buf b = { 0 };
        const char *name = wire_sample(i, &m);
        wire_encode(&m, &b);
        write(arg, name, b.data, b.n);
        buf_fini(&b);
    }
}
