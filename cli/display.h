#ifndef GRANGE_CLI_DISPLAY_H
#define GRANGE_CLI_DISPLAY_H
/* display - shows progress on stderr: on a terminal a few lines that are drawn again in place, at
 * most ten times a second and each time with a single write; elsewhere a line every few seconds,
 * fewer the longer it takes, and after a minute where nothing has changed.
 *
 * The terminal's modes and its cursor are never changed, so there is nothing to restore however
 * this process ends: the cursor always stands below what was drawn. */

#include "base/ids.h"
#include "cli/progress.h"

enum { FRAME_MS = 100, LINE_FIRST_MS = 2000, LINE_EVERY_MS = 5000, LINE_LATEST_MS = 60000 };

enum display_kind { DISPLAY_NONE, DISPLAY_LINES, DISPLAY_LIVE };
struct display {
    enum display_kind kind;
    unsigned lines; /* drawn, above the cursor */
    unsigned width, height;
    bool utf8;
    ms_t next_ms;                      /* when it may be drawn again */
    ms_t opened_ms, line_ms;           /* the last line */
    uint64_t line_ended, line_running; /* as it said */
    struct buf frame;
};

void display_open(struct display *d, bool quiet, ms_t now);
void display_resize(struct display *d);    /* the terminal has another size */
ms_t display_due(const struct display *d); /* when display_show will write; MS_NEVER: never */
void display_show(struct display *d, const struct progress_view *v, ms_t now);
/* display_say - a message above what is drawn; for problems, so also when quiet. */
void display_say(struct display *d, const char *text);
/* display_close - takes away what is drawn. */
void display_close(struct display *d);

#endif
