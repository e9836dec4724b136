/* base: buffers, heap, generator, permutations, median, packing. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/median.h"
#include "base/rng.h"
#include "base/rows.h"
#include "base/zip.h"

Test(buf, stays_a_string_while_it_grows)
{
    struct buf b = { 0 };

    cr_assert_str_eq(buf_text(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "%d,", i);
    cr_assert_eq(strlen(b.data), b.n);
    cr_assert(strncmp(b.data, "0,1,2,", 6) == 0);
    buf_clear(&b);
    cr_assert_str_eq(buf_text(&b), "");
    buf_fini(&b);
}

Test(buf, quotes_for_json_and_for_sh)
{
    struct buf b = { 0 };

    buf_add_json(&b, "a\"b\\c\n\x01", 7);
    cr_assert_str_eq(b.data, "\"a\\\"b\\\\c\\n\\u0001\"");
    buf_clear(&b);
    buf_add_sh(&b, "plain-1.5e-3");
    buf_addc(&b, ' ');
    buf_add_sh(&b, "it's");
    buf_addc(&b, ' ');
    buf_add_sh(&b, "");
    cr_assert_str_eq(b.data, "plain-1.5e-3 'it'\\''s' ''");
    buf_fini(&b);
}

Test(heap, equal_times_leave_in_the_order_they_came)
{
    struct heap h;
    struct heap_entry e;

    heap_init(&h);
    for (uint64_t i = 0; i < 500; i++)
        heap_push(&h, (ms_t)(i * 7919 % 10), i);
    ms_t last = -1;
    uint64_t sequence = 0;
    for (int i = 0; i < 500; i++) {
        cr_assert(heap_pop(&h, &e));
        cr_assert(e.at > last || (e.at == last && e.sequence > sequence));
        last = e.at;
        sequence = e.sequence;
    }
    cr_assert_not(heap_pop(&h, &e));
    heap_fini(&h);
}

Test(perm, visits_each_value_once_and_is_inverted)
{
    static const uint64_t sizes[] = { 1, 2, 3, 4, 5, 17, 1000, 4096, 4097 };
    static unsigned char seen[5000];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < sizes[s]; i++) {
            uint64_t v = perm_at(i, sizes[s], 42);
            cr_assert(v < sizes[s] && !seen[v]);
            seen[v] = 1;
            cr_assert_eq(perm_inverse(v, sizes[s], 42), i);
        }
    }
}

Test(perm, differs_from_key_to_key_and_from_the_identity)
{
    int same = 0, fixed = 0;

    for (uint64_t i = 0; i < 1000; i++) {
        same += perm_at(i, 1000, 1) == perm_at(i, 1000, 2);
        fixed += perm_at(i, 1000, 1) == i;
    }
    cr_assert(same < 20 && fixed < 20);
}

Test(median, is_within_two_percent)
{
    struct median m = { 0 };

    cr_assert_eq(median_us(&m), 0);
    for (uint64_t us = 1; us <= 100001; us++)
        median_add(&m, us);
    cr_assert(median_us(&m) > 49000 && median_us(&m) < 51000);
    median_add(&m, UINT64_MAX);
    median_add(&m, 0);
    cr_assert_eq(m.n, 100003);
}

Test(zip, gives_back_what_it_packed_and_refuses_what_is_damaged)
{
    struct buf text = { 0 }, packed = { 0 }, out = { 0 };

    for (int i = 0; i < 200; i++)
        buf_adds(&text, "step 17 energy -1.25\n");
    cr_assert(zip_pack(text.data, text.n, &packed));
    cr_assert(packed.n < text.n / 4);
    cr_assert_not(zip_unpack(packed.data, packed.n, text.n - 1, &out));
    cr_assert(zip_unpack(packed.data, packed.n, text.n, &out));
    cr_assert_eq(out.n, text.n);
    cr_assert_eq(memcmp(out.data, text.data, text.n), 0);
    buf_clear(&out);
    packed.data[packed.n / 2] ^= 0x55;
    cr_assert_not(zip_unpack(packed.data, packed.n / 2, text.n, &out));
    cr_assert_eq(out.n, 0);
    cr_assert_not(zip_pack("short", 5, &out));
    buf_fini(&text);
    buf_fini(&packed);
    buf_fini(&out);
}

Test(names, exist_for_every_number_and_none_beyond)
{
    for (int s = 0; s < N_TASK_STATES; s++)
        cr_assert_str_neq(task_state_name((enum task_state)s), "?");
    for (int r = 0; r < N_END_REASONS; r++)
        cr_assert_str_neq(end_reason_name((enum end_reason)r), "?");
    cr_assert_str_eq(task_state_name(N_TASK_STATES), "?");
    cr_assert_str_eq(err_text(0), "success");
    cr_assert_str_eq(err_text(999), "unknown error");
}
