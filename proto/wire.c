#include "proto/wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "proto/wire_inner.h"

/* The number of a kind is the number of its field in the envelope. */
_Static_assert((int)MSG_HELLO == WIRE__ENVELOPE__MESSAGE_HELLO, "");
_Static_assert((int)MSG_WELCOME == WIRE__ENVELOPE__MESSAGE_WELCOME, "");
_Static_assert((int)MSG_SUBMIT == WIRE__ENVELOPE__MESSAGE_SUBMIT, "");
_Static_assert((int)MSG_SHUTDOWN == WIRE__ENVELOPE__MESSAGE_SHUTDOWN, "");
_Static_assert((int)MSG_PROGRESS == WIRE__ENVELOPE__MESSAGE_PROGRESS, "");
_Static_assert((int)MSG_ASSIGN == WIRE__ENVELOPE__MESSAGE_ASSIGN, "");
_Static_assert((int)MSG_LIMIT == WIRE__ENVELOPE__MESSAGE_LIMIT, "");
_Static_assert((int)MSG_RETURNED == WIRE__ENVELOPE__MESSAGE_RETURNED, "");
_Static_assert((int)MSG_ENDS == WIRE__ENVELOPE__MESSAGE_ENDS, "");
_Static_assert((int)MSG_BLOB == WIRE__ENVELOPE__MESSAGE_BLOB, "");
_Static_assert((int)MSG_FARM == WIRE__ENVELOPE__MESSAGE_FARM, "");
_Static_assert(N_MESSAGE_KINDS == WIRE__ENVELOPE__MESSAGE_LOOKED + 1, "");

const char *message_kind_name(enum message_kind kind)
{
    static const char *const names[N_MESSAGE_KINDS] = {
        [MSG_HELLO] = "hello",
        [MSG_BEAT] = "beat",
        [MSG_BYE] = "bye",
        [MSG_WELCOME] = "welcome",
        [MSG_REFUSED] = "refused",
        [MSG_REPLY] = "reply",
        [MSG_SUBMIT] = "submit",
        [MSG_HOLD] = "hold",
        [MSG_CANCEL] = "cancel",
        [MSG_RETRY] = "retry",
        [MSG_FOLLOW] = "follow",
        [MSG_SHUTDOWN] = "shutdown",
        [MSG_SUBMITTED] = "submitted",
        [MSG_PROGRESS] = "progress",
        [MSG_SPEC] = "spec",
        [MSG_ASSIGN] = "assign",
        [MSG_REVOKE] = "revoke",
        [MSG_RECALL] = "recall",
        [MSG_ACK] = "ack",
        [MSG_LIMIT] = "limit",
        [MSG_RESULTS] = "results",
        [MSG_RETURNED] = "returned",
        [MSG_OPEN] = "open",
        [MSG_OPENED] = "opened",
        [MSG_APPEND] = "append",
        [MSG_APPENDED] = "appended",
        [MSG_COLLECT] = "collect",
        [MSG_ENDS] = "ends",
        [MSG_DIRECT] = "direct",
        [MSG_DIRECT_END] = "direct_end",
        [MSG_DIRECT_ACK] = "direct_ack",
        [MSG_BLOB] = "blob",
        [MSG_BLOB_WANT] = "blob_want",
        [MSG_BLOB_ACK] = "blob_ack",
        [MSG_CONTROL] = "control",
        [MSG_WATCH] = "watch",
        [MSG_FARM] = "farm",
        [MSG_DRAIN] = "drain",
        [MSG_ENGINES] = "engines",
        [MSG_LOOK] = "look",
        [MSG_LOOKED] = "looked",
    };

    return kind > 0 && kind < N_MESSAGE_KINDS ? names[kind] : "?";
}

void wire_encode(const struct message *m, struct buf *out)
{
    struct encoding e;

    e.n_scratch = 0;
    wire__envelope__init(&e.envelope);
    wire_to_pb(m, &e);
    size_t n = wire__envelope__get_packed_size(&e.envelope);
    buf_reserve(out, n);
    must(wire__envelope__pack(&e.envelope, (uint8_t *)out->data + out->n) == n);
    out->n += n;
    out->data[out->n] = '\0';
    for (size_t i = 0; i < e.n_scratch; i++)
        free(e.scratch[i]);
}

static void *pb_alloc(void *arena, size_t n)
{
    return arena_alloc(arena, n);
}

static void pb_free(void *arena, void *piece)
{
    (void)arena;
    (void)piece; /* with the arena */
}

enum err wire_decode(const void *data, size_t n, struct message *m, struct fault *f)
{
    *m = (struct message){ 0 };
    if (n == 0)
        return fault_set(f, ERR_MALFORMED, "an empty message");
    if (n > FRAME_BYTES_MAX)
        return fault_set(f, ERR_LIMIT, "a message of %zu bytes; at most %d are allowed", n,
                         FRAME_BYTES_MAX);
    struct arena *arena = arena_new(n);
    ProtobufCAllocator allocator = { pb_alloc, pb_free, arena };
    const Wire__Envelope *e = wire__envelope__unpack(&allocator, n, data);
    enum err err = e ? ERR_NONE : fault_set(f, ERR_MALFORMED, "not a message of grange");
    if (!err) {
        m->arena = arena;
        err = wire_from_pb(e, m, f);
    }
    if (err) {
        arena_free(arena);
        *m = (struct message){ 0 };
    }
    return err;
}

void message_fini(struct message *m)
{
    arena_free(m->arena);
    *m = (struct message){ 0 };
}

/* ---- arena */

struct chunk {
    struct chunk *next;
    size_t used, cap;
    _Alignas(16) char data[];
};

struct arena {
    struct chunk *chunk; /* the one that is filled; older ones behind it */
    size_t left;         /* bytes that may still be taken from the system */
};

enum {
    ARENA_ALIGN = 16,
    ARENA_CHUNK_MAX = 4 << 20,
    ARENA_BYTES_MAX = 128 << 20 /* beyond twice the message: 500,000 results of 250 bytes */
};

static bool arena_grow(struct arena *a, size_t n)
{
    size_t cap = a->chunk ? a->chunk->cap * 2 : n;

    if (cap > ARENA_CHUNK_MAX)
        cap = ARENA_CHUNK_MAX;
    if (cap < n)
        cap = n;
    if (cap > a->left)
        cap = n;
    if (cap > a->left)
        return false;
    struct chunk *c = malloc(sizeof *c + cap);
    must(c != NULL);
    *c = (struct chunk){ .next = a->chunk, .cap = cap };
    a->chunk = c;
    a->left -= cap;
    return true;
}

struct arena *arena_new(size_t message_bytes)
{
    struct arena *a = malloc(sizeof *a);

    must(a != NULL);
    *a = (struct arena){ .left = (size_t)ARENA_BYTES_MAX + 2 * message_bytes };
    arena_grow(a,
               1024 + 2 * message_bytes); /* texts and numbers once as protobuf's, once as ours */
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct chunk *c = a->chunk, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > (size_t)1 << 40)
        return NULL;
    size_t need = (n + ARENA_ALIGN) & ~(size_t)(ARENA_ALIGN - 1); /* at least one byte more */

    if (a->chunk->cap - a->chunk->used < need && !arena_grow(a, need))
        return NULL;
    char *piece = a->chunk->data + a->chunk->used;
    a->chunk->used += need;
    piece[n] = '\0';
    return piece;
}
