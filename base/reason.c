#include "base/reason.h"

#include <string.h>

static void add_signal(int number, struct buf *out)
{
    const char *name = sigabbrev_np(number);

    if (name)
        buf_addf(out, "killed by SIG%s", name);
    else
        buf_addf(out, "killed by signal %d", number);
}

/* What shells mean by these statuses: POSIX.1-2017, Shell Command Language, 2.8.2. */
static void add_exit(int status, struct buf *out)
{
    buf_addf(out, "exit %d", status);
    if (status == 127)
        buf_adds(out, " (of a shell: command not found)");
    else if (status == 126)
        buf_adds(out, " (of a shell: command cannot be executed)");
}

static void add_error(int code, struct buf *out)
{
    if (code > 0)
        buf_addf(out, ": %s", strerror(code));
}

void reason_words(enum end_reason reason, int32_t code, struct buf *out)
{
    switch (reason) {
    case END_EXIT:
        add_exit(code, out);
        return;
    case END_WARNED:
        buf_addf(out, "exit %d, which is a warning", code);
        return;
    case END_SIGNAL:
        add_signal(code, out);
        return;
    case END_TIMEOUT:
        buf_adds(out, "timed out");
        if (code > 0)
            buf_addf(out, " after %.12g s", code / 1000.0);
        return;
    case END_NOT_STARTED:
        buf_adds(out, "could not start");
        add_error(code, out);
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
    case END_UNMET:
        buf_adds(out, "never ran: what it waits for did not end as it had to");
        return;
    case END_SUPERSEDED:
        buf_adds(out, "came late: another attempt was current");
        return;
    case END_INFRA:
        buf_adds(out, "the worker could not run it");
        add_error(code, out);
        return;
    case N_END_REASONS:
        break;
    }
    buf_adds(out, end_reason_name(reason));
}
