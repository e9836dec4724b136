#ifndef GRANGE_TESTS_PLAIN_CRITERION_H
#define GRANGE_TESTS_PLAIN_CRITERION_H
/* criterion - as much of Criterion as wire.c, link*.c and client*.c of tests/unit use, in one
 * process. Criterion's sandbox wants memory at a place where the thread sanitizer keeps its own, so
 * with it these tests are built against this header: see tests/unit_proto.cmake. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plain_suite {
    void (*init)(void), (*fini)(void);
    int timeout; /* ctest has one */
};
struct plain_test {
    const char *name;
    void (*run)(void);
};
/* Weak: one of each, also where several files of a test include this. */
__attribute__((weak)) struct plain_suite plain_suite;
__attribute__((weak)) struct plain_test plain_tests[100];
__attribute__((weak)) int plain_n;

static inline void plain_fail(const char *file, int line, const char *what, const char *words, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: expected %s ", file, line, what);
    va_start(args, words);
    vfprintf(stderr, words, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

#define TestSuite(suite, ...)                                                                      \
    __attribute__((constructor)) static void plain_suite_##suite(void)                             \
    {                                                                                              \
        plain_suite = (struct plain_suite){ __VA_ARGS__ };                                         \
    }
#define Test(suite, name)                                                                          \
    static void suite##_##name(void);                                                              \
    __attribute__((constructor)) static void plain_add_##name(void)                                \
    {                                                                                              \
        plain_tests[plain_n++] = (struct plain_test){ #name, suite##_##name };                     \
    }                                                                                              \
    static void suite##_##name(void)

#define cr_assert(cond, ...)                                                                       \
    ((cond) ? (void)0 : plain_fail(__FILE__, __LINE__, #cond, "" __VA_ARGS__))
#define cr_assert_not(cond, ...)    cr_assert(!(cond), __VA_ARGS__)
#define cr_skip_test(...)           return
#define cr_assert_null(a, ...)      cr_assert((a) == NULL, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)     cr_assert((a) == (b), __VA_ARGS__)
#define cr_assert_neq(a, b, ...)    cr_assert((a) != (b), __VA_ARGS__)
#define cr_assert_lt(a, b, ...)     cr_assert((a) < (b), __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) cr_assert(strcmp((a), (b)) == 0, __VA_ARGS__)
#define cr_expect                   cr_assert /* the first that is not so ends the test here */
#define cr_expect_eq                cr_assert_eq
#define cr_expect_str_eq            cr_assert_str_eq
#define cr_expect_null(a, ...)      cr_assert((a) == NULL, __VA_ARGS__)
#define cr_expect_leq(a, b, ...)    cr_assert((a) <= (b), __VA_ARGS__)

__attribute__((weak)) int main(void)
{
    for (int i = 0; i < plain_n; i++) {
        fprintf(stderr, "%s\n", plain_tests[i].name);
        if (plain_suite.init)
            plain_suite.init();
        plain_tests[i].run();
        if (plain_suite.fini)
            plain_suite.fini();
    }
    return 0;
}

#endif
