#include "study/text.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

size_t text_line_of_no_utf8(const char *text, size_t n)
{
    size_t line = 1;

    for (size_t i = 0; i < n;) {
        size_t length = text[i] ? utf8_character(text + i, n - i) : 0;
        if (length == 0)
            return line;
        line += text[i] == '\n';
        i += length;
    }
    return 0;
}

const char *text_clip(const char *text, char *out)
{
    size_t n = strlen(text);

    if (n <= CLIP_BYTES)
        return text;
    n = CLIP_BYTES;
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--; /* not within a character */
    memcpy(out, text, n);
    memcpy(out + n, "...", 4);
    return out;
}

const char *text_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_add_base64(struct buf *out, const void *data, size_t n)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        char four[4] = { base64[v >> 18], base64[v >> 12 & 63],
                         left > 1 ? base64[v >> 6 & 63] : '=', left > 2 ? base64[v & 63] : '=' };
        buf_add(out, four, 4);
    }
}

bool text_add_unbase64(struct buf *out, const char *text, size_t n)
{
    if (n % 4)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t v = 0;
        size_t pads = 0;
        for (size_t j = 0; j < 4; j++) {
            char c = text[i + j];
            const char *at = c && c != '=' ? strchr(base64, c) : NULL;
            if (c == '=' && i + 4 == n && j >= 2)
                pads++;
            else if (!at || pads)
                return false;
            v = v << 6 | (at ? (uint32_t)(at - base64) : 0);
        }
        char three[3] = { (char)(v >> 16), (char)(v >> 8 & 255), (char)(v & 255) };
        buf_add(out, three, 3 - pads);
    }
    return true;
}
