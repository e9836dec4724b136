/* tap - listens to what scheduler, workers and clients say to each other; tests/cli/session.bats
 * compares it with docs/protocol.md.
 *
 *   tap SOCKET SCHEDULER     each connection to SOCKET is passed on to the socket SCHEDULER
 *
 * It prints a line a message as that page has them: who is at the other end, > to the scheduler or
 * < from it, the message, its fields that are set. What differs from run to run (times, process
 * ids, ..) is shown as "..", and what time alone causes is left out: beats, and progress before the
 * end. It ends with its stdin. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/must.h"
#include "proto/grange.pb-c.h"

enum { TAPS_MAX = 64, TEXT_SHOWN = 36 };

struct side {
    int fd;
    struct buf in; /* not yet shown */
};

struct tap {
    struct side peer, scheduler;
    const char *who;
    bool answered;    /* by a scheduler; one that is being killed takes connections for a moment */
    struct buf early; /* what was said before that */
};

/* Shown as "..", and not at all what may be 0 or not. */
static const char *const differing[] = { "instance",   "pid",        "host",     "submitted_ms",
                                         "started_ms", "ended_ms",   "since_ms", "maxrss_kib",
                                         "machine",    "memory_mib", "spec",     "metrics",
                                         "values",     "key" };
static const char *const uncertain[] = { "wall_us", "user_us",   "sys_us",  "elapsed_ms",
                                         "base_ms", "submitted", "started", "ended" };

/* ---- a message as text ---- */

static void add_message(const ProtobufCMessage *m, const char *before, const char *after,
                        struct buf *out);

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

static bool differs(const char *name)
{
    return is_one_of(name, differing, sizeof differing / sizeof *differing);
}

static void add_bytes(const ProtobufCBinaryData *b, struct buf *out)
{
    bool text = b->len <= TEXT_SHOWN;
    if (b->len > 6 && memcmp(b->data, "calls-", 6) == 0) { /* a name that was drawn */
        buf_adds(out, "\"calls-..\"");
        return;
    }
    for (size_t i = 0; i < b->len && text; i++)
        text = b->data[i] >= ' ' && b->data[i] < 127;
    if (text)
        buf_addf(out, "\"%.*s\"", (int)b->len, (const char *)b->data);
    else
        buf_addf(out, "(%zu bytes)", b->len);
}

/* Ids of leases are an epoch and a number. */
static void add_number(uint64_t n, struct buf *out)
{
    if (n >> 32 && n != UINT64_MAX)
        buf_addf(out, "%" PRIu64 ".%" PRIu32, n >> 32, (uint32_t)n);
    else
        buf_addf(out, "%" PRIu64, n);
}

static size_t element_size(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        return 4;
    }
}

static bool is_set(const ProtobufCFieldDescriptor *f, const void *value)
{
    static const char zero[sizeof(ProtobufCBinaryData)];
    if (f->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)value)->len > 0;
    return memcmp(value, zero, element_size(f)) != 0;
}

static void add_value(const ProtobufCFieldDescriptor *f, const void *value, struct buf *out)
{
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        add_message(*(ProtobufCMessage *const *)value, "{", "}", out);
    else if (differs(f->name))
        buf_adds(out, "..");
    else if (f->type == PROTOBUF_C_TYPE_BYTES)
        add_bytes(value, out);
    else if (f->type == PROTOBUF_C_TYPE_BOOL)
        buf_adds(out, "true");
    else if (f->type == PROTOBUF_C_TYPE_ENUM)
        buf_adds(out,
                 protobuf_c_enum_descriptor_get_value(f->descriptor, *(const int *)value)->name);
    else if (f->type == PROTOBUF_C_TYPE_DOUBLE)
        buf_addf(out, "%g", *(const double *)value);
    else if (f->type == PROTOBUF_C_TYPE_SINT32 || f->type == PROTOBUF_C_TYPE_INT32)
        buf_addf(out, "%" PRId32, *(const int32_t *)value);
    else if (element_size(f) == 8)
        add_number(*(const uint64_t *)value, out);
    else
        buf_addf(out, "%" PRIu32, *(const uint32_t *)value);
}

static void add_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, struct buf *out)
{
    const char *at = (const char *)m + f->offset,
               *before = out->n && strchr("{ ", out->data[out->n - 1]) ? "" : " ";
    if (is_one_of(f->name, uncertain, sizeof uncertain / sizeof *uncertain))
        return;
    if (f->label != PROTOBUF_C_LABEL_REPEATED) {
        if (!is_set(f, at))
            return;
        buf_addf(out, "%s%s=", before, f->name);
        add_value(f, at, out);
        return;
    }
    size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
    const char *list = *(char *const *)(const void *)at;
    for (size_t i = 0; i < n; i++) {
        if (i == 0)
            buf_addf(out, "%s%s=[", before, f->name);
        else
            buf_adds(out, ", ");
        add_value(f, list + i * element_size(f), out);
    }
    if (n)
        buf_addc(out, ']');
}

static void add_message(const ProtobufCMessage *m, const char *before, const char *after,
                        struct buf *out)
{
    buf_adds(out, before);
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        add_field(m, &m->descriptor->fields[i], out);
    buf_adds(out, after);
}

