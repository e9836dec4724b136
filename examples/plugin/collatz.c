/* collatz - a plug-in: functions that a farm calls.
 *
 *     cc -O2 -shared -fPIC -I engine -o collatz.so collatz.c
 *     grange worker --plugin ./collatz.so
 *
 * collatz takes eight bytes, a number n >= 1, and returns eight, how many steps of n -> n/2 (even),
 * 3n + 1 (odd) lead to 1. The others show what else a function can do; tests use them. */
#include "grange_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int collatz(struct grange_call *call, const void *data, size_t n)
{
    uint64_t x, steps = 0;

    if (n != sizeof x)
        return grange_fail(call, 2, "collatz takes 8 bytes, not %zu", n);
    memcpy(&x, data, sizeof x);
    if (x == 0)
        return grange_fail(call, 3, "0 never reaches 1");
    for (; x != 1 && !grange_cancelled(call); steps++)
        x = x % 2 ? 3 * x + 1 : x / 2;
    return grange_return(call, &steps, sizeof steps);
}
GRANGE_FUNCTION("collatz", collatz)

static int noop(struct grange_call *call, const void *data, size_t n)
{
    (void)call, (void)data, (void)n;
    return 0;
}
GRANGE_FUNCTION("noop", noop)

static int echo(struct grange_call *call, const void *data, size_t n)
{
    return grange_return(call, data, n);
}
GRANGE_FUNCTION("echo", echo)

/* square - of the doubles in the value named by the payload, kept under that name and "^2". */
static int square(struct grange_call *call, const void *data, size_t n)
{
    char name[101] = "", squared[104];
    size_t bytes;

    if (n == 0 || n > 98)
        return grange_fail(call, 1, "square takes the name of a value");
    memcpy(name, data, n);
    snprintf(squared, sizeof squared, "%s^2", name);
    const double *x = grange_value(call, name, &bytes);
    if (!x)
        return grange_fail(call, 2, "there is no value '%s' here", name);
    double *y = grange_keep(call, squared, NULL, bytes);
    if (!y)
        return grange_fail(call, 3, "no room for '%s'", squared);
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        y[i] = x[i] * x[i];
    return 0;
}
GRANGE_FUNCTION("square", square)

/* add_one - to the doubles in the value named by the payload, in place. */
static int add_one(struct grange_call *call, const void *data, size_t n)
{
    char name[101] = "";
    size_t bytes;

    memcpy(name, data, n < 100 ? n : 100);
    double *x = grange_value(call, name, &bytes);
    if (!x)
        return grange_fail(call, 2, "there is no value '%s' here", name);
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        x[i] += 1;
    return 0;
}
GRANGE_FUNCTION("add_one", add_one)

/* turn - how many calls of it this engine has had, this one included. */
static int turn(struct grange_call *call, const void *data, size_t n)
{
    static uint64_t turns;

    (void)data, (void)n;
    turns++;
    return grange_return(call, &turns, sizeof turns);
}
GRANGE_FUNCTION("turn", turn)

/* about - seed, slot and process of the call, as text; shows log and progress. */
static int about(struct grange_call *call, const void *data, size_t n)
{
    char text[200];

    grange_progress(call, 0.5);
    grange_log(call, "asked about %.*s", (int)n, (const char *)data);
    int k = snprintf(text, sizeof text, "seed %u slot %u pid %d", grange_seed(call), call->slot,
                     (int)getpid());
    return grange_return(call, text, (size_t)k);
}
GRANGE_FUNCTION("about", about)

/* parts - as many as the payload says, one a millisecond; says before each how far it is. */
static int parts(struct grange_call *call, const void *data, size_t n)
{
    char text[12] = "";

    memcpy(text, data, n < sizeof text ? n : sizeof text - 1);
    for (int i = 0, many = atoi(text); i < many && !grange_cancelled(call); i++) {
        grange_progress_text(call, (double)i / many, "part %d of %d", i + 1, many);
        usleep(1000);
    }
    return 0;
}
GRANGE_FUNCTION("parts", parts)

/* fail - with the code that the payload says. */
static int fail(struct grange_call *call, const void *data, size_t n)
{
    char text[12] = "";

    memcpy(text, data, n < sizeof text ? n : sizeof text - 1);
    return grange_fail(call, atoi(text), "failed as asked");
}
GRANGE_FUNCTION("fail", fail)

/* zeros - as many as the payload says, made where they are given back. */
static int zeros(struct grange_call *call, const void *data, size_t n)
{
    char text[12] = "";

    memcpy(text, data, n < sizeof text ? n : sizeof text - 1);
    size_t many = (size_t)atoi(text);
    void *room = grange_result(call, many);
    if (!room)
        return grange_fail(call, 1, "no room for %zu zeros", many);
    memset(room, 0, many);
    return 0;
}
GRANGE_FUNCTION("zeros", zeros)

/* aligned - whether its bytes are where any type may be; 1 byte. */
static int aligned(struct grange_call *call, const void *data, size_t n)
{
    char is = (uintptr_t)data % _Alignof(max_align_t) == 0;

    (void)n;
    return grange_return(call, &is, 1);
}
GRANGE_FUNCTION("aligned", aligned)

/* misbehave - what must not take anything else down: "crash", "exit", "code", which is none,
 * "loop", "memory", "result", which is larger than any disk, "wait", and "wait FILE", which makes
 * the file when it begins. */
static int misbehave(struct grange_call *call, const void *data, size_t n)
{
    char how[1024] = "";

    memcpy(how, data, n < sizeof how ? n : sizeof how - 1);
    if (strncmp(how, "wait ", 5) == 0) {
        FILE *file = fopen(how + 5, "w");
        if (!file || fclose(file))
            return grange_fail(call, 1, "cannot make '%s'", how + 5);
        how[4] = '\0';
    }
    if (strcmp(how, "crash") == 0)
        abort();
    if (strcmp(how, "exit") == 0)
        exit(7);
    if (strcmp(how, "code") == 0)
        return 512;
    if (strcmp(how, "result") == 0)
        return grange_return(call, data, SIZE_MAX / 4);
    if (strcmp(how, "loop") == 0)
        for (volatile unsigned i = 0;; i++)
            ;
    while (strcmp(how, "memory") == 0) {
        char *p = malloc(1 << 20);
        if (!p)
            abort();
        memset(p, 1, 1 << 20);
    }
    while (strcmp(how, "wait") == 0 && !grange_cancelled(call))
        usleep(1000);
    return 0;
}
GRANGE_FUNCTION("misbehave", misbehave)
