#ifndef GRANGE_BASE_LOG_H
#define GRANGE_BASE_LOG_H
/* log - one line an event on stderr or in a file, for people: "2026-11-21T03:04:05.678 worker
 * event=joined id=2". Tests look at messages and rows, not at logs. */

enum log_level { LOG_QUIET, LOG_ERROR, LOG_INFO, LOG_DEBUG };

/* log_open - who writes ("scheduler", "worker"), how much, and where (a path to append to, or NULL
 * for stderr). Called once by main; before it nothing is logged. */
void log_open(const char *who, enum log_level level, const char *path);
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
