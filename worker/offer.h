#ifndef GRANGE_WORKER_OFFER_H
#define GRANGE_WORKER_OFFER_H
/* offer - what a worker says that it has besides slots and memory: labels and named resources, as
 * words of its command line. */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/rows.h"

struct offer {
    struct buf text;                /* the labels, with a zero byte behind each */
    const char *labels[LABELS_MAX]; /* point into text */
    size_t n_labels;
    struct resource resources[RESOURCES_MAX];
    size_t n_resources;
};

/* offer_parse - from "big,arch=arm" and "gpus=2,disk=100"; NULL: none. ERR_USAGE says what is wrong
 * with which of them. offer_fini is the caller's either way. */
enum err offer_parse(struct offer *o, const char *labels, const char *resources, struct fault *f);
void offer_fini(struct offer *o);

#endif
