#include "cli/terminal.h"

#include <limits.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/progress.h"

void terminal_size(int fd, unsigned *width, unsigned *height)
{
    struct winsize size = { 0 };
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
    *width = known ? size.ws_col : 80;
    *height = known ? size.ws_row : 24;
}

unsigned terminal_width(int fd)
{
    unsigned width = 0, height = 0;
    if (isatty(fd))
        terminal_size(fd, &width, &height);
    return width;
}

/* Texts are UTF-8 whatever the locale of this process is. */
static locale_t utf8_locale(void)
{
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return utf8;
}

size_t terminal_next(const char *s, size_t n, unsigned *columns)
{
    mbstate_t state = { 0 };
    wchar_t c = 0;
    *columns = 1;
    if ((unsigned char)*s < 0x80 || !utf8_locale())
        return 1;
    locale_t before = uselocale(utf8_locale());
    size_t bytes = mbrtowc(&c, s, n, &state);
    int width = bytes == 0 || bytes > n ? -1 : wcwidth(c);
    uselocale(before);
    if (width >= 0)
        *columns = (unsigned)width;
    return bytes == 0 || bytes > n ? 1 : bytes;
}

size_t terminal_columns(const char *text)
{
    size_t n = strlen(text), all = 0;
    unsigned columns = 0;
    for (size_t i = 0; i < n; all += columns)
        i += terminal_next(text + i, n - i, &columns);
    return all;
}

void terminal_cut(const char *text, size_t most, struct buf *out)
{
    bool too_long = terminal_columns(text) > most;
    progress_fit(text, too_long ? (unsigned)(most > 3 ? most - 3 : 0) : UINT_MAX, out);
    if (too_long)
        buf_adds(out, "...");
}
