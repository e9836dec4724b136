/* streams - long streams of points, where the grange directory is on another machine: they go ahead
 * of the result, and the scheduler has them among its blobs. One that it refuses stays here, and
 * the result says where. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/must.h"
#include "worker/loop.h"

/* open_file - what is to go; one that cannot be read stays where it is. */
static void open_file(struct attempt *a, struct long_stream *s)
{
    off_t end = -1;

    s->ahead.lease = a->lease;
    s->ahead.fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->ahead.fd >= 0)
        end = lseek(s->ahead.fd, 0, SEEK_END);
    s->opened = true;
    if (end > 0) {
        s->ahead.bytes = (uint64_t)end;
        return;
    }
    s->ahead.failed = ERR_IO;
    must(asprintf(&s->ahead.why, "cannot read it: %s", strerror(errno)) > 0);
}

static bool sent(struct worker *w, struct attempt *a, struct long_stream *s, const char **name)
{
    if (!s->path || s->name || a->at_farm || !attempt_counts(a))
        return true;
    if (!s->opened)
        open_file(a, s);
    if (!ahead_done(w, &s->ahead))
        return false;
    if (s->ahead.failed) {
        log_error("event=output path=%s error=\"%s\"", s->path, s->ahead.why);
        *name = s->name = attempt_keep_stream(&w->place, s);
    } else {
        must(asprintf(&s->name, "blobs/%016llx", (unsigned long long)s->ahead.blob) > 0);
        *name = s->name;
    }
    return true;
}

bool streams_sent(struct worker *w, struct attempt *a)
{
    return sent(w, a, &a->long_out, &a->body.out_file) &&
           sent(w, a, &a->long_err, &a->body.err_file);
}

void streams_drop(struct worker *w, struct attempt *a)
{
    ahead_drop(w, &a->long_out.ahead);
    ahead_drop(w, &a->long_err.ahead);
}

static void again(struct long_stream *s, const char **name)
{
    if (!s->opened || s->ahead.failed)
        return;
    ahead_again(&s->ahead);
    free(s->name);
    s->name = NULL;
    *name = "";
}

void streams_gone(struct worker *w)
{
    struct known *k, *next;

    HASH_ITER(hh, w->attempts, k, next)
    {
        again(&k->attempt->long_out, &k->attempt->body.out_file);
        again(&k->attempt->long_err, &k->attempt->body.err_file);
    }
}
