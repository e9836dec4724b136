#ifndef GRANGE_ENGINE_H
#define GRANGE_ENGINE_H
/* grange_engine - what a plug-in includes: C functions that a farm calls, bytes in, bytes out.
 *
 *     #include "grange_engine.h"
 *
 *     static int twice(struct grange_call *call, const void *data, size_t n)
 *     {
 *         double x;
 *         if (n != sizeof x)
 *             return grange_fail(call, 1, "twice takes 8 bytes, not %zu", n);
 *         memcpy(&x, data, sizeof x);
 *         x *= 2;
 *         return grange_return(call, &x, sizeof x);
 *     }
 *     GRANGE_FUNCTION("twice", twice)
 *
 *     cc -shared -fPIC -o twice.so twice.c        grange worker --plugin ./twice.so
 *
 * The header is all there is: a plug-in links nothing of Grange. Each core of a worker has one
 * process (an engine) that loads the plug-ins and then runs one call at a time, on one thread. What
 * a function leaves behind (static variables, open files, named values) is there for the next call
 * on the same engine, whoever sent it. A function may crash, exit, never end or use up its memory:
 * that ends its engine and this call, nothing else; another engine process takes its place.
 *
 * The call and what it lends (input, values) are valid until the function returns. Every function
 * below must be called on the thread that the call came on, but for grange_cancelled. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GRANGE_PLUGIN_VERSION 1
#define GRANGE_OPS_VERSION    2 /* of struct grange_engine_ops: 2 has progress_text */

struct grange_call;

/* A function: `data` is aligned for any type when it begins a payload; n may be 0. Returns 0 when
 * it succeeded (what grange_return or grange_result gave is the result; nothing: an empty one) and
 * otherwise a code 1..255, which the policy of the submission looks at like at an exit status. Say
 * why with grange_fail. */
typedef int grange_function_t(struct grange_call *call, const void *data, size_t n);

/* What the engine provides, by address, so that nothing has to be linked. For the inline functions
 * below; later versions add at the end. */
struct grange_engine_ops {
    uint32_t version;
    int (*give)(struct grange_call *call, const void *data, size_t n);
    void *(*result)(struct grange_call *call, size_t n);
    int (*fail)(struct grange_call *call, int code, const char *format, va_list args);
    void (*log)(struct grange_call *call, const char *format, va_list args);
    void (*progress)(struct grange_call *call, double share);
    bool (*cancelled)(const struct grange_call *call);
    void *(*keep)(struct grange_call *call, const char *name, const void *data, size_t n);
    void *(*value)(struct grange_call *call, const char *name, size_t *n);
    bool (*drop)(struct grange_call *call, const char *name);
    void (*progress_text)(struct grange_call *call, double share, const char *format, va_list args);
};
struct grange_call {
    const struct grange_engine_ops *ops;
    uint64_t attempt; /* differs between two attempts of the same call */
    uint32_t seed;    /* 1..2^31-1; the same for every attempt of the same call */
    uint32_t slot;    /* which engine of its worker this is, 0.. */
};

/* grange_seed, grange_attempt - a direct call (sent to an engine by its id) has a seed as well; its
 * attempt is 0. */
static inline uint32_t grange_seed(const struct grange_call *call)
{
    return call->seed;
}
static inline uint64_t grange_attempt(const struct grange_call *call)
{
    return call->attempt;
}

/* grange_return - a copy of these bytes is the result; the last one counts. Returns 0, or a code
 * when there is no room for them: `return grange_return(...)` ends a function either way. */
static inline int grange_return(struct grange_call *call, const void *data, size_t n)
{
    return call->ops->give(call, data, n);
}

/* grange_result - room for a result of n bytes, to be filled by the function before it returns:
 * saves a copy, and a large one (over 256 KiB) is a mapped file that does not count as memory. NULL
 * when there is no room. Contents are undefined. */
static inline void *grange_result(struct grange_call *call, size_t n)
{
    return call->ops->result(call, n);
}

