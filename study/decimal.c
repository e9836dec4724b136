#include "study/decimal.h"

#include <stdlib.h>
#include <string.h>

/* What a number's spelling says: value = mantissa * 10^(exponent - decimals). */
struct decimal {
    int64_t mantissa;
    unsigned decimals; /* digits after the point */
    unsigned
        width; /* digits before the point, when these start with a zero and are more than one */
    int exponent;
    const char *tail; /* the exponent as spelled, "e-3", or "" */
};

enum { EXPONENT_MAX = 400, POWER_MAX = 18 }; /* beyond any double; 10^18 is the last in an int64 */

static enum decimal_error parse(const char *text, struct decimal *d);
static bool scale(const struct decimal *d, int unit, __int128 *value, bool *exact);
static const char *digits(const char *p);

bool decimal_is_number(const char *text, size_t n)
{
    const char *p = text, *end;

    if (n == 0 || text[n] != '\0')
        return false;
    if (*p == '+' || *p == '-')
        p++;
    end = digits(p);
    size_t n_digits = (size_t)(end - p);
    if (*end == '.') {
        p = end + 1;
        end = digits(p);
        n_digits += (size_t)(end - p);
    }
    if (n_digits == 0)
        return false;
    if (*end == 'e' || *end == 'E') {
        p = end + 1;
        if (*p == '+' || *p == '-')
            p++;
        end = digits(p);
        if (end == p)
            return false;
    }
    return end == text + n;
}

enum decimal_error decimal_range_parse(const char *start, const char *stop, const char *step,
                                       struct decimal_range *r)
{
    struct decimal a, b, d;
    enum decimal_error err = parse(start, &a);
    bool exact_a, exact_b, exact_d;
    __int128 first, last, by;

    if (!err)
        err = parse(stop, &b);
    if (!err)
        err = parse(step, &d);
    if (err)
        return err;
    int more = a.exponent - (d.exponent - (int)d.decimals); /* decimals that the step needs */
    int decimals = more > (int)a.decimals ? more : (int)a.decimals;
    int unit = a.exponent - decimals;
    if (decimals > POWER_MAX || !scale(&a, unit, &first, &exact_a) ||
        !scale(&b, unit, &last, &exact_b) || !scale(&d, unit, &by, &exact_d))
        return DECIMAL_TOO_LARGE;
    if (by == 0)
        return DECIMAL_NO_STEP;
    /* A stop between two units was cut towards zero, which may be beyond it. */
    if (!exact_b && (b.mantissa < 0) == (by > 0))
        last += by > 0 ? -1 : 1;
    if (by > 0 ? last < first : last > first)
        return DECIMAL_NEVER_ENDS;
    *r = (struct decimal_range){ .start = (int64_t)first,
                                 .step = (int64_t)by,
                                 .n = (uint64_t)((last - first) / by) + 1,
                                 .decimals = (unsigned)decimals,
                                 .width = a.width };
    memcpy(r->tail, a.tail, strlen(a.tail) + 1);
    return DECIMAL_OK;
}

static size_t print_digits(uint64_t v, char *end)
{
    char *p = end;

    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return (size_t)(end - p);
}

void decimal_range_add(const struct decimal_range *r, uint64_t i, struct buf *out)
{
    int64_t v = (int64_t)(r->start + (__int128)r->step * (__int128)i);
    uint64_t size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char text[96], *end = text + sizeof text;
    size_t n = print_digits(size, end);
    size_t least = r->decimals + (r->width ? r->width : 1);

    while (n < least && n < sizeof text - 2)
        end[-(ptrdiff_t)++n] = '0';
    if (v < 0)
        buf_addc(out, '-');
    buf_add(out, end - n, n - r->decimals);
    if (r->decimals) {
        buf_addc(out, '.');
        buf_add(out, end - r->decimals, r->decimals);
    }
    buf_adds(out, r->tail);
}

static const char *digits(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

static bool add_digits(struct decimal *d, const char *p, const char *end)
{
    for (; p < end; p++) {
        if (__builtin_mul_overflow(d->mantissa, 10, &d->mantissa) ||
            __builtin_add_overflow(d->mantissa, *p - '0', &d->mantissa))
            return false;
    }
    return true;
}

static enum decimal_error parse(const char *text, struct decimal *d)
{
    const char *p = text, *end;

    *d = (struct decimal){ .tail = "" };
    if (!decimal_is_number(text, strlen(text)))
        return DECIMAL_NO_NUMBER;
    bool negative = *p == '-';
    if (*p == '+' || *p == '-')
        p++;
    end = digits(p);
    if (end - p > 64)
        return DECIMAL_TOO_LARGE;
    d->width = end - p > 1 && *p == '0' ? (unsigned)(end - p) : 0;
    if (!add_digits(d, p, end))
        return DECIMAL_TOO_LARGE;
    if (*end == '.') {
        p = end + 1;
        end = digits(p);
        d->decimals = (unsigned)(end - p);
        if (end - p > POWER_MAX || !add_digits(d, p, end))
            return DECIMAL_TOO_LARGE;
    }
    if (negative)
        d->mantissa = -d->mantissa;
    if (*end) {
        d->tail = end;
        if (strlen(end) > DECIMAL_TAIL_MAX)
            return DECIMAL_TOO_LARGE;
        long exponent = strtol(end + 1, NULL, 10);
        if (exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX)
            return DECIMAL_TOO_LARGE;
        d->exponent = (int)exponent;
    }
    return DECIMAL_OK;
}

/* The value in units of 10^unit, cut towards zero; false when it does not fit an int64. */
static bool scale(const struct decimal *d, int unit, __int128 *value, bool *exact)
{
    int power = d->exponent - (int)d->decimals - unit;

    *value = d->mantissa;
    *exact = true;
    for (; power > 0 && *value; power--) {
        *value *= 10;
        if (*value > INT64_MAX || *value < -(__int128)INT64_MAX)
            return false;
    }
    for (; power < 0 && *value; power++) {
        *exact = *exact && *value % 10 == 0;
        *value /= 10;
    }
    return true;
}
