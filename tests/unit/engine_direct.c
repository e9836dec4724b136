/* engine_direct: a real worker with real engines, and direct calls of a client on the same machine:
 * payloads and results that are files, and what others see of a value that changes meanwhile. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/machine.h"
#include "base/spare.h"
#include "tests/unit/engine_help.h"

enum { ITEMS = 1 << 18, BYTES = ITEMS * sizeof(double) }; /* 2 MiB: a file, and several parts */

static struct driver *d;

static void begin(void)
{
    d = driver_open(GRANGE_PROGRAM, (const char *const[]){ "--plugin", COLLATZ, "--log-level",
                                                           "error", "-j", "1", NULL });
    cr_assert_not_null(d);
}

static void end(void)
{
    cr_assert_eq(driver_close(d), 0);
}

#define EXPECT_END(e, reason_, code_)                                                              \
    cr_expect((e)->reason == (reason_) && (e)->code == (code_), "ended with %d %d: %s",            \
              (int)(e)->reason, (e)->code, (e)->error)

static double *all_of(double value)
{
    double *x = malloc(BYTES);

    cr_assert_not_null(x);
    for (size_t i = 0; i < ITEMS; i++)
        x[i] = value;
    return x;
}

/* are - all doubles of a value are the same. */
static bool are(const struct buf *b, double value)
{
    double x;

    if (b->n != BYTES)
        return false;
    for (size_t i = 0; i < ITEMS; i++) {
        memcpy(&x, b->data + i * sizeof x, sizeof x);
        if (x != value)
            return false;
    }
    return true;
}

/* offer - a put whose payload is this open file. */
static void offer(uint64_t ticket, int fd, const char *path, uint64_t machine)
{
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = ticket;
    m.direct.op = DIRECT_PUT;
    m.direct.name = "x";
    m.direct.total = BYTES;
    m.direct.more = true;
    m.direct.machine = machine;
    cr_assert(shared_of(fd, path, &m.direct.file));
    driver_send(d, &m);
}

static int file_in(const char *dir, const double *x, char *path, size_t n)
{
    int fd = open(dir, O_TMPFILE | O_RDWR, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, x, BYTES), (ssize_t)BYTES);
    snprintf(path, n, "/proc/%d/fd/%d", (int)getpid(), fd);
    return fd;
}

/* put_file - offered, and taken. */
static void put_file(uint64_t ticket, const double *x)
{
    char path[64];
    int fd = file_in(d->dir, x, path, sizeof path);

    offer(ticket, fd, path, machine_id());
    cr_assert(driver_until(d, d->tickets[ticket].ended));
    EXPECT_END(&d->tickets[ticket], END_EXIT, 0);
    close(fd);
}

/* get - from a client that could read files here, or could not. */
static void get(uint64_t ticket, uint64_t machine)
{
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = ticket;
    m.direct.op = DIRECT_GET;
    m.direct.name = "x";
    m.direct.machine = machine;
    driver_send(d, &m);
}

Test(engine_direct, a_file_of_the_client_becomes_the_value)
{
    double *x = all_of(3);

    begin();
    put_file(1, x);
    get(2, 0);
    cr_assert(driver_until(d, d->n_ends == 2));
    cr_expect_eq(d->named[1], 0); /* no further round trip */
    cr_expect(are(&d->tickets[2].result, 3));
    free(x);
    end();
}

/* declined - the worker asks for the payload in another way, and gets it so. */
static void declined(const char *dir, uint64_t machine, bool names_one)
{
    double *x = all_of(4);
    char path[64];
    size_t sent = 0;

    begin();
    int fd = file_in(dir, x, path, sizeof path);
    d->acked[1] = 1;
    offer(1, fd, path, machine);
    cr_assert(driver_until(d, d->acked[1] == 0));
    cr_expect_eq(d->named[1], names_one);
    while (sent < BYTES) {
        struct message m = { .kind = MSG_DIRECT };
        m.direct.ticket = 1;
        m.direct.op = DIRECT_PUT;
        m.direct.name = "";
        m.direct.total = BYTES;
        m.direct.data = (char *)x + sent;
        m.direct.data_bytes = BLOB_PART_BYTES;
        sent += BLOB_PART_BYTES;
        m.direct.more = sent < BYTES;
        driver_send(d, &m);
    }
    get(2, 0);
    cr_assert(driver_until(d, d->n_ends == 2));
    EXPECT_END(&d->tickets[1], END_EXIT, 0);
    cr_expect(are(&d->tickets[2].result, 4));
    close(fd);
    free(x);
    end();
}

