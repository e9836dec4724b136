/* ticket - calls that are addressed to an engine: their parts come from the scheduler, their
 * answers go back to it. Nothing of them outlives the connection. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utlist.h>

#include "base/must.h"
#include "worker/crew.h"
#include "worker/tree.h"

static struct call *find(const struct worker *w, uint64_t ticket)
{
    struct call *c;
    lease_id id = { ticket };

    HASH_FIND(hh, w->crew->by_ticket, &id, sizeof id, c);
    return c;
}

static void forget(struct worker *w, struct call *c)
{
    HASH_DEL(w->crew->by_ticket, c);
    crew_release(w, c);
    call_free(c);
}

static void say_end(struct worker *w, uint64_t ticket, enum end_reason reason, int32_t code,
                    const char *text)
{
    struct message m = { .kind = MSG_DIRECT_END };

    m.direct_end.ticket = ticket;
    m.direct_end.reason = reason;
    m.direct_end.code = code;
    m.direct_end.text = text ? text : "";
    worker_send(w, &m);
}

/* --- in --- */

/* taken - so much is where the engine will read it: more may come. */
static void taken(struct worker *w, const struct call *c)
{
    struct message m = { .kind = MSG_DIRECT_ACK };

    m.direct_ack.ticket = c->id.n;
    m.direct_ack.bytes = c->in.bytes;
    if (c->near && c->in.fd >= 0)
        shared_of(c->in.fd, c->in.path, &m.direct_ack.file);
    worker_send(w, &m);
}

/* ready - those that are complete go to the agent, in the order in which they began to come; then
 * it is the turn of the next. */
static void ready(struct worker *w, struct at_engine *e)
{
    for (struct call *c; (c = e->arriving) != NULL && c->in.bytes == c->total;) {
        DL_DELETE(e->arriving, c);
        c->arrived = true;
        if (c->in.fd >= 0) {
            close(c->in.fd);
            c->in.fd = -1;
        }
        worker_feed(w, &(struct agent_event){ .kind = AGENT_DIRECT,
                                              .lease = c->id,
                                              .engine = c->engine,
                                              .limit_ms = c->assigned_limit_ms,
                                              .direct = true });
    }
    if (e->arriving && !e->arriving->turn) {
        e->arriving->turn = true;
        taken(w, e->arriving);
    }
}

static void drop_arriving(struct worker *w, struct call *c)
{
    struct at_engine *e = &w->crew->engines[c->engine];

    DL_DELETE(e->arriving, c);
    forget(w, c);
    ready(w, e);
}

static void refuse(struct worker *w, struct call *c, int32_t code, const char *text)
{
    say_end(w, c->id.n, END_NOT_STARTED, code, text);
    drop_arriving(w, c);
}

