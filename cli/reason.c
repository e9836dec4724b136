#include "cli/reason.h"

#include <string.h>

#include "cli/progress.h"

static void add_signal(int number, struct buf *out)
{
    const char *name = sigabbrev_np(number);

    if (name)
        buf_addf(out, "killed by SIG%s (signal %d)", name, number);
    else
        buf_addf(out, "killed by signal %d", number);
}

/* What shells mean by these statuses: POSIX.1-2017, Shell Command Language, 2.8.2. */
static void add_exit(int status, struct buf *out)
{
    buf_addf(out, "exit status %d", status);
    if (status == 127)
        buf_adds(out, " (in a shell: a command was not found)");
    else if (status == 126)
        buf_adds(out, " (in a shell: a command could not be executed)");
}

/* A limit as people set it: 30 s, not 30.0 s. */
static void add_limit(int32_t ms, struct buf *out)
{
    if (ms % 1000 == 0 && ms < 60000)
        buf_addf(out, "%d s", ms / 1000);
    else
        progress_duration(ms, out);
}

void reason_words(const struct end_row *row, struct buf *out)
{
    switch (row->reason) {
    case END_EXIT:
        add_exit(row->code, out);
        return;
    case END_SIGNAL:
        add_signal(row->code, out);
        return;
    case END_TIMEOUT:
        buf_adds(out, "timed out");
        if (row->code > 0) {
            buf_adds(out, " after ");
            add_limit(row->code, out);
        }
        return;
    case END_NOT_STARTED:
        buf_adds(out, "could not start");
        if (row->code > 0)
            buf_addf(out, ": %s", strerror(row->code));
        return;
    case END_LOST:
        buf_adds(out, "its worker was lost");
        return;
    case END_REVOKED:
        buf_adds(out, "stopped, to be run again");
        return;
    case END_CANCELLED:
        buf_adds(out, "cancelled");
        return;
    case END_QUARANTINED:
        buf_addf(out, "%d workers in a row were lost under it", QUARANTINE_LOSSES);
        return;
    case END_SUPERSEDED:
        buf_adds(out, "came late: another attempt was current");
        return;
    case END_INFRA:
        buf_adds(out, "the worker could not run it");
        if (row->code > 0)
            buf_addf(out, ": %s", strerror(row->code));
        return;
    case N_END_REASONS:
        break;
    }
    buf_adds(out, end_reason_name(row->reason));
}
