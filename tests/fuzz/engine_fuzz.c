/* engine_fuzz - whatever bytes an engine writes to its pipe and into the page: the worker takes
 * frames or finds it broken, and never looks beyond what is there. The first byte says how many of
 * the others go into the page; calls are expected from number 1 on, or
 * none is.
 *
 * Seeds: `fuzz_engine --seeds DIR`. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/fuzz/fuzz.h"
#include "worker/engine.h"

enum { FRAMES_MAX_HERE = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct engine e;
    struct engine_frame f;
    uint64_t expected = n % 2, sum = 0;

    if (n == 0)
        return 0;
    size_t in_page = data[0] < n ? data[0] : n - 1;
    engine_init(&e, 0);
    e.page = page_make(&e.page_fd);
    must(e.page != NULL);
    page_put(e.page, data + 1, in_page, NULL, 0);
    if (in_page > 8 && data[1] == 0xff) /* it wrote where it should not */
        memcpy((char *)e.page + 64, data + 2, 7);
    buf_add(&e.from, data + 1 + in_page, n - 1 - in_page);
    for (int i = 0; i < FRAMES_MAX_HERE && engine_next(&e, expected, &f); i++) {
        for (size_t k = 0; k < f.bytes; k++)
            sum += (unsigned char)f.body[k];
        must(f.kind != FRAME_RESULT || (expected && f.call == expected));
        expected += f.kind == FRAME_RESULT;
        if (f.kind == FRAME_HELLO)
            must(e.hello && engine_function(&e, "") == -1 && engine_function(&e, "echo") >= -1);
    }
    must(sum < UINT64_MAX);
    buf_fini(&e.functions);
    engine_end(&e);
    return 0;
}

static void add(struct buf *b, enum frame_kind kind, uint64_t call, const void *head,
                size_t head_bytes, const char *text, size_t n)
{
    struct frame f = { (uint32_t)(head_bytes + n), (uint16_t)kind, 0, call };

    buf_add(b, &f, sizeof f);
    buf_add(b, head, head_bytes);
    buf_add(b, text, n);
}

void fuzz_seeds(void (*write)(void *arg, const char *name, const void *data, size_t n), void *arg)
{
    struct hello_body hello = { ENGINE_VERSION, HELLO_PAGE };
    struct result_body result = { 0 };
    double half = 0.5;
    struct buf b = { 0 };

    buf_addc(&b, 0);
    add(&b, FRAME_HELLO, 0, &hello, sizeof hello, "seed\0echo\0noop", 15);
    write(arg, "hello", b.data, b.n);
    add(&b, FRAME_LOG, 1, "", 0, "text\n", 5);
    add(&b, FRAME_PROGRESS, 1, &half, sizeof half, "", 0);
    add(&b, FRAME_RESULT, 1, &result, sizeof result, "bytes", 5);
    add(&b, FRAME_NOTIFY, 0, "", 0, "", 0);
    result.code = 7;
    add(&b, FRAME_RESULT, 2, &result, sizeof result, "why", 3);
    write(arg, "session", b.data, b.n);
    b.data[0] = 15 + 8 + 16; /* the hello is in the page */
    write(arg, "page", b.data, b.n);
    buf_fini(&b);
}
