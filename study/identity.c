#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "study/impl.h"

static void key_of_template(struct study *s);
static void key_of_study(struct study *s);
static void sort_factors(struct study *s);

/* All keys are hashes of bytes that say where each part ends, numbers in little-endian order: the
 * same on every machine and in every version that does not say otherwise. */
static void add_u64(struct buf *b, uint64_t v)
{
    unsigned char bytes[8];

    for (int k = 0; k < 8; k++)
        bytes[k] = (unsigned char)(v >> 8 * k);
    buf_add(b, bytes, sizeof bytes);
}

static void add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text) + 1);
}

static void add_key(struct buf *b, const uint64_t key[2])
{
    add_u64(b, key[0]);
    add_u64(b, key[1]);
}

void identity_prepare(struct study *s)
{
    struct buf b = { 0 };
    bool seeded = s->uses & TEMPLATE_USES_SEED;

    key_of_template(s);
    key_of_study(s);
    sort_factors(s);
    for (size_t j = 0; j < s->n_factors; j++)
        add_text(&b, s->factors[s->sorted[j]].name);
    s->seed_base = hash64(b.data, b.n, s->words.seed);
    add_key(&b, s->template_key);
    add_u64(&b, seeded);
    add_u64(&b, seeded ? s->words.seed : 0);
    hash128(b.data, b.n, s->identity_base);
    buf_fini(&b);
}

static void key_of_template(struct study *s)
{
    const struct words *w = &s->words;
    struct buf b = { 0 };

    if (w->function) {
        add_text(&b, "function");
        add_text(&b, w->function);
    } else {
        add_text(&b, s->shell ? "shell" : "argv");
        add_u64(&b, s->n_args);
        for (size_t k = 0; k < s->n_args; k++)
            add_text(&b, s->arg_texts[k]);
    }
    add_u64(&b, w->n_inputs);
    for (size_t k = 0; k < w->n_inputs; k++) {
        uint64_t content[2];
        hash128(s->inputs[k].data, s->inputs[k].n, content);
        add_text(&b, s->inputs[k].name);
        add_key(&b, content);
    }
    add_text(&b, w->code_version ? w->code_version : "");
    for (size_t k = 0; k < w->n_after; k++) { /* what ran before is part of what is run */
        add_text(&b, w->after[k].stage);
        add_key(&b, w->after[k].each ? s->upstreams[k].template_key : s->upstreams[k].key);
    }
    hash128(b.data, b.n, s->template_key);
    buf_fini(&b);
}

static void add_gen(struct buf *b, const struct gen *g)
{
    add_u64(b, (uint64_t)g->kind);
    add_u64(b, g->n);
    if (g->kind == GEN_LIST) {
        for (uint64_t i = 0; i < g->n; i++)
            add_text(b, g->values[i]);
    } else if (g->kind == GEN_RANGE) {
        add_u64(b, (uint64_t)g->range.start);
        add_u64(b, (uint64_t)g->range.step);
        add_u64(b, g->range.decimals);
        add_u64(b, g->range.width);
        add_text(b, g->range.tail);
    } else {
        add_text(b, g->first);
        add_text(b, g->last);
    }
}

static void key_of_study(struct study *s)
{
    const struct words *w = &s->words;
    bool seeded = s->design != DESIGN_GRID || (s->uses & TEMPLATE_USES_SEED);
    struct buf b = { 0 };

    add_key(&b, s->template_key);
    add_u64(&b, s->n_groups);
    for (size_t g = 0; g < s->n_groups; g++) {
        add_u64(&b, s->groups[g].n_factors);
        for (size_t j = 0; j < s->groups[g].n_factors; j++) {
            const struct factor *factor = &s->factors[s->groups[g].first + j];
            add_text(&b, factor->name);
            add_gen(&b, &factor->gen);
        }
    }
    add_u64(&b, (uint64_t)s->design);
    add_u64(&b, s->n_samples);
    add_u64(&b, w->reps);
    add_u64(&b, seeded ? w->seed : 0);
    add_text(&b, w->where ? w->where : "");
    hash128(b.data, b.n, s->key);
    buf_fini(&b);
}

static int name_compare(const void *a, const void *b, void *factors)
{
    const struct factor *f = factors;

    return strcmp(f[*(const uint32_t *)a].name, f[*(const uint32_t *)b].name);
}

static void sort_factors(struct study *s)
{
    s->sorted = arena_array(&s->arena, s->n_factors, sizeof *s->sorted);
    for (size_t j = 0; j < s->n_factors; j++)
        s->sorted[j] = (uint32_t)j;
    qsort_r(s->sorted, s->n_factors, sizeof *s->sorted, name_compare, s->factors);
}

/* struct bytes - values in name order and the replicate; on the stack unless they are long. */
struct bytes {
    char small[512];
    char *data;
    size_t n;
};

static void bytes_take(struct bytes *b, const struct study *s, const struct point *p)
{
    size_t n = 16 + 4; /* room for a base in front, and the replicate */

    must(p->n == s->n_factors);
    for (size_t j = 0; j < p->n; j++)
        n += strlen(p->values[j]) + 1;
    b->data = n <= sizeof b->small ? b->small : malloc(n);
    must(b->data != NULL);
    b->n = 16;
    for (size_t j = 0; j < p->n; j++) {
        const char *value = p->values[s->sorted[j]];
        size_t length = strlen(value) + 1;
        memcpy(b->data + b->n, value, length);
        b->n += length;
    }
    for (int k = 0; k < 4; k++)
        b->data[b->n++] = (char)(p->rep >> 8 * k & 255);
}

static void bytes_give(struct bytes *b)
{
    if (b->data != b->small)
        free(b->data);
}

void study_identity(const struct study *s, const struct point *p, uint64_t id[2])
{
    struct bytes b;

    bytes_take(&b, s, p);
    for (int k = 0; k < 16; k++)
        b.data[k] = (char)(s->identity_base[k / 8] >> 8 * (k % 8) & 255);
    hash128(b.data, b.n, id);
    bytes_give(&b);
}

uint32_t study_seed(const struct study *s, const struct point *p)
{
    struct bytes b;

    bytes_take(&b, s, p);
    uint64_t h = hash64(b.data + 16, b.n - 16, s->seed_base);
    bytes_give(&b);
    return (uint32_t)(1 + h % INT32_MAX);
}

void study_key(const struct study *s, uint64_t key[2])
{
    key[0] = s->key[0];
    key[1] = s->key[1];
}

void study_template_key(const struct study *s, uint64_t key[2])
{
    key[0] = s->template_key[0];
    key[1] = s->template_key[1];
}
