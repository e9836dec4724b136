#ifndef GRANGE_ENGINE_FRAME_H
#define GRANGE_ENGINE_FRAME_H
/* frame - what goes between a worker and an engine, as structs with the layout of the wire: the
 * protocol of docs/engine.md, which says what each frame means and in which order they come. All
 * numbers are little-endian. A frame is a header, `bytes` bytes of body, and nothing between. */

#include <stdint.h>

#include "base/limits.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are used as they are in memory");

enum {
    ENGINE_VERSION = 1,
    ENGINE_IN_FD = 3, /* the engine reads frames here */
    ENGINE_OUT_FD = 4,
    ENGINE_INLINE_MAX = 256 << 10,                    /* a longer payload goes as a file */
    ENGINE_FRAME_MAX = ENGINE_INLINE_MAX + 16 * 1024, /* of a body: a payload with its names */
    ENGINE_NAME_MAX = 100,                            /* of a value */
    FUNCTION_NAME_MAX = 59,                           /* its label is fn:NAME */
    FUNCTIONS_MAX = 1024,                             /* of one engine */
};

enum frame_kind {
    /* worker -> engine */
    FRAME_WELCOME = 1, /* welcome_body, page path \0, spool directory \0 */
    FRAME_CALL = 2,    /* call_body, payload */
    FRAME_PUT = 3,     /* name_body, name, payload; answered by a result */
    FRAME_GET = 4,     /* name_body, name; answered by a result */
    FRAME_DELETE = 5,  /* name_body, name; answered by a result */
    FRAME_CANCEL = 6,  /* nothing */
    FRAME_BYE = 7,     /* nothing */
    FRAME_RELEASE = 8, /* nothing: the file of this call's result, which is kept, is read */
    /* engine -> worker */
    FRAME_HELLO = 64,    /* hello_body, program \0, names of functions, each with \0 */
    FRAME_RESULT = 65,   /* result_body, payload or error text */
    FRAME_PROGRESS = 66, /* double */
    FRAME_LOG = 67,      /* text */
    FRAME_NOTIFY = 68,   /* nothing: there are frames in the page */
};

/* Flags of a frame. */
enum {
    FRAME_FILE = 1, /* instead of the payload: file_body, path */
    FRAME_KEEP = 2, /* of a result with FRAME_FILE: the file stays the engine's */
};

struct frame {
    uint32_t bytes; /* of the body */
    uint16_t kind, flags;
    uint64_t call; /* number of the call, 1.. in order; 0: about none */
};
struct welcome_body {
    uint32_t version, slot;
};
struct hello_body {
    uint32_t version;
    uint32_t flags; /* HELLO_PAGE */
};
enum { HELLO_PAGE = 1 }; /* uses the shared page: may be given many calls at once */
struct call_body {
    uint32_t function; /* number of the name in hello, from 0 */
    uint32_t seed;
    uint64_t attempt;
};
struct name_body {
    uint32_t bytes; /* of the name */
    uint32_t zero;
};
struct result_body {
    int32_t code; /* 0: succeeded, the payload follows; else what failed follows as text */
    uint32_t zero;
    uint64_t wall_us, user_us, sys_us; /* 0: not known */
    uint64_t maxrss_kib;
};
struct file_body {
    uint64_t offset, bytes;
};
_Static_assert(sizeof(struct frame) == 16 && sizeof(struct result_body) == 40, "no padding");
_Static_assert(sizeof(struct call_body) == 16 && sizeof(struct file_body) == 16, "no padding");

#endif