static bool write_all(int fd, const char *data, size_t n, uint64_t at)
{
    while (n > 0) {
        ssize_t put = pwrite(fd, data, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        data += put;
        n -= (size_t)put;
        at += (uint64_t)put;
    }
    return true;
}

/* adopt_file - the payload is a file that its client made: it gets a name of ours. False: it cannot
 * be reached, or not be linked here. */
static bool adopt_file(struct call *c, const struct shared_file *file)
{
    char open_one[64];
    struct stat st;
    int fd = c->near ? shared_open(file, false) : -1;

    if (fd < 0)
        return false;
    snprintf(open_one, sizeof open_one, "/proc/self/fd/%d", fd);
    bool ok = fstat(fd, &st) == 0 && (uint64_t)st.st_size == c->total &&
              linkat(AT_FDCWD, open_one, AT_FDCWD, c->in.path, AT_SYMLINK_FOLLOW) == 0;
    close(fd);
    c->in.owned = ok;
    c->in.bytes = ok ? c->total : 0;
    return ok;
}

/* make_room - for all of the payload: memory, or a file that its engine will map; that of its
 * client has it already. */
static bool make_room(struct worker *w, struct call *c, const struct shared_file *file)
{
    if (c->total <= ENGINE_INLINE_MAX) {
        c->in.data = malloc(c->total ? c->total : 1);
        return c->in.data != NULL;
    }
    must(asprintf(&c->in.path, "%s/in-%u-%llu", w->crew->dir, c->engine,
                  (unsigned long long)c->id.n) > 0);
    int err = tree_make_parent(c->in.path);
    if (err) {
        errno = err;
        return false;
    }
    if (adopt_file(c, file))
        return true;
    c->in.owned = true;
    c->in.fd = open(c->in.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return c->in.fd >= 0;
}

/* filled - its client has put the rest into the file. */
static void filled(struct worker *w, struct call *c)
{
    struct stat st;

    if (fstat(c->in.fd, &st) != 0 || (uint64_t)st.st_size != c->total) {
        refuse(w, c, ERR_MALFORMED, "the payload is not as long as was said");
        return;
    }
    c->in.bytes = c->total;
    ready(w, &w->crew->engines[c->engine]);
}

static void add_part(struct worker *w, struct call *c, const struct message *m)
{
    const char *data = m->direct.data;
    size_t n = m->direct.data_bytes;

    if (m->direct.filled && c->near && c->in.fd >= 0) {
        filled(w, c);
        return;
    }
    if (n > c->total - c->in.bytes || (!m->direct.more && c->in.bytes + n != c->total)) {
        refuse(w, c, ERR_MALFORMED, "the parts of the payload are not as long as was said");
        return;
    }
    if (c->in.data && n) {
        memcpy(c->in.data + c->in.bytes, data, n);
    } else if (!c->in.data && !write_all(c->in.fd, data, n, c->in.bytes)) {
        refuse(w, c, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO,
               "the worker cannot store the payload");
        return;
    }
    c->in.bytes += n;
    if (c->turn)
        taken(w, c);
    ready(w, &w->crew->engines[c->engine]);
}

static const char *why_not(const struct worker *w, const struct message *m, char *text, size_t size)
{
    const char *name = m->direct.name;
    const char *reason =
        m->direct.engine < w->crew->n ? w->crew->engines[m->direct.engine].reason : "";

    if (m->direct.engine >= w->crew->n)
        snprintf(text, size, "this worker has no engine in slot %llu",
                 (unsigned long long)m->direct.engine);
    else if (m->direct.op == DIRECT_CALL && !w->crew->functions)
        snprintf(text, size, "the engine has not started so far%s%.150s", *reason ? ": " : "",
                 reason);
    else if (m->direct.op == DIRECT_CALL && !crew_has(w, name))
        snprintf(text, size, "the engine has no function '%s'", name);
    else if (m->direct.op != DIRECT_CALL && (!*name || strlen(name) > ENGINE_NAME_MAX))
        snprintf(text, size, "the name of a value has 1 to %d bytes", ENGINE_NAME_MAX);
    else
        return NULL;
    return text;
}

static void begin(struct worker *w, const struct message *m)
{
    char text[ERROR_LINE_MAX];
    const char *wrong = why_not(w, m, text, sizeof text);

    if (wrong) {
        say_end(w, m->direct.ticket, END_NOT_STARTED, ERR_NOT_FOUND, wrong);
        return;
    }
    struct call *c = call_new((lease_id){ m->direct.ticket }, true);
    c->engine = (uint32_t)m->direct.engine;
    c->op = m->direct.op;
    c->name = strdup(m->direct.name);
    must(c->name != NULL);
    c->near = m->direct.machine && m->direct.machine == w->crew->machine;
    c->assigned_limit_ms = m->direct.limit_ms;
    c->total = m->direct.more ? m->direct.total : m->direct.data_bytes;
    HASH_ADD(hh, w->crew->by_ticket, id, sizeof c->id, c);
    DL_APPEND(w->crew->engines[c->engine].arriving, c);
    if (!make_room(w, c, &m->direct.file))
        refuse(w, c, ERR_IO, "the worker has no room for the payload");
    else if (c->in.path && c->in.fd < 0)
        ready(w, &w->crew->engines[c->engine]);
    else
        add_part(w, c, m);
}

static void cancel(struct worker *w, struct call *c)
{
    if (!c)
        return;
    if (c->arrived && !c->ended) {
        worker_feed(w, &(struct agent_event){
                           .kind = AGENT_DIRECT_CANCEL, .lease = c->id, .direct = true });
        return;
    }
    say_end(w, c->id.n, END_REVOKED, 0, "");
    if (c->ended)
        forget(w, c);
    else
        drop_arriving(w, c);
}

/* ticket_take - a part of a call that has ended already is passed over. */
void ticket_take(struct worker *w, const struct message *m)
{
    struct call *c = find(w, m->direct.ticket);

    if (m->direct.op == DIRECT_CANCEL)
        cancel(w, c);
    else if (!c && *m->direct.name)
        begin(w, m);
    else if (c && !c->arrived)
        add_part(w, c, m);
}

/* --- out --- */

static void send_part(struct worker *w, struct call *c, const void *data, size_t n)
{
    struct message m = { .kind = MSG_DIRECT_END };

    m.direct_end.ticket = c->id.n;
    m.direct_end.reason = c->reason;
    m.direct_end.code = c->code;
    m.direct_end.text = c->error ? c->error : "";
    m.direct_end.total = c->out.bytes;
    m.direct_end.data = data;
    m.direct_end.data_bytes = n;
    m.direct_end.wall_us = c->wall_us;
    c->out_sent += n;
    m.direct_end.more = c->out_sent < c->out.bytes;
    worker_send(w, &m);
}

/* show - names the file of a long result to a client that can read it here. */
static bool show(struct worker *w, struct call *c)
{
    struct message m = { .kind = MSG_DIRECT_END };
    char path[64]; /* of the open file: its name may be gone already */

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), c->out.fd);
    if (!c->near || !shared_of(c->out.fd, path, &m.direct_end.file))
        return false;
    m.direct_end.file.offset = c->out.offset;
    m.direct_end.ticket = c->id.n;
    m.direct_end.reason = c->reason;
    m.direct_end.text = "";
    m.direct_end.total = c->out.bytes;
    m.direct_end.more = true;
    m.direct_end.wall_us = c->wall_us;
    worker_send(w, &m);
    c->shown = true;
    return true;
}

