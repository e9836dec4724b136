/* dir - the grange directory and the address of its scheduler. */
#include "cli/cli.h"

#include <string.h>

void cli_dir_flag(const char *dir, struct buf *out)
{
    if (strcmp(dir, CLI_DIR_DEFAULT) == 0)
        return;
    buf_adds(out, " --dir ");
    buf_add_sh(out, dir);
}

void cli_url(const char *dir, struct buf *out)
{
    buf_addf(out, "ipc://%s/scheduler.sock", dir);
}
