/* wire: what is damaged, or made to do harm, is refused and says why. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "proto/wire.h"
#include "tests/unit/wire_same.h"
#include "tests/unit/wire_samples.h"

TestSuite(wire_damage, .timeout = 300);

/* What is said of messages that are damaged so that they are still messages. */
static const char *const damage[] = {
    "not a message of grange",
    " rules for ",
    "a column of ",
    "columns of another number of ends",
    "a resource without a name",
    "a study to resume without a name",
    " with a zero byte",
    "; it is 0 to 1",
    "a study in state ",
    "a study without a name",
    "payloads without their sizes",
    " payloads for ",
    "a lease without its task",
    "a lease in state ",
    "an engine in state ",
    "an engine of no worker",
    "a worker in state ",
    "ends without their columns",
    "leases without their ends",
    "a direct call of kind ",
    "a message of a kind that this version does not know",
    "more of an end that is not there",
};
enum { N_DAMAGE = sizeof damage / sizeof *damage };
static bool said[N_DAMAGE];

static void note_said(const char *text)
{
    for (size_t i = 0; i < N_DAMAGE; i++)
        said[i] = said[i] || strstr(text, damage[i]);
}

/* survives - decoding must not crash; what it accepts must be encodable and mean the same again.
 * The bytes are in memory of exactly that size, so that a sanitizer sees a read beyond. */
static bool survives(const char *data, size_t n)
{
    char *copy = malloc(n ? n : 1);
    struct message m;
    struct fault f = { .code = ERR_NONE };

    memcpy(copy, data, n);
    enum err err = wire_decode(copy, n, &m, &f);
    free(copy);
    cr_assert(err == ERR_NONE || ((err == ERR_MALFORMED || err == ERR_LIMIT) && f.text[0]));
    if (err) {
        note_said(f.text);
        cr_assert_eq(m.arena, NULL);
        return false;
    }
    struct buf b = { 0 };
    wire_encode(&m, &b);
    struct message again = wire_decoded(&b);
    wire_same(&m, &again);
    message_fini(&again);
    message_fini(&m);
    buf_fini(&b);
    return true;
}

Test(wire_damage, every_truncation_is_survived)
{
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct message m;
        struct buf b = { 0 };
        wire_sample(i, &m);
        wire_encode(&m, &b);
        for (size_t n = 0; n < b.n; n++)
            survives(b.data, n);
        cr_assert(survives(b.data, b.n));
        cr_assert_not(survives(b.data, 0));
        buf_fini(&b);
    }
}

Test(wire_damage, random_damage_is_survived)
{
    struct rng r = { .state = 20261121 };
    int accepted = 0, refused = 0;

    for (int i = 0; i < 400000; i++) {
        struct message m;
        struct buf b = { 0 };
        wire_sample(rng_below(&r, wire_sample_count()), &m);
        wire_encode(&m, &b);
        for (uint64_t k = 1 + rng_below(&r, 4); b.n && k > 0; k--)
            b.data[rng_below(&r, b.n)] ^= (char)(1 << rng_below(&r, 8));
        if (survives(b.data, b.n))
            accepted++;
        else
            refused++;
        buf_fini(&b);
    }
    cr_assert(accepted > 1000 && refused > 1000, "%d accepted, %d refused", accepted, refused);
    for (size_t i = 0; i < N_DAMAGE; i++)
        cr_expect(said[i], "nothing was refused with '%s'", damage[i]);
}

Test(wire_damage, what_no_encoder_writes_is_refused)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *words;
    } wrong[] = {
#define BYTES(text) text, sizeof text - 1
        /* append { request: 1, array: 1, sizes: 0, edges: one number or blobs: one number } */
        { BYTES("\xca\x01\x14\x08\x01\x10\x01\x22\x04\0\0\0\0\x3a\x08\0\0\0\0\0\0\0\0"),
          "half an edge" },
        { BYTES("\xca\x01\x14\x08\x01\x10\x01\x22\x04\0\0\0\0\x42\x08\0\0\0\0\0\0\0\0"),
          "half the name of a blob" },
        /* ends { array: 1, index: 0, columns { n: 1, results: "a" } } */
        { BYTES("\xe2\x01\x0d\x08\x01\x22\x01\0\x2a\x06\x08\x01\x82\x01\x01"
                "a"),
          "results without their sizes" },
    };
    struct message m;
    struct fault f;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(wire_decode(wrong[i].bytes, wrong[i].n, &m, &f), ERR_MALFORMED);
        cr_assert_str_eq(f.text, wrong[i].words);
    }
}

Test(wire_damage, texts_have_no_zero_byte)
{
    /* follow { request: 1, study: "a\0b" } */
    static const char bytes[] = "\x5a\x07\x08\x01\x12\x03"
                                "a\0b";
    struct message m;
    struct fault f;

    cr_assert_eq(wire_decode(bytes, sizeof bytes - 1, &m, &f), ERR_MALFORMED);
    cr_assert(strstr(f.text, "zero byte"), "%s", f.text);
}

Test(wire_damage, a_kind_that_is_not_known_is_refused)
{
    static const char bytes[] = "\xc2\x3e\x00"; /* field 1000 of the envelope */
    struct message m;
    struct fault f;

    cr_assert_eq(wire_decode(bytes, sizeof bytes - 1, &m, &f), ERR_MALFORMED);
    cr_assert(strstr(f.text, "does not know"), "%s", f.text);
}

Test(wire_damage, a_small_message_cannot_unpack_to_gigabytes)
{
    /* results { ends: {} {} {} .. }: two bytes each here, 200 in memory */
    enum { N = 16 << 20 };
    struct buf b = { 0 };
    struct message m;
    struct fault f;

    buf_add(&b, "\xaa\x01\x80\x80\x80\x10", 6); /* field 21, 32 MiB */
    buf_reserve(&b, 2 * N);
    for (int i = 0; i < N; i++) {
        b.data[b.n++] = '\x0a';
        b.data[b.n++] = '\0';
    }
    ms_t start = clock_mono_ms();
    cr_assert_neq(wire_decode(b.data, b.n, &m, &f), ERR_NONE);
    cr_assert(clock_mono_ms() - start < 20000);
    buf_fini(&b);
}

Test(wire_damage, neither_what_it_unpacks_to_nor_what_is_made_of_that_may_be_too_much)
{
    struct end_body body = { .error_line = "" };
    const char *why = "";
    struct message m;
    struct fault f;

    for (size_t n = 200000; n < 2000000 && !strstr(why, "unpacks to too much"); n += n / 8) {
        struct end_row *rows = calloc(n, sizeof *rows);
        struct buf b = { 0 };
        for (size_t i = 0; i < n; i++)
            rows[i] = (struct end_row){ { 1 + i }, .lease = { 1 }, .body = &body };
        m = (struct message){ .kind = MSG_RESULTS, .results = { rows, n } };
        wire_encode(&m, &b);
        free(rows);
        if (wire_decode(b.data, b.n, &m, &f) == ERR_NONE)
            message_fini(&m);
        else
            why = f.text;
        buf_fini(&b);
    }
    cr_assert_str_eq(why, "a message that unpacks to too much");
}
