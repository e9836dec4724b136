/* dir - the grange directory and the address of its scheduler. */
#include "cli/cli.h"

#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

void cli_dir_flag(const char *dir, struct buf *out)
{
    if (strcmp(dir, CLI_DIR_DEFAULT) == 0)
        return;
    buf_adds(out, " --dir ");
    buf_add_sh(out, dir);
}

void cli_url(const char *dir, struct buf *out)
{
    static const char socket_name[] = "/scheduler.sock";
    size_t room = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof socket_name;
    buf_adds(out, "ipc://");
    int fd = strlen(dir) < room ? -1 : open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        buf_addf(out, "/proc/%d/fd/%d", (int)getpid(), fd); /* for children too */
    else
        buf_adds(out, dir);
    buf_adds(out, socket_name);
}
