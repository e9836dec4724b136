#include "tests/scenario/edges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tests/scenario/core_script.h"

enum { EVENTS_MAX = 64, MADE = 1, DRAWN = 2 };

static const char *const names[N_TASK_STATES] = { "ready",   "waiting",   "running",  "done",
                                                  "failed",  "cancelled", "left-out", "quarantined",
                                                  "blocked", "skipped" };
static unsigned edges[N_TASK_STATES][N_TASK_STATES][EVENTS_MAX];

static const char *event_name(int kind)
{
    return kind == EV_TIMEOUT  ? "time"
           : kind == EV_PLACES ? "places"
                               : core_verb((enum event_kind)kind);
}

void edges_note(const struct core *c, enum event_kind kind, struct edges_seen *before)
{
    for (int from = 0; from < N_TASK_STATES; from++)
        for (int to = 0; to < N_TASK_STATES; to++) {
            uint64_t n = core_moves(c, (enum task_state)from, (enum task_state)to);
            if (n != before->n[from][to])
                edges[from][to][kind] |= MADE;
            before->n[from][to] = n;
        }
}

static int state_named(const char *name)
{
    int i = 0;

    while (i < N_TASK_STATES && strcmp(names[i], name) != 0)
        i++;
    return i;
}

static int event_named(const char *name)
{
    int i = 0;

    while (i < EVENTS_MAX && strcmp(event_name(i), name) != 0)
        i++;
    return i;
}

/* What is no row of the picture is passed over; false: it is one with a word that is none. */
static bool read_row(char *line)
{
    char from[32], to[32], events[200];

    if (sscanf(line, "| %31[a-z-] | %31[a-z-] | %199[a-z -] |", from, to, events) != 3)
        return true;
    int x = state_named(from), y = state_named(to);
    if (x == N_TASK_STATES || y == N_TASK_STATES)
        return x == y;
    for (char *left = events, *word; (word = strtok(left, " ")) != NULL; left = NULL) {
        int kind = event_named(word);
        if (kind == EVENTS_MAX)
            return false;
        edges[x][y][kind] |= DRAWN;
    }
    return true;
}

static int complain(int from, int to, int kind)
{
    unsigned is = edges[from][to][kind];

    if (is == 0 || is == (MADE | DRAWN))
        return 0;
    printf("%s -> %s in '%s': %s\n", names[from], names[to], event_name(kind),
           is == MADE ? "a scenario makes it, the picture has no such edge"
                      : "it is in the picture, and no scenario makes it");
    return 1;
}

int edges_compare(const char *file)
{
    struct buf text = { 0 };
    int wrong = 0;

    if (buf_read_file(&text, file, 1 << 20)) {
        perror(file);
        return 2;
    }
    char *save = NULL;
    for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (!read_row(line)) {
            printf("%s: no such state or event of the core: %s\n", file, line);
            wrong = 1;
        }
    buf_fini(&text);
    for (int from = 0; from < N_TASK_STATES; from++)
        for (int to = 0; to < N_TASK_STATES; to++)
            for (int kind = 0; kind < EVENTS_MAX; kind++)
                wrong |= complain(from, to, kind);
    return wrong;
}