Test(engine_direct, a_file_from_another_file_system_is_declined)
{
    struct stat shm, tmp;

    if (stat("/dev/shm", &shm) != 0 || stat("/tmp", &tmp) != 0 || shm.st_dev == tmp.st_dev ||
        access("/dev/shm", W_OK) != 0)
        return;
    declined("/dev/shm", machine_id(), true);
}

Test(engine_direct, a_file_of_another_machine_is_declined)
{
    declined("/tmp", machine_id() ^ 2, false);
}

/* shorter_put - a value named "x" of BYTES in a file, said to be of 8 fewer. Returns the file. */
static int shorter_put(const double *x, struct message *m, char *path, size_t bytes)
{
    int fd = file_in(d->dir, x, path, bytes);

    m->direct.ticket = 1;
    m->direct.op = DIRECT_PUT;
    m->direct.name = "x";
    m->direct.total = BYTES - 8;
    m->direct.more = true;
    m->direct.machine = machine_id();
    cr_assert(shared_of(fd, path, &m->direct.file));
    driver_send(d, m);
    return fd;
}

Test(engine_direct, a_file_that_is_not_what_was_said_is_declined)
{
    double *x = all_of(1);
    struct message m = { .kind = MSG_DIRECT };
    char path[64];

    begin();
    int fd = shorter_put(x, &m, path, sizeof path);
    cr_expect(driver_until(d, d->named[1] == 1), "a file of another length was taken");
    m.direct.ticket = 2;
    m.direct.total = BYTES;
    m.direct.file.inode++;
    driver_send(d, &m);
    m.direct.op = DIRECT_CANCEL;
    m.direct.ticket = 1; /* so that it is the turn of the second */
    driver_send(d, &m);
    cr_expect(driver_until(d, d->named[2] == 1), "another file was taken");
    close(fd);
    free(x);
    end();
}

static void refused(uint64_t ticket, enum err code, const char *text)
{
    cr_assert(driver_until(d, d->tickets[ticket].ended), "'%s' was not said", text);
    EXPECT_END(&d->tickets[ticket], END_NOT_STARTED, (int)code);
    cr_expect_str_eq(d->tickets[ticket].error, text);
}

Test(engine_direct, a_payload_that_finds_no_room_is_refused)
{
    enum {
        ROOM = 3 << 20,
        MORE = 2 * ROOM
    }; /* bytes of a file; the page of an engine needs 1 MiB */
    char *x = calloc(MORE, 1);

    cr_assert_not_null(x);
    signal(SIGXFSZ, SIG_IGN); /* the worker inherits both */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ ROOM, ROOM }), 0);
    begin();
    driver_direct_long(d, 1, 0, DIRECT_PUT, "x", x, MORE);
    refused(1, ERR_IO, "the worker cannot store the payload");
    driver_direct_long(d, 2, 0, DIRECT_PUT, "x", x, BYTES);
    cr_assert(driver_until(d, d->tickets[2].ended));
    EXPECT_END(&d->tickets[2], END_EXIT, 0);
    char command[200]; /* no directory can be made of it any more */
    snprintf(command, sizeof command, "cd %s && rm -rf engines && : >engines", d->dir);
    cr_assert_eq(system(command), 0);
    driver_direct_long(d, 3, 0, DIRECT_PUT, "x", x, BYTES);
    refused(3, ERR_IO, "the worker has no room for the payload");
    free(x);
    end();
}

Test(engine_direct, a_payload_that_is_not_what_was_said_is_refused)
{
    double *x = all_of(1);
    struct message m = { .kind = MSG_DIRECT };
    char path[64];

    begin();
    int fd = shorter_put(x, &m, path, sizeof path);
    /* Declined, and a file named that the client may fill, which it did not. */
    m.direct.filled = true;
    m.direct.name = "";
    driver_send(d, &m);
    refused(1, ERR_MALFORMED, "the payload is not as long as was said");
    m = (struct message){ .kind = MSG_DIRECT };
    m.direct.ticket = 2;
    m.direct.op = DIRECT_PUT;
    m.direct.name = "x";
    m.direct.more = true;
    m.direct.total = 10;
    m.direct.data = "more than ten";
    m.direct.data_bytes = 13;
    driver_send(d, &m);
    refused(2, ERR_MALFORMED, "the parts of the payload are not as long as was said");
    m.direct.ticket = 3;
    m.direct.data_bytes = 5;
    driver_send(d, &m);
    m.direct.more = false; /* its last */
    m.direct.name = "";
    m.direct.data_bytes = 4;
    driver_send(d, &m);
    refused(3, ERR_MALFORMED, "the parts of the payload are not as long as was said");
    close(fd);
    free(x);
    end();
}