/* part_bytes - of the next part; 0: not yet. The first one is short and goes alone: how many
 * results come at a time is for who gathers them to say. */
static size_t part_bytes(const struct call *c)
{
    uint64_t left = c->out.bytes - c->out_sent;
    size_t most = c->out_sent ? BLOB_PART_BYTES : INLINE_BYTES_MAX;

    if (c->out_sent && (!c->out_acked || c->out_sent - c->out_acked >= DIRECT_WINDOW_BYTES))
        return 0;
    return left < most ? (size_t)left : most;
}

/* send_file - parts of a long result, as far as they are taken at the other end. */
static void send_file(struct worker *w, struct call *c)
{
    char *part = malloc(BLOB_PART_BYTES);

    must(part != NULL);
    for (size_t n; (n = part_bytes(c)) > 0;) {
        ssize_t got = pread(c->out.fd, part, n, (off_t)(c->out.offset + c->out_sent));
        if (got <= 0) {
            say_end(w, c->id.n, END_INFRA, ERR_IO, "the worker cannot read the result");
            c->out_sent = c->out.bytes;
            break;
        }
        send_part(w, c, part, (size_t)got);
    }
    free(part);
    if (c->out_sent == c->out.bytes)
        forget(w, c);
}

void ticket_answer(struct worker *w, struct call *c)
{
    if (!w->welcomed) {
        forget(w, c);
    } else if (c->reason == END_EXIT && c->code == 0 && c->out.fd >= 0) {
        if (!show(w, c))
            send_file(w, c);
    } else {
        send_part(w, c, c->out.data, c->out.data ? c->out.bytes : 0);
        forget(w, c);
    }
}

void ticket_taken(struct worker *w, const struct message *m)
{
    struct call *c = find(w, m->direct_ack.ticket);

    if (!c || !c->ended || m->direct_ack.bytes > (c->shown ? c->out.bytes : c->out_sent))
        return;
    if (m->direct_ack.bytes == c->out.bytes) { /* out of the file */
        c->out_sent = c->out.bytes;
        send_part(w, c, NULL, 0);
        forget(w, c);
        return;
    }
    if (m->direct_ack.bytes > c->out_acked)
        c->out_acked = m->direct_ack.bytes;
    send_file(w, c);
}

void ticket_end(struct worker *w, struct call *c)
{
    const struct at_engine *e = &w->crew->engines[c->engine];

    if (c->ended) {
        ticket_answer(w, c);
        return;
    }
    if (w->welcomed && e->dead)
        say_end(w, c->id.n, END_LOST, 0, e->reason);
    else if (w->welcomed)
        say_end(w, c->id.n, END_REVOKED, 0, "");
    forget(w, c);
}

void ticket_gone(struct worker *w)
{
    struct call *c, *next;

    HASH_ITER(hh, w->crew->by_ticket, c, next)
    {
        if (c->ended)
            forget(w, c);
        else if (!c->arrived)
            drop_arriving(w, c);
    }
}
