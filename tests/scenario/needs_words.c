/* needs_words - what tasks ask for and workers have, and the words that steer a farm, in scenarios:
 *
 *   submit ... [cores=1 memory=MIB resources=gpus:1,disk:2 require=big,arch=arm least=MS priority=0
 * weight=1 running-max=0 backoff=MIN..MAX speculate]   hello W ... [labels=big,arch=arm
 * resources=gpus:2 ends=AT]   drain C #1 [grace=MS]   leaving W   release C   priority C n=5
 *   share C [weight=2] [running-max=3] */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/needs.h"
#include "tests/scenario/core_script.h"

/* The next part of "a,b,c". */
static bool take_part(const char **text, char part[128])
{
    if (!*text || !**text)
        return false;
    size_t n = strcspn(*text, ",");
    must(n < 128);
    memcpy(part, *text, n);
    part[n] = '\0';
    *text += n + ((*text)[n] == ',');
    return true;
}

static uint32_t take_amount(struct words *w, char *part)
{
    char *colon = strchr(part, ':');

    if (!colon)
        words_wrong(w, "resources are NAME:AMOUNT,..", part);
    *colon = '\0';
    return (uint32_t)strtoul(colon + 1, NULL, 10);
}

void needs_words(struct words *w, struct needs *n)
{
    const char *resources = words_value(w, "resources"), *labels = words_value(w, "require");
    char part[128];

    n->cores = (uint32_t)words_number(w, "cores", n->cores ? n->cores : 1);
    n->memory_mib = (uint32_t)words_number(w, "memory", n->memory_mib);
    n->least_ms = words_number(w, "least", n->least_ms);
    while (take_part(&resources, part)) {
        uint32_t amount = take_amount(w, part);
        must(needs_add_resource(n, part, amount));
    }
    while (take_part(&labels, part))
        must(needs_add_label(n, part));
}

void share_words(struct words *w, struct policy *p)
{
    const char *backoff = words_value(w, "backoff");
    long long least, most;

    p->priority = (int32_t)words_number(w, "priority", p->priority);
    p->weight = (uint32_t)words_number(w, "weight", p->weight);
    p->running_max = (uint32_t)words_number(w, "running-max", p->running_max);
    p->speculate |= words_flag(w, "speculate");
    if (backoff && sscanf(backoff, "%lld..%lld", &least, &most) != 2)
        words_wrong(w, "backoff is MIN..MAX in ms", backoff);
    if (backoff) {
        p->backoff_min_ms = least;
        p->backoff_max_ms = most;
    }
}

void offer_words(struct words *w, struct scripted *s)
{
    const char *resources = words_value(w, "resources"), *labels = words_value(w, "labels");
    char part[128];

    s->worker.end_ms = words_number(w, "ends", 0);
    while (take_part(&resources, part)) {
        uint32_t amount = take_amount(w, part);
        must(worker_add_resource(&s->worker, part, amount));
    }
    buf_clear(&s->labels);
    while (take_part(&labels, part))
        must(labels_add(&s->labels, part));
    s->worker.labels = buf_text(&s->labels);
}

void steer_words(struct words *w, struct scripted *s)
{
    s->ev.study.n = (uint32_t)words_number(w, "study", 1);
    s->ev.number = (int32_t)words_number(w, "n", 0);
    s->ev.weight = (uint32_t)words_number(w, "weight", 0);
    s->ev.running_max = (uint32_t)words_number(w, "running-max", 0);
    if (s->ev.kind != EV_DRAIN)
        return;
    s->ev.worker_id.n = (uint32_t)words_id(w, words_need(w, "a worker"), '#');
    s->ev.grace_ms = words_number(w, "grace", MS_NEVER);
}
