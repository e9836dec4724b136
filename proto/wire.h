#ifndef GRANGE_PROTO_WIRE_H
#define GRANGE_PROTO_WIRE_H
/* wire - bytes <-> struct message; the only user of protobuf-c. Validates everything: what
 * wire_decode returns is within every limit of base/limits.h, its enums are known, its texts are
 * terminated, its ids are not 0. A peer can never crash us. */

#include "base/buf.h"
#include "base/err.h"
#include "proto/message.h"

/* wire_encode - appends one message (without a frame's length). The message must be valid: ours. */
void wire_encode(const struct message *m, struct buf *out);
/* wire_decode - ERR_MALFORMED or ERR_LIMIT with the reason in *f; nothing is allocated then. */
enum err wire_decode(const void *data, size_t n, struct message *m, struct fault *f);
void message_fini(struct message *m);

#endif