Test(engine_direct, a_long_result_is_shown_as_a_file)
{
    double *x = all_of(5), first;

    begin();
    put_file(1, x);
    d->holds = true;
    get(2, machine_id());
    struct driver_end *e = &d->tickets[2];
    cr_assert(driver_until(d, *e->file));
    cr_expect(e->total == BYTES && e->result.n == 0 && !e->ended);
    struct shared_file shown = { e->file, 0, e->device, e->inode };
    int fd = shared_open(&shown, false);
    cr_assert_geq(fd, 0);
    cr_expect(shared_read(fd, &first, sizeof first, BYTES - sizeof first) && first == 5);
    close(fd);
    driver_ack(d, 2, BYTES);
    cr_assert(driver_until(d, e->ended));
    /* Who cannot read it gets it in parts. */
    get(3, machine_id());
    cr_assert(driver_until(d, *d->tickets[3].file));
    d->holds = false;
    driver_ack(d, 3, 0);
    cr_assert(driver_until(d, d->tickets[3].ended));
    cr_expect(are(&d->tickets[3].result, 5));
    free(x);
    end();
}

/* A get that is still being read when a call changes the value in place shows what was there. */
Test(engine_direct, a_get_sees_one_version)
{
    double *x = all_of(1);

    begin();
    driver_direct_long(d, 1, 0, DIRECT_PUT, "x", x, BYTES);
    d->holds = true;
    get(2, 0);
    cr_assert(driver_until(d, d->tickets[2].result.n == INLINE_BYTES_MAX));
    driver_direct(d, 3, 0, DIRECT_CALL, "add_one", "x", 1);
    driver_direct(d, 4, 0, DIRECT_CALL, "add_one", "x", 1);
    cr_assert(driver_until(d, d->tickets[4].ended));
    d->holds = false;
    driver_ack(d, 2, INLINE_BYTES_MAX);
    get(5, 0);
    cr_assert(driver_until(d, d->n_ends == 5));
    cr_expect(are(&d->tickets[2].result, 1), "it was changed while it was read");
    cr_expect(are(&d->tickets[5].result, 3));
    free(x);
    end();
}

/* inode_of - the file in which the value is now. */
static uint64_t inode_of(uint64_t ticket)
{
    d->holds = true;
    get(ticket, machine_id());
    cr_assert(driver_until(d, *d->tickets[ticket].file));
    driver_ack(d, ticket, BYTES);
    cr_assert(driver_until(d, d->tickets[ticket].ended));
    return d->tickets[ticket].inode;
}

/* A value that nobody reads is changed where it is: released gets cost no copy. */
Test(engine_direct, a_value_that_is_not_read_is_not_copied)
{
    double *x = all_of(1);

    begin();
    driver_direct_long(d, 1, 0, DIRECT_PUT, "x", x, BYTES);
    uint64_t before = inode_of(2);
    driver_direct(d, 3, 0, DIRECT_CALL, "add_one", "x", 1);
    cr_assert(driver_until(d, d->tickets[3].ended));
    cr_expect_eq(inode_of(4), before);
    free(x);
    end();
}

/* What was replaced is there for the next one: the files of values are used again. */
Test(engine_direct, files_of_values_are_used_again)
{
    double *x = all_of(1);
    char spare[200], taken[300];

    begin();
    spare_path(d->dir, spare, sizeof spare);
    put_file(1, x);
    uint64_t first = inode_of(2);
    cr_expect_eq(spare_take(spare, BYTES, taken, sizeof taken), -1);
    put_file(3, x);
    driver_direct(d, 4, 0, DIRECT_CALL, "turn", "", 0); /* after its answer it tidies up */
    cr_assert(driver_until(d, d->tickets[4].ended));
    int fd = spare_take(spare, BYTES, taken, sizeof taken);
    struct stat st = { 0 };
    cr_expect(fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == first && st.st_size == BYTES);
    if (fd >= 0)
        close(fd);
    unlink(taken);
    free(x);
    end();
}

/* values_there - how many files of values, or of payloads, the worker has. */
static unsigned values_there(void)
{
    char command[200], n[16] = "";

    snprintf(command, sizeof command, "find %s/engines -name 'in-*' | wc -l", d->dir);
    FILE *f = popen(command, "r");
    cr_assert(f && fgets(n, sizeof n, f));
    pclose(f);
    return (unsigned)atoi(n);
}

