#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
    char who[32];
    enum log_level level;
    int fd;
} logger = { .level = LOG_QUIET, .fd = STDERR_FILENO };

void log_open(const char *who, enum log_level level, const char *path)
{
    snprintf(logger.who, sizeof logger.who, "%s", who);
    logger.level = level;
    if (path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (fd >= 0)
            logger.fd = fd;
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    if (level > logger.level)
        return;

    char line[1024];
    ms_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ %s ", (long)(now % 1000), logger.who);

    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + n, sizeof line - n - 1, format, args);
    va_end(args);
    if (body > 0)
        n += (size_t)body;
    if (n > sizeof line - 2)
        n = sizeof line - 2;
    line[n++] = '\n';
    ssize_t ignored = write(logger.fd, line, n); /* a log that cannot be written stops nobody */
    (void)ignored;
}