/* ---- a connection ---- */

static bool is_shown(const Wire__Envelope *e)
{
    return e->message_case != WIRE__ENVELOPE__MESSAGE_BEAT &&
           (e->message_case != WIRE__ENVELOPE__MESSAGE_PROGRESS ||
            e->progress->state == WIRE__STUDY_STATE__ENDED);
}

static void show(struct tap *t, const void *frame, size_t n, char way)
{
    Wire__Envelope *e = wire__envelope__unpack(NULL, n, frame);
    must(e);
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(e->base.descriptor, (unsigned)e->message_case);
    const ProtobufCMessage *m = (const ProtobufCMessage *)e->hello; /* of the union */
    if (e->message_case == WIRE__ENVELOPE__MESSAGE_HELLO)
        t->who = e->hello->role == WIRE__ROLE__WORKER ? "worker" : "client";
    struct buf line = { 0 };
    const char *kind = ((const ProtobufCMessageDescriptor *)f->descriptor)->short_name;
    if (strcmp(f->name, "ack") == 0 || strcmp(f->name, "revoke") == 0 ||
        strcmp(f->name, "returned") == 0 || strcmp(f->name, "cancel") == 0 ||
        strcmp(f->name, "retry") == 0)
        kind = f->name; /* what several share */
    buf_addf(&line, "%-7s %c %c%-10s ", t->who ? t->who : "?", way, kind[0] & ~0x20, kind + 1);
    add_message(m, "", "", &line);
    while (line.n && line.data[line.n - 1] == ' ')
        line.n--;
    buf_addc(&line, '\n');
    t->answered = t->answered || way == '<';
    if (is_shown(e))
        buf_add(&t->early, line.data, line.n);
    if (t->answered) {
        fwrite(t->early.data, 1, t->early.n, stdout);
        buf_clear(&t->early);
    }
    buf_fini(&line);
    wire__envelope__free_unpacked(e, NULL);
}

static void show_frames(struct tap *t, struct buf *in, char way)
{
    uint32_t n = 0;
    while (in->n >= sizeof n && (memcpy(&n, in->data, sizeof n), in->n >= sizeof n + n)) {
        if (n)
            show(t, in->data + sizeof n, n, way);
        in->n -= sizeof n + n;
        memmove(in->data, in->data + sizeof n + n, in->n);
    }
}

/* pass - false at the end of the connection. */
static bool pass(struct tap *t, struct side *from, struct side *to)
{
    char block[65536];
    ssize_t n = recv(from->fd, block, sizeof block, 0);
    if (n <= 0)
        return false;
    buf_add(&from->in, block, (size_t)n);
    show_frames(t, &from->in, from == &t->peer ? '>' : '<');
    for (ssize_t sent = 0, k; sent < n; sent += k)
        if ((k = send(to->fd, block + sent, (size_t)(n - sent), MSG_NOSIGNAL)) <= 0)
            return false;
    return true;
}

static void end(struct tap *t)
{
    close(t->peer.fd);
    close(t->scheduler.fd);
    buf_fini(&t->peer.in);
    buf_fini(&t->scheduler.in);
    buf_fini(&t->early);
    *t = (struct tap){ .peer.fd = -1, .scheduler.fd = -1 };
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    must(strlen(path) < sizeof a.sun_path);
    strcpy(a.sun_path, path);
    return a;
}

static void begin(struct tap *t, int peer, const char *scheduler)
{
    struct sockaddr_un a = address(scheduler);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *t = (struct tap){ .peer.fd = peer, .scheduler.fd = fd };
    must(fd >= 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a))
        end(t); /* it is not there just now: the peer dials again */
}

int main(int argc, char **argv)
{
    static struct tap taps[TAPS_MAX];
    struct pollfd fds[2 + 2 * TAPS_MAX];
    must(argc == 3);
    struct sockaddr_un a = address(argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, TAPS_MAX) == 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < TAPS_MAX; i++)
        taps[i] = (struct tap){ .peer.fd = -1, .scheduler.fd = -1 };
    for (;;) {
        size_t free_tap = TAPS_MAX;
        for (size_t i = 0; i < TAPS_MAX; i++) {
            fds[2 + 2 * i] = (struct pollfd){ .fd = taps[i].peer.fd, .events = POLLIN };
            fds[3 + 2 * i] = (struct pollfd){ .fd = taps[i].scheduler.fd, .events = POLLIN };
            free_tap = taps[i].peer.fd < 0 ? i : free_tap;
        }
        must(free_tap < TAPS_MAX);
        fds[0] = (struct pollfd){ .fd = 0, .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
        must(poll(fds, 2 + 2 * TAPS_MAX, -1) >= 0 || errno == EINTR);
        if (fds[0].revents)
            return 0;
        for (size_t i = 0; i < TAPS_MAX; i++) {
            struct tap *t = &taps[i];
            if ((fds[2 + 2 * i].revents && !pass(t, &t->peer, &t->scheduler)) ||
                (fds[3 + 2 * i].revents && !pass(t, &t->scheduler, &t->peer)))
                end(t);
        }
        if (fds[1].revents)
            begin(&taps[free_tap], accept(listener, NULL, NULL), argv[2]);
    }
}
