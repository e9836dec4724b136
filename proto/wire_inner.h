#ifndef GRANGE_PROTO_WIRE_INNER_H
#define GRANGE_PROTO_WIRE_INNER_H
/* wire_inner - what the files of the codec share: the arena that a decoded message lives in, and
 * one pair of functions per kind. protobuf-c's classes are made from grange.proto at build time. */

#include "base/buf.h"
#include "base/err.h"
#include "proto/grange.pb-c.h"
#include "proto/message.h"

/* arena - memory given out from growing chunks and freed at once. Each piece is followed by a zero
 * byte, so that protobuf's `bytes` are C strings. It has a bound: a small message that would unpack
 * to something huge (an empty element costs its sender 2 bytes and us 200) is refused. */
struct arena;
struct arena *arena_new(size_t message_bytes);
void arena_free(struct arena *a);             /* NULL is allowed */
void *arena_alloc(struct arena *a, size_t n); /* NULL beyond the bound */

/* encoding - the protobuf objects of one message while it is packed; they borrow from it. */
struct encoding {
    Wire__Envelope envelope;
    union {
        Wire__Hello hello;
        Wire__Beat beat;
        Wire__Bye bye;
        Wire__Welcome welcome;
        Wire__Refused refused;
        Wire__Reply reply;
        Wire__Submit submit;
        Wire__Hold hold;
        Wire__Points points;
        Wire__Follow follow;
        Wire__Shutdown shutdown;
        Wire__Submitted submitted;
        Wire__Progress progress;
        Wire__Spec spec;
        Wire__Assign assign;
        Wire__Leases leases;
        Wire__Recall recall;
        Wire__Limit limit;
        Wire__Results results;
    };
    Wire__Counts counts;
    void *scratch; /* of repeated parts; freed by wire_encode */
};
void wire_to_pb(const struct message *m, struct encoding *e);

/* wire_from_pb - checks and converts; m->arena is set and stays the caller's to free. */
enum err wire_from_pb(const Wire__Envelope *e, struct message *m, struct fault *f);
enum err wire_from_results(const Wire__Results *r, struct message *m, struct fault *f);

/* wire_text - a text of at most max bytes: checked to be free of zero bytes, terminated in place.
 */
enum err wire_text(const ProtobufCBinaryData *b, size_t max, const char *what, const char **text,
                   struct fault *f);

/* Texts that have no limit of their own, such as a body's: the frame's. */
enum { WIRE_TEXT_BYTES_MAX = FRAME_BYTES_MAX, WIRE_PATH_BYTES_MAX = 4096 };

#endif
