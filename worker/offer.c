#include "worker/offer.h"

#include <stdio.h>
#include <string.h>

#include "base/needs.h"

/* The next part of a text with commas; false at the end. */
static bool take_part(const char **text, struct buf *part)
{
    if (!*text || !**text)
        return false;
    size_t n = strcspn(*text, ",");
    buf_clear(part);
    buf_add(part, *text, n);
    *text += n + ((*text)[n] == ',');
    return true;
}

static enum err parse_labels(struct offer *o, const char *text, struct buf *part, struct fault *f)
{
    size_t at[LABELS_MAX];

    while (take_part(&text, part)) {
        if (!label_valid(buf_text(part)))
            return fault_set(f, ERR_USAGE,
                             "label '%.60s' should be letters, digits and _ . : / + @ = -, at most "
                             "%d, for example arch=arm",
                             buf_text(part), LABEL_BYTES_MAX);
        if (o->n_labels == LABELS_MAX)
            return fault_set(f, ERR_LIMIT, "a worker has at most %d labels", LABELS_MAX);
        at[o->n_labels++] = o->text.n;
        buf_add(&o->text, part->data, part->n + 1);
    }
    for (size_t i = 0; i < o->n_labels; i++)
        o->labels[i] = o->text.data + at[i];
    return ERR_NONE;
}

static enum err parse_resources(struct offer *o, const char *text, struct buf *part,
                                struct fault *f)
{
    struct worker_row row = { 0 };
    struct resource r;

    while (take_part(&text, part)) {
        if (!resource_parse(buf_text(part), &r))
            return fault_set(f, ERR_USAGE,
                             "resource '%.60s' should be NAME=NUMBER, for example gpus=2",
                             buf_text(part));
        if (!worker_add_resource(&row, r.name, r.amount))
            return fault_set(f, ERR_LIMIT, "a worker has at most %d resources", RESOURCES_MAX);
    }
    memcpy(o->resources, row.resources, sizeof o->resources);
    o->n_resources = row.n_resources;
    return ERR_NONE;
}

enum err offer_parse(struct offer *o, const char *labels, const char *resources, struct fault *f)
{
    struct buf part = { 0 };

    *o = (struct offer){ 0 };
    enum err err = parse_labels(o, labels, &part, f);
    if (!err)
        err = parse_resources(o, resources, &part, f);
    buf_fini(&part);
    return err;
}

void offer_fini(struct offer *o)
{
    buf_fini(&o->text);
}
