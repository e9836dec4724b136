#ifndef GRANGE_BASE_ERR_H
#define GRANGE_BASE_ERR_H
/* err - one list of error codes and their texts. 0 is success. The codes cross the wire, so a
 * number is never given a new meaning. */

#include <stddef.h>

#define GRANGE_ERRORS(X)                                                                           \
    X(ERR_NONE, 0, "success")                                                                      \
    X(ERR_USAGE, 1, "wrong usage")                                                                 \
    X(ERR_NOT_FOUND, 2, "not found")                                                               \
    X(ERR_EXISTS, 3, "exists already")                                                             \
    X(ERR_BUSY, 4, "in use by another process")                                                    \
    X(ERR_LIMIT, 5, "a limit is reached")                                                          \
    X(ERR_VERSION, 6, "made by another version")                                                   \
    X(ERR_DAMAGED, 7, "damaged")                                                                   \
    X(ERR_DISK_FULL, 8, "no space left on the device")                                             \
    X(ERR_IO, 9, "input/output error")                                                             \
    X(ERR_PERMISSION, 10, "permission denied")                                                     \
    X(ERR_MALFORMED, 11, "malformed")                                                              \
    X(ERR_TIMEOUT, 12, "timed out")                                                                \
    X(ERR_LOST, 13, "the connection was lost")                                                     \
    X(ERR_STATE, 14, "not possible in this state")

enum err {
#define X(name, number, text) name = number,
    GRANGE_ERRORS(X)
#undef X
};

/* err_text - the text of a code, "unknown error" for a number that is none. Static. */
const char *err_text(int code);

/* struct fault - an error that a person will read: what was wrong, where, and what would be right.
 * Functions that parse what people wrote fill one and return its code. Embedded by the caller. */
#define FAULT_TEXT_MAX 1024
struct fault {
    enum err code;
    char
        text[FAULT_TEXT_MAX]; /* one or more lines, without "grange: " and without a last newline */
};

/* fault_set - fills *f and returns code, so that `return fault_set(f, ERR_USAGE, "...")` works. */
__attribute__((format(printf, 3, 4))) enum err fault_set(struct fault *f, enum err code,
                                                         const char *format, ...);

#endif