/* grange_fail - says why the call fails, in one line; returns the code (1..255, others become 1).
 */
__attribute__((format(printf, 3, 4))) static inline int
grange_fail(struct grange_call *call, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = call->ops->fail(call, code, format, args);
    va_end(args);
    return rc;
}

/* grange_log - a line (the newline is added) of the error output that is kept with the result of
 * this call, at most 1 MiB in all. */
__attribute__((format(printf, 2, 3))) static inline void grange_log(struct grange_call *call,
                                                                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    call->ops->log(call, format, args);
    va_end(args);
}

/* grange_progress - how much of this call is done, 0 to 1. grange_progress_text - the same, and
 * what it does now, in a line of at most 100 bytes. Who submitted the call can see it while it runs
 * (grange_future_progress of grange.h), `grange top` too; not of a direct call. Of what comes
 * faster than ten a second much is left out. */
static inline void grange_progress(struct grange_call *call, double share)
{
    call->ops->progress(call, share);
}
__attribute__((format(printf, 3, 4))) static inline void
grange_progress_text(struct grange_call *call, double share, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (call->ops->version >= 2)
        call->ops->progress_text(call, share, format, args);
    else
        call->ops->progress(call, share);
    va_end(args);
}

/* grange_cancelled - whether nobody wants the result any more, or its time is up: return soon
 * (what is returned does not matter); the engine is killed when the grace period is over. Costs a
 * few nanoseconds; may be called on any thread. */
static inline bool grange_cancelled(const struct grange_call *call)
{
    return call->ops->cancelled(call);
}

/* Named values stay in this engine from call to call until they are dropped or the engine ends;
 * clients put and get them too. A name has 1 to 100 bytes.
 *
 * grange_keep - makes a value of n bytes, replacing one of this name; copied from data, or with
 * NULL left undefined for the function to fill in. Returns where it is, or NULL without room.
 * grange_value - NULL when there is none; it may be changed in place, which those that got it
 * before do not see (one that is being read is copied first; NULL also when there is no room for
 * that). grange_drop - whether there was one. What a value pointed to is gone once it was replaced
 * or dropped. */
static inline void *grange_keep(struct grange_call *call, const char *name, const void *data,
                                size_t n)
{
    return call->ops->keep(call, name, data, n);
}
static inline void *grange_value(struct grange_call *call, const char *name, size_t *n)
{
    return call->ops->value(call, name, n);
}
static inline bool grange_drop(struct grange_call *call, const char *name)
{
    return call->ops->drop(call, name);
}

/* --- registering --- */

struct grange_function {
    const char *name; /* 1 to 59 bytes, letters, digits and any of _ . + - */
    grange_function_t *run;
};

/* The functions of a plug-in are collected in a section of their own, whose bounds the linker
 * gives; grange_plugin is what the engine looks up. */
struct grange_plugin {
    uint32_t version;
    const struct grange_function *const *begin, *const *end;
};
extern const struct grange_function *const __start_grange_functions[]
    __attribute__((weak, visibility("hidden")));
extern const struct grange_function *const __stop_grange_functions[]
    __attribute__((weak, visibility("hidden")));

#define GRANGE_FUNCTION(name, function)          GRANGE_FUNCTION_(name, function, __COUNTER__)
#define GRANGE_FUNCTION_(name, function, number) GRANGE_FUNCTION__(name, function, number)
#define GRANGE_FUNCTION__(name, function, number)                                                  \
    static const struct grange_function grange_function_##number = { name, function };             \
    static const struct grange_function *const grange_registered_##number                          \
        __attribute__((used, section("grange_functions"))) = &grange_function_##number;

__attribute__((weak, used, visibility("default"))) void grange_plugin(struct grange_plugin *plugin);
__attribute__((weak, used, visibility("default"))) void grange_plugin(struct grange_plugin *plugin)
{
    plugin->version = GRANGE_PLUGIN_VERSION;
    plugin->begin = __start_grange_functions;
    plugin->end = __stop_grange_functions;
}

#ifdef __cplusplus
}
#endif

#endif
