#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static int failed; /* errno of the first time that something could not be written; -1: not known */

bool cli_put_flush(void)
{
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && !failed)
        failed = errno ? errno : -1;
    return !failed;
}

bool cli_put(const void *data, size_t n)
{
    return fwrite(data, 1, n, stdout) == n && cli_put_flush();
}

bool cli_put_gone(void)
{
    struct pollfd out = { .fd = STDOUT_FILENO };
    return failed || (poll(&out, 1, 0) == 1 && (out.revents & POLLERR));
}

int cli_put_end(int rc)
{
    if (cli_put_flush() || rc != CLI_OK)
        return rc;
    if (failed == EPIPE) { /* `| head` has what it wanted: no word, and the end of other programs */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    cli_say("cannot write to stdout%s%s", failed > 0 ? ": " : "",
            failed > 0 ? strerror(failed) : "");
    return CLI_ERROR;
}
