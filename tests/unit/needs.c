/* needs: what tasks ask for and workers have. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/needs.h"

Test(needs, words_are_checked)
{
    struct resource r;

    cr_assert(label_valid("arch=arm") && label_valid("fn:fft") && label_valid("a"));
    cr_assert_not(label_valid(""));
    cr_assert_not(label_valid("a b"));
    cr_assert_not(label_valid("a,b"));
    char text[LABEL_BYTES_MAX + 2];
    memset(text, 'x', sizeof text);
    text[LABEL_BYTES_MAX + 1] = '\0';
    cr_assert_not(label_valid(text));
    text[LABEL_BYTES_MAX] = '\0';
    cr_assert(label_valid(text));
    cr_assert(resource_parse("gpus=2", &r) && r.amount == 2 && strcmp(r.name, "gpus") == 0);
    cr_assert(resource_parse("gpus", &r) && r.amount == 1);
    cr_assert_not(resource_parse("gpus=0", &r));
    cr_assert_not(resource_parse("gpus=2x", &r));
    cr_assert_not(resource_parse("gpus=-1", &r));
    cr_assert_not(resource_parse("=2", &r));
    cr_assert_not(resource_parse("g u=2", &r));
    cr_assert_not(resource_parse("gpus=4294967296", &r));
}

Test(needs, equal_needs_are_equal_in_whatever_order_they_were_said)
{
    struct needs a = { .cores = 2 }, b = { .cores = 2 };

    cr_assert(needs_add_label(&a, "x") && needs_add_label(&a, "b=1") && needs_add_label(&a, "x"));
    cr_assert(needs_add_label(&b, "b=1") && needs_add_label(&b, "x"));
    cr_assert(needs_add_resource(&a, "gpus", 1) && needs_add_resource(&a, "disk", 5));
    cr_assert(needs_add_resource(&b, "disk", 4) && needs_add_resource(&b, "gpus", 1));
    cr_assert_not(needs_equal(&a, &b));
    cr_assert(needs_add_resource(&b, "disk", 5));
    cr_assert(needs_equal(&a, &b));
    cr_assert_eq(needs_hash(&a), needs_hash(&b));
    cr_assert_eq(a.n_labels, 2);
    b.least_ms = 1;
    cr_assert_not(needs_equal(&a, &b));
    cr_assert_neq(needs_hash(&a), needs_hash(&b));
}

Test(needs, there_are_limits)
{
    struct needs n = { .cores = 1 };
    char name[8];

    for (int i = 0; i < RESOURCES_MAX; i++) {
        snprintf(name, sizeof name, "r%d", i);
        cr_assert(needs_add_resource(&n, name, 1));
        cr_assert(needs_add_label(&n, name));
    }
    cr_assert_not(needs_add_resource(&n, "more", 1));
    cr_assert_not(needs_add_label(&n, "more"));
    cr_assert(needs_add_resource(&n, "r3", 2));
    cr_assert(needs_add_label(&n, "r3"));
}

Test(needs, what_a_worker_lacks_is_said)
{
    struct worker_row w = { .slots = 4, .memory_mib = 1024 };
    struct needs n = { .cores = 4, .memory_mib = 512 };
    struct buf labels = { 0 }, text = { 0 };

    cr_assert(needs_fit(&n, &w));
    needs_lack(&n, &w, &text);
    cr_assert_str_eq(buf_text(&text), "");
    cr_assert(needs_add_resource(&n, "gpus", 2));
    needs_lack(&n, &w, &text);
    cr_assert_str_eq(text.data, "needs gpus=2, has none");
    cr_assert(worker_add_resource(&w, "gpus", 1));
    buf_clear(&text);
    needs_lack(&n, &w, &text);
    cr_assert_str_eq(text.data, "needs gpus=2, has 1");
    w.resources[0].amount = 2;
    cr_assert(needs_fit(&n, &w));
    cr_assert(needs_add_label(&n, "big"));
    cr_assert(labels_add(&labels, "bigger") && labels_add(&labels, "fn:big"));
    w.labels = labels.data;
    buf_clear(&text);
    needs_lack(&n, &w, &text);
    cr_assert_str_eq(text.data, "needs label big");
    cr_assert(labels_add(&labels, "big"));
    w.labels = labels.data;
    cr_assert(needs_fit(&n, &w));
    n.memory_mib = 2048;
    buf_clear(&text);
    needs_lack(&n, &w, &text);
    cr_assert_str_eq(text.data, "needs memory=2048M, has 1024M");
    n.least_ms = 600000;
    buf_clear(&text);
    needs_text(&n, &text);
    cr_assert_str_eq(text.data, "cores=4 memory=2048M gpus=2 big least=600s");
    buf_fini(&labels);
    buf_fini(&text);
}

Test(needs, a_label_of_a_worker_is_kept_once)
{
    struct buf labels = { 0 };

    cr_assert(labels_add(&labels, "a") && labels_add(&labels, "ab") && labels_add(&labels, "a"));
    cr_assert_str_eq(labels.data, "a\nab");
    cr_assert_not(labels_add(&labels, "a\nb"));
    cr_assert(labels_have(labels.data, "ab") && !labels_have(labels.data, "b"));
    cr_assert_not(labels_have(NULL, "a"));
    buf_fini(&labels);
}
