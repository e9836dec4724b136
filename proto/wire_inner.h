#ifndef GRANGE_PROTO_WIRE_INNER_H
#define GRANGE_PROTO_WIRE_INNER_H
/* wire_inner - what the files of the codec share: the arena that a decoded message lives in, and
 * one pair of functions per kind. protobuf-c's classes are made from grange.proto at build time. */

#include <string.h>

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

enum {
    WIRE_TEXT_BYTES_MAX = FRAME_BYTES_MAX, /* of texts that have no limit of their own: a body's */
    WIRE_PATH_BYTES_MAX = 4096,
    WIRE_NOTICE_BYTES_MAX = 64 * 1024, /* a text for a person, a list of names */
    WIRE_COLUMNS_MAX = 1 << 16,        /* ends in one message of columns */
    WIRE_SCRATCH_MAX = 8,
};

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
        Wire__Open open;
        Wire__Opened opened;
        Wire__Append append;
        Wire__Appended appended;
        Wire__Collect collect;
        Wire__Ends ends;
        Wire__Direct direct;
        Wire__DirectEnd direct_end;
        Wire__DirectAck direct_ack;
        Wire__Blob blob;
        Wire__BlobWant blob_want;
        Wire__BlobAck blob_ack;
        Wire__Control control;
        Wire__Watch watch;
        Wire__Farm farm;
        Wire__Drain drain;
        Wire__Engines engines;
        Wire__Look look;
        Wire__Looked looked;
    };
    Wire__Counts counts;
    Wire__Columns columns;
    Wire__SharedFile shared_file;    /* of the one that has it */
    void *scratch[WIRE_SCRATCH_MAX]; /* of repeated parts; freed by wire_encode */
    size_t n_scratch;
};
void wire_to_pb(const struct message *m, struct encoding *e);
/* The kinds of arrays of calls (wire_calls.c), and of engines, blobs and the farm (wire_farm.c);
 * false: not one of them. */
bool wire_calls_to_pb(const struct message *m, struct encoding *e);
bool wire_farm_to_pb(const struct message *m, struct encoding *e);

/* wire_look.c */
void wire_look_to_pb(const struct message *m, struct encoding *e);
void wire_looked_to_pb(const struct message *m, struct encoding *e);
enum err wire_look_from_pb(const Wire__Look *pb, struct message *m, struct fault *f);
enum err wire_looked_from_pb(const Wire__Looked *pb, struct message *m, struct fault *f);
ProtobufCBinaryData *wire_list_to_pb(const char *const *texts, size_t n, struct encoding *e);

/* wire_scratch - memory until the message is encoded. wire_elements: n elements and n pointers to
 * them as protobuf-c wants. */
void *wire_scratch(struct encoding *e, size_t n_bytes);
void *wire_elements(struct encoding *e, size_t n, size_t bytes_each, void ***pointers);

static inline ProtobufCBinaryData wire_bytes(const void *data, size_t n)
{
    return (ProtobufCBinaryData){ n, (uint8_t *)(uintptr_t)data };
}
static inline ProtobufCBinaryData wire_chars(const char *s)
{
    return wire_bytes(s, s ? strlen(s) : 0);
}
static inline uint64_t wire_ms(ms_t t)
{
    return t > 0 ? (uint64_t)t : 0;
}
void wire_counts_to_pb(const struct counts *c, Wire__Counts *pb);
Wire__Share **wire_shares_to_pb(const struct call_share *shares, size_t n, struct encoding *e);

/* wire_from_pb - checks and converts; m->arena is set and stays the caller's to free. */
enum err wire_from_pb(const Wire__Envelope *e, struct message *m, struct fault *f);
enum err wire_from_results(const Wire__Results *r, struct message *m, struct fault *f);
enum err wire_calls_from_pb(const Wire__Envelope *e, struct message *m, struct fault *f);
enum err wire_farm_from_pb(const Wire__Envelope *e, struct message *m, struct fault *f);
void wire_counts_from_pb(const Wire__Counts *pb, struct counts *c); /* NULL: all zero */
enum err wire_shares_from_pb(Wire__Share *const *pb, size_t n, struct arena *a,
                             const struct call_share **shares, struct fault *f);
enum err wire_share_check(double share, struct fault *f);

/* columns - ends as columns, for the encoder and from the decoder (wire_columns.c). */
struct column_end {
    enum task_state state;
    enum end_reason reason;
    int32_t code;
    uint32_t attempts, worker;
    bool counted;
    ms_t submitted_ms, started_ms, ended_ms;
    uint64_t wall_us, user_us, sys_us, maxrss_kib;
    const void *result;
    size_t result_bytes;
};
typedef void (*column_end_fn)(const struct message *m, size_t i, struct column_end *end);
void wire_columns_to_pb(const struct message *m, size_t n, column_end_fn end, struct encoding *e);
/* wire_columns_check - that columns agree with n ends. wire_column_end - the i-th; *results goes on
 * from end to end, beginning with pb->results.data. */
enum err wire_columns_check(const Wire__Columns *pb, size_t n, struct fault *f);
void wire_column_end(const Wire__Columns *pb, size_t i, const uint8_t **results,
                     struct column_end *end);
enum err wire_blobs_from_pb(const uint64_t *pb, size_t n, const uint32_t *sizes, size_t n_calls,
                            const struct blob_ref **blobs, size_t *n_blobs, struct fault *f);
enum err wire_sizes_check(const uint32_t *sizes, size_t n, size_t payloads_bytes, struct fault *f);

#define REFUSE(f, code, ...) return fault_set((f), (code), __VA_ARGS__)
#define CHECK(call)                                                                                \
    do {                                                                                           \
        enum err check_err = (call);                                                               \
        if (check_err)                                                                             \
            return check_err;                                                                      \
    } while (0)
enum err wire_is_set(uint64_t id, const char *what, struct fault *f);
enum err wire_at_most(uint64_t n, uint64_t max, const char *what, struct fault *f);
/* wire_list - texts of at most `max` bytes each, none of them empty. */
enum err wire_list(const ProtobufCBinaryData *pb, size_t n, size_t max, const char *what,
                   struct arena *a, const char *const **texts, struct fault *f);
enum err wire_no_memory(struct fault *f);

/* wire_text - a text of at most max bytes: checked to be free of zero bytes, terminated in place.
 */
enum err wire_text(const ProtobufCBinaryData *b, size_t max, const char *what, const char **text,
                   struct fault *f);

#endif
