#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *err_text(int code)
{
    switch (code) {
#define X(name, number, text)                                                                      \
    case number:                                                                                   \
        return text;
        GRANGE_ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}

enum err fault_set(struct fault *f, enum err code, const char *format, ...)
{
    va_list args;

    f->code = code;
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    return code;
}
