#include "base/needs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static bool made_of(const char *text, size_t max, const char *others)
{
    size_t n = 0;

    for (; text[n]; n++) {
        char c = text[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (n >= max || (!plain && !strchr(others, c)))
            return false;
    }
    return n > 0;
}

bool label_valid(const char *text)
{
    return made_of(text, LABEL_BYTES_MAX, "_.:/+@=-");
}

bool resource_name_valid(const char *text)
{
    return made_of(text, RESOURCE_NAME_MAX, "_-");
}

bool resource_parse(const char *text, struct resource *r)
{
    size_t n = strcspn(text, "=");
    char *end = NULL;

    if (n > RESOURCE_NAME_MAX)
        return false;
    *r = (struct resource){ .amount = 1 };
    memcpy(r->name, text, n);
    if (text[n]) {
        const char *digits = text + n + 1;
        unsigned long amount = *digits >= '0' && *digits <= '9' ? strtoul(digits, &end, 10) : 0;
        if (!amount || *end || amount > UINT32_MAX)
            return false;
        r->amount = (uint32_t)amount;
    }
    return resource_name_valid(r->name);
}

static bool add_resource(struct resource *r, uint32_t *n, const char *name, uint32_t amount)
{
    uint32_t at = 0;

    if (!resource_name_valid(name) || !amount)
        return false;
    while (at < *n && strcmp(r[at].name, name) < 0)
        at++;
    if (at == *n || strcmp(r[at].name, name) != 0) {
        if (*n == RESOURCES_MAX)
            return false;
        memmove(&r[at + 1], &r[at], (*n - at) * sizeof *r);
        r[at] = (struct resource){ 0 };
        memcpy(r[at].name, name, strlen(name));
        ++*n;
    }
    r[at].amount = amount;
    return true;
}

bool needs_add_resource(struct needs *n, const char *name, uint32_t amount)
{
    return add_resource(n->resources, &n->n_resources, name, amount);
}

bool worker_add_resource(struct worker_row *w, const char *name, uint32_t amount)
{
    return add_resource(w->resources, &w->n_resources, name, amount);
}

bool needs_add_label(struct needs *n, const char *label)
{
    uint32_t at = 0;

    if (!label_valid(label))
        return false;
    while (at < n->n_labels && strcmp(n->labels[at], label) < 0)
        at++;
    if (at < n->n_labels && strcmp(n->labels[at], label) == 0)
        return true;
    if (n->n_labels == NEEDS_LABELS_MAX)
        return false;
    memmove(n->labels[at + 1], n->labels[at], (n->n_labels - at) * sizeof n->labels[0]);
    memset(n->labels[at], 0, sizeof n->labels[at]);
    memcpy(n->labels[at], label, strlen(label));
    n->n_labels++;
    return true;
}

bool labels_add(struct buf *labels, const char *label)
{
    size_t n = 1;

    if (!label_valid(label))
        return false;
    if (labels_have(labels->data, label))
        return true;
    for (size_t i = 0; i < labels->n; i++)
        n += labels->data[i] == '\n';
    if (labels->n && n >= 2 * LABELS_MAX) /* labels and functions */
        return false;
    buf_addf(labels, "%s%s", labels->n ? "\n" : "", label);
    return true;
}

void needs_places(const struct needs *n, const struct resource *have, size_t n_have,
                  uint32_t take[RESOURCES_MAX])
{
    memset(take, 0, RESOURCES_MAX * sizeof *take);
    for (size_t i = 0; i < n_have && i < RESOURCES_MAX; i++)
        for (uint32_t k = 0; k < n->n_resources; k++)
            if (strcmp(n->resources[k].name, have[i].name) == 0)
                take[i] = n->resources[k].amount;
}

bool needs_equal(const struct needs *a, const struct needs *b)
{
    return a->cores == b->cores && a->memory_mib == b->memory_mib && a->least_ms == b->least_ms &&
           a->n_resources == b->n_resources && a->n_labels == b->n_labels &&
           memcmp(a->resources, b->resources, a->n_resources * sizeof a->resources[0]) == 0 &&
           memcmp(a->labels, b->labels, a->n_labels * sizeof a->labels[0]) == 0;
}

uint64_t needs_hash(const struct needs *n)
{
    uint64_t head[5] = { n->cores, n->memory_mib, n->n_resources, n->n_labels,
                         (uint64_t)n->least_ms };
    uint64_t h = hash64(head, sizeof head, 0);

    h = hash64(n->resources, n->n_resources * sizeof n->resources[0], h);
    return hash64(n->labels, n->n_labels * sizeof n->labels[0], h);
}

uint32_t worker_resource(const struct worker_row *w, const char *name)
{
    for (uint32_t i = 0; i < w->n_resources; i++)
        if (strcmp(w->resources[i].name, name) == 0)
            return w->resources[i].amount;
    return 0;
}

bool labels_have(const char *labels, const char *label)
{
    size_t n = strlen(label);

    for (const char *at = labels ? labels : ""; *at;) {
        size_t len = strcspn(at, "\n");
        if (len == n && memcmp(at, label, n) == 0)
            return true;
        at += len + (at[len] == '\n');
    }
    return false;
}

/* The first thing that is missing: a number of a resource, or a label. */
struct lack {
    const char *what;
    uint64_t need, have;
};

static bool find_lack(const struct needs *n, const struct worker_row *w, struct lack *lack)
{
    if (n->cores > w->slots) {
        *lack = (struct lack){ "cores", n->cores, w->slots };
        return true;
    }
    if (n->memory_mib > w->memory_mib) {
        *lack = (struct lack){ "memory", n->memory_mib, w->memory_mib };
        return true;
    }
    for (uint32_t i = 0; i < n->n_resources; i++) {
        uint32_t have = worker_resource(w, n->resources[i].name);
        if (n->resources[i].amount <= have)
            continue;
        *lack = (struct lack){ n->resources[i].name, n->resources[i].amount, have };
        return true;
    }
    for (uint32_t i = 0; i < n->n_labels; i++) {
        if (labels_have(w->labels, n->labels[i]))
            continue;
        *lack = (struct lack){ .what = n->labels[i] };
        return true;
    }
    return false;
}

bool needs_fit(const struct needs *n, const struct worker_row *w)
{
    struct lack lack;

    return !find_lack(n, w, &lack);
}

void needs_lack(const struct needs *n, const struct worker_row *w, struct buf *out)
{
    struct lack l;

    if (!find_lack(n, w, &l))
        return;
    if (!l.need)
        buf_addf(out, "needs label %s", l.what);
    else if (strcmp(l.what, "memory") == 0)
        buf_addf(out, "needs memory=%" PRIu64 "M, has %" PRIu64 "M", l.need, l.have);
    else if (!l.have)
        buf_addf(out, "needs %s=%" PRIu64 ", has none", l.what, l.need);
    else
        buf_addf(out, "needs %s=%" PRIu64 ", has %" PRIu64, l.what, l.need, l.have);
}

void needs_text(const struct needs *n, struct buf *out)
{
    size_t start = out->n;

    if (n->cores > 1)
        buf_addf(out, " cores=%u", n->cores);
    if (n->memory_mib)
        buf_addf(out, " memory=%uM", n->memory_mib);
    for (uint32_t i = 0; i < n->n_resources; i++)
        buf_addf(out, " %s=%u", n->resources[i].name, n->resources[i].amount);
    for (uint32_t i = 0; i < n->n_labels; i++)
        buf_addf(out, " %s", n->labels[i]);
    if (n->least_ms)
        buf_addf(out, " least=%" PRId64 "s", n->least_ms / 1000);
    if (out->n > start) { /* without the first space */
        memmove(out->data + start, out->data + start + 1, out->n - start);
        out->n--;
    }
}