static void put_part(uint64_t ticket, const char *name, const char *data, size_t from, size_t to,
                     size_t total)
{
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = ticket;
    m.direct.op = DIRECT_PUT;
    m.direct.name = name;
    m.direct.total = total;
    m.direct.data = data + from;
    m.direct.data_bytes = to - from;
    m.direct.more = to < total;
    driver_send(d, &m);
}

/* With an engine its values go; what is on its way comes to the next one. */
Test(engine_direct, values_go_with_their_engine)
{
    enum { LONG = 1 << 20 };
    double *x = all_of(1);
    const char *data = (const char *)x;

    begin();
    driver_direct_long(d, 1, 0, DIRECT_PUT, "x", x, BYTES);
    cr_assert(driver_until(d, d->tickets[1].ended));
    put_part(2, "y", data, 0, INLINE_BYTES_MAX, LONG);
    cr_assert(driver_until(d, d->acked[2]));
    cr_expect_eq(values_there(), 2);
    driver_array(d, 1, "misbehave", "");
    driver_assign(d, 1, 1, 1, "crash", 5);
    cr_assert(driver_until(d, d->engines[0].restarts == 1 && d->engines[0].pid));
    cr_expect_eq(values_there(), 1);
    put_part(2, "", data, INLINE_BYTES_MAX, LONG, LONG);
    cr_assert(driver_until(d, d->tickets[2].ended));
    EXPECT_END(&d->tickets[2], END_EXIT, 0);
    driver_direct(d, 3, 0, DIRECT_GET, "y", NULL, 0);
    cr_assert(driver_until(d, d->tickets[3].ended));
    cr_expect(d->tickets[3].result.n == LONG && memcmp(d->tickets[3].result.data, x, LONG) == 0);
    free(x);
    end();
}

enum { EACH = 2000, BUNDLE = 256 };

/* take_turns - both kinds wait for one engine: which of them it does, in its order. */
static void take_turns(bool direct[2 * EACH])
{
    struct message cancel = { .kind = MSG_DIRECT };
    uint64_t turn;

    driver_array(d, 1, "turn", "");
    driver_direct(d, 3000, 0, DIRECT_CALL, "misbehave", "wait", 4);
    driver_assign(d, 1, 1, EACH, "", 0);
    for (uint64_t i = 1; i <= EACH; i++)
        driver_direct(d, i, 0, DIRECT_CALL, "turn", "", 0);
    cancel.direct.ticket = 3000;
    cancel.direct.op = DIRECT_CANCEL;
    cancel.direct.name = "";
    driver_send(d, &cancel); /* all of them are behind it */
    cr_assert(driver_until(d, d->n_ends == 2 * EACH + 1));
    for (size_t i = 1; i <= EACH; i++) {
        for (int k = 0; k < 2; k++) {
            const struct buf *b = k ? &d->tickets[i].result : &d->leases[i].result;
            cr_assert_eq(b->n, sizeof turn);
            memcpy(&turn, b->data, sizeof turn);
            cr_assert(turn >= 1 && turn <= 2 * EACH);
            direct[turn - 1] = k;
        }
    }
}

/* left_over - of one kind when the other was done; *longest: how many of a kind in a row before. */
static unsigned left_over(const bool direct[2 * EACH], unsigned *longest)
{
    unsigned run = 0, left[2] = { EACH, EACH };

    *longest = 0;
    for (size_t i = 0; left[0] && left[1]; i++) {
        run = i && direct[i] == direct[i - 1] ? run + 1 : 1;
        *longest = run > *longest ? run : *longest;
        left[direct[i]]--;
    }
    return left[0] + left[1];
}

/* Neither kind waits for more than a bundle of the other. How many a bundle has follows from how
 * long such calls took, which is anything while others use the machine: so that both get on alike
 * is seen in one run of several. */
Test(engine_direct, queued_and_direct_calls_take_turns)
{
    static bool direct[2 * EACH];
    unsigned longest, left = EACH;

    for (int tries = 0; tries < 10 && left > EACH / 2; tries++) {
        begin();
        take_turns(direct);
        left = left_over(direct, &longest);
        cr_expect(longest <= BUNDLE, "%u of a kind in a row", longest);
        end();
    }
    cr_expect(left <= EACH / 2, "one kind was done when %u of the other were left", left);
}
