#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f' || c == '\0';
}

size_t utf8_character(const void *text, size_t n)
{
    const unsigned char *s = text;
    size_t len = s[0] < 0x80                   ? 1
                 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                 : (s[0] & 0xf0) == 0xe0       ? 3
                 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                               : 0;

    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
        return 0;
    return len;
}

bool utf8_printable(const void *text, size_t n)
{
    const char *s = text;

    for (size_t i = 0, len; i < n; i += len) {
        unsigned char c = (unsigned char)s[i];
        len = utf8_character(s + i, n - i);
        if (!len || c == 0x7f || (c < 0x20 && !strchr("\t\n\r", c)) || !c)
            return false;
    }
    return true;
}

void utf8_first_line(const char *data, size_t n, size_t max, struct buf *out)
{
    size_t i = 0, end;

    while (i < n && blank(data[i]))
        i++;
    const char *newline = n > i ? memchr(data + i, '\n', n - i) : NULL;
    end = newline ? (size_t)(newline - data) : n;
    while (end > i && blank(data[end - 1]))
        end--;
    for (size_t len, start = out->n; i < end; i += len) {
        const unsigned char *s = (const unsigned char *)data + i;
        size_t valid = utf8_character(s, end - i);
        len = valid ? valid : 1;
        if (out->n - start + len > max)
            return;
        if (!valid)
            buf_addc(out, '?');
        else if (s[0] < 0x20 || s[0] == 0x7f)
            buf_addc(out, ' ');
        else
            buf_add(out, s, len);
    }
}
