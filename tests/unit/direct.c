/* direct: routing of operations on engines, without connections: what was sent is a list. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "scheduler/direct.h"

enum { SENT_MAX = 4096 };

static const peer_id ada = { 101 }, bob = { 102 }, worker = { 201 }, other = { 202 };

struct sent {
    uint64_t to;
    struct message m;
    char text[200];
};
static struct sent sent[SENT_MAX];
static size_t n_sent;
static struct direct *d;

static void note(void *context, peer_id to, const struct message *m)
{
    (void)context;
    cr_assert(n_sent < SENT_MAX);
    struct sent *s = &sent[n_sent++];
    s->to = to.n;
    s->m = *m;
    if (m->kind == MSG_DIRECT_END)
        snprintf(s->text, sizeof s->text, "%s", m->direct_end.text ? m->direct_end.text : "");
}

static void tell(peer_id w, uint32_t slots)
{
    struct engine_info infos[8] = { 0 };

    for (uint32_t i = 0; i < slots; i++)
        infos[i] = (struct engine_info){ .slot = i, .pid = 1000 + i, .state = ENGINE_IDLE };
    direct_engines(d, w, infos, slots);
}

static void setup(void)
{
    n_sent = 0;
    d = direct_new(note, NULL);
    direct_hello(d, worker, 7, "node1", "host1");
    tell(worker, 2);
}

static void teardown(void)
{
    direct_free(d);
}

TestSuite(direct, .init = setup, .fini = teardown);

static void ask(peer_id client, uint64_t ticket, uint64_t engine, size_t bytes, bool more)
{
    static char data[BLOB_PART_BYTES];
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = ticket;
    m.direct.engine = engine;
    m.direct.op = DIRECT_CALL;
    m.direct.name = "f";
    m.direct.total = bytes;
    m.direct.data = data;
    m.direct.data_bytes = bytes;
    m.direct.more = more;
    direct_from_client(d, client, &m);
}

static void part(peer_id client, uint64_t ticket, size_t bytes)
{
    static char data[BLOB_PART_BYTES];
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = ticket;
    m.direct.name = "";
    m.direct.data = data;
    m.direct.data_bytes = bytes;
    m.direct.more = true;
    direct_from_client(d, client, &m);
}

static void answer(peer_id w, uint64_t ticket, bool more)
{
    struct message m = { .kind = MSG_DIRECT_END };

    m.direct_end.ticket = ticket;
    m.direct_end.text = "";
    m.direct_end.more = more;
    direct_from_worker(d, w, &m);
}

static void acknowledge(bool from_client, peer_id from, uint64_t ticket, uint64_t bytes)
{
    struct message m = { .kind = MSG_DIRECT_ACK };

    m.direct_ack.ticket = ticket;
    m.direct_ack.bytes = bytes;
    if (from_client)
        direct_from_client(d, from, &m);
    else
        direct_from_worker(d, from, &m);
}

static void expect_end(size_t i, peer_id to, uint64_t ticket, enum end_reason reason, int32_t code)
{
    cr_assert_gt(n_sent, i);
    cr_expect_eq(sent[i].to, to.n);
    cr_expect_eq(sent[i].m.kind, MSG_DIRECT_END);
    cr_expect_eq(sent[i].m.direct_end.ticket, ticket);
    cr_expect_eq(sent[i].m.direct_end.reason, reason);
    cr_expect_eq(sent[i].m.direct_end.code, code);
}

Test(direct, a_call_goes_to_its_slot_and_its_end_to_its_client)
{
    ask(ada, 5, 1, 10, false);
    cr_assert_eq(n_sent, 1);
    cr_expect_eq(sent[0].to, worker.n);
    cr_expect_eq(sent[0].m.direct.engine, 1); /* the slot */
    answer(worker, sent[0].m.direct.ticket, false);
    expect_end(1, ada, 5, END_EXIT, 0);
    cr_expect_eq(direct_counts(d).tickets, 0);
}

Test(direct, two_clients_may_use_the_same_ticket)
{
    ask(ada, 5, 0, 1, false);
    ask(bob, 5, 0, 1, false);
    cr_assert_eq(n_sent, 2);
    cr_expect_neq(sent[0].m.direct.ticket, sent[1].m.direct.ticket);
    answer(worker, sent[1].m.direct.ticket, false);
    expect_end(2, bob, 5, END_EXIT, 0);
}

Test(direct, unknown_engines_are_refused_by_name)
{
    ask(ada, 1, 2, 1, false);
    expect_end(0, ada, 1, END_NOT_STARTED, ERR_NOT_FOUND);
    cr_expect_str_eq(sent[0].text,
                     "there is no such engine; 2 are there: 'grange workers' lists them");
    cr_expect_eq(direct_counts(d).refused, 1);
}

Test(direct, a_lost_worker_ends_what_was_on_its_way_in_order)
{
    ask(ada, 1, 0, 1, false);
    ask(ada, 2, 0, 1, false);
    ask(bob, 3, 1, 1, false);
    direct_gone(d, worker, false, 1000);
    expect_end(3, ada, 1, END_LOST, 0);
    expect_end(4, ada, 2, END_LOST, 0);
    expect_end(5, bob, 3, END_LOST, 0);
    cr_expect_str_eq(sent[3].text, "its worker 'node1' was lost");
    ask(ada, 4, 0, 1, false);
    expect_end(6, ada, 4, END_NOT_STARTED, ERR_LOST);
    cr_expect_eq(direct_list(d, NULL, 0), 0);
}

Test(direct, engines_keep_their_ids_over_a_reconnect)
{
    struct direct_engine list[4];

    direct_hello(d, other, 8, "node2", "host2");
    tell(other, 1);
    direct_gone(d, worker, false, 1000);
    direct_hello(d, (peer_id){ 203 }, 7, "node1", "host1");
    tell((peer_id){ 203 }, 2);
    cr_assert_eq(direct_list(d, list, 4), 3);
    for (uint64_t i = 0; i < 3; i++)
        cr_expect_eq(list[i].info.engine, i);
    cr_expect_str_eq(list[2].worker_name, "node2");
    ask(ada, 1, 1, 1, false);
    cr_expect_eq(sent[0].to, 203);
}

Test(direct, ids_are_not_reused_by_the_process_that_replaces_a_worker)
{
    ask(ada, 1, 0, 1, false);
    direct_hello(d, other, 8, "node1", "host1");
    tell(other, 2);
    expect_end(1, ada, 1, END_LOST, 0);
    ask(ada, 2, 0, 1, false);
    expect_end(2, ada, 2, END_NOT_STARTED, ERR_NOT_FOUND);
    cr_expect_str_eq(sent[2].text, "it is gone, and its worker with it");
    ask(ada, 3, 2, 1, false);
    cr_expect_eq(sent[3].to, other.n);
}

Test(direct, a_hello_before_the_end_of_the_old_connection_counts)
{
    ask(ada, 1, 0, 1, false);
    direct_hello(d, other, 7, "node1", "host1");
    expect_end(1, ada, 1, END_LOST, 0);
    direct_gone(d, worker, false, 1000); /* of the old connection */
    ask(ada, 2, 0, 1, false);
    cr_expect_eq(sent[2].to, other.n);
}

Test(direct, a_worker_that_leaves_takes_its_engines_along)
{
    direct_gone(d, worker, true, 1000);
    ask(ada, 1, 0, 1, false);
    expect_end(0, ada, 1, END_NOT_STARTED, ERR_NOT_FOUND);
}

Test(direct, a_worker_that_stays_away_is_forgotten)
{
    direct_gone(d, worker, false, 1000);
    direct_forget(d, 1000 + ORPHAN_AFTER_MS - 1);
    ask(ada, 1, 0, 1, false);
    expect_end(0, ada, 1, END_NOT_STARTED, ERR_LOST);
    direct_forget(d, 1000 + ORPHAN_AFTER_MS);
    ask(ada, 2, 0, 1, false);
    expect_end(1, ada, 2, END_NOT_STARTED, ERR_NOT_FOUND);
}

Test(direct, a_client_that_goes_has_its_calls_cancelled)
{
    ask(ada, 1, 0, 1, false);
    ask(ada, 2, 1, 1, false);
    direct_gone(d, ada, false, 1000);
    cr_assert_eq(n_sent, 4);
    for (size_t i = 2; i < 4; i++) {
        cr_expect_eq(sent[i].to, worker.n);
        cr_expect_eq(sent[i].m.direct.op, DIRECT_CANCEL);
        cr_expect_eq(sent[i].m.direct.ticket, sent[i - 2].m.direct.ticket);
    }
    answer(worker, sent[0].m.direct.ticket, false); /* to nobody */
    cr_expect_eq(n_sent, 4);
}

Test(direct, another_worker_cannot_answer)
{
    direct_hello(d, other, 8, "node2", "host2");
    ask(ada, 1, 0, 1, false);
    answer(other, sent[0].m.direct.ticket, false);
    cr_expect_eq(n_sent, 1);
    cr_expect_eq(direct_counts(d).tickets, 1);
}

Test(direct, parts_flow_as_they_are_acknowledged)
{
    ask(ada, 1, 0, INLINE_BYTES_MAX, true);
    acknowledge(false, worker, sent[0].m.direct.ticket, INLINE_BYTES_MAX);
    cr_expect_eq(sent[1].to, ada.n);
    cr_expect_eq(sent[1].m.direct_ack.ticket, 1);
    for (int i = 0; i < 4; i++)
        part(ada, 1, BLOB_PART_BYTES);
    cr_assert_eq(n_sent, 6);
    cr_expect_eq(sent[5].to, worker.n);
    cr_expect_eq(sent[5].m.direct.ticket, sent[0].m.direct.ticket);
    answer(worker, sent[0].m.direct.ticket, true);
    cr_expect_eq(direct_counts(d).tickets, 1);
    acknowledge(true, ada, 1, 100);
    cr_expect_eq(sent[7].to, worker.n);
    answer(worker, sent[0].m.direct.ticket, false);
    cr_expect_eq(direct_counts(d).tickets, 0);
    part(ada, 1, 100); /* too late: nothing comes of it */
    cr_expect_eq(n_sent, 9);
}

Test(direct, a_client_that_sends_beyond_its_credit_loses_the_call)
{
    uint64_t most = DIRECT_WINDOW_BYTES + BLOB_PART_BYTES, n = INLINE_BYTES_MAX;

    ask(ada, 1, 0, n, true);
    for (; n + BLOB_PART_BYTES <= most; n += BLOB_PART_BYTES)
        part(ada, 1, BLOB_PART_BYTES);
    part(ada, 1, most - n);
    cr_expect_eq(sent[n_sent - 1].m.direct.op, DIRECT_CALL);
    cr_expect_eq(direct_counts(d).tickets, 1);
    part(ada, 1, 1);
    cr_expect_eq(sent[n_sent - 2].m.direct.op, DIRECT_CANCEL);
    expect_end(n_sent - 1, ada, 1, END_NOT_STARTED, ERR_LIMIT);
    cr_expect_str_eq(sent[n_sent - 1].text, "more bytes than were acknowledged room for");
    cr_expect_eq(direct_counts(d).tickets, 0);
}

Test(direct, bytes_and_operations_of_a_client_are_bounded)
{
    uint64_t at = 1;

    for (; (at + 1) * BLOB_PART_BYTES <= DIRECT_BYTES_MAX; at++)
        ask(ada, at, 0, BLOB_PART_BYTES, false);
    ask(ada, at++, 0, BLOB_PART_BYTES, false);
    size_t before = n_sent;
    ask(ada, at, 0, 1, false);
    expect_end(before, ada, at, END_NOT_STARTED, ERR_LIMIT);
    char text[200];
    snprintf(text, sizeof text,
             "too many bytes are on their way, of %llu operations: wait for some to end",
             (unsigned long long)at - 1);
    cr_expect_str_eq(sent[before].text, text);
    ask(bob, 1, 0, 1, false); /* others go on */
    cr_expect_eq(sent[before + 1].to, worker.n);
    direct_gone(d, ada, false, 0);
    before = n_sent;
    for (at = 1; at <= DIRECT_TICKETS_MAX + 1; at++)
        ask(ada, at, 1, 0, false);
    expect_end(n_sent - 1, ada, DIRECT_TICKETS_MAX + 1, END_NOT_STARTED, ERR_LIMIT);
    snprintf(text, sizeof text, "%d operations of this client are on their way; that is the limit",
             DIRECT_TICKETS_MAX);
    cr_expect_str_eq(sent[n_sent - 1].text, text);
    cr_expect_eq(n_sent - before, DIRECT_TICKETS_MAX + 1);
}

/* fill - engine 0, with what several clients send; *last is the ticket that the worker got last. */
static void fill(uint64_t *last)
{
    const uint64_t clients = DIRECT_ENGINE_BYTES_MAX / DIRECT_BYTES_MAX,
                   each = DIRECT_BYTES_MAX / BLOB_PART_BYTES;

    for (uint64_t i = 0; i < clients * each; i++)
        ask((peer_id){ 300 + i / each }, 1 + i % each, 0, BLOB_PART_BYTES, false);
    cr_assert_eq(n_sent, clients * each);
    *last = sent[n_sent - 1].m.direct.ticket;
}

static void expect_full(uint64_t ticket)
{
    size_t before = n_sent;

    ask(bob, ticket, 0, 1, false);
    expect_end(before, bob, ticket, END_NOT_STARTED, ERR_LIMIT);
}

/* goes - to the worker; returns the ticket there. */
static uint64_t goes(uint64_t ticket, uint64_t engine, size_t bytes)
{
    size_t before = n_sent;

    ask(bob, ticket, engine, bytes, false);
    cr_assert_eq(n_sent, before + 1);
    cr_assert_eq(sent[before].to, worker.n, "%s", sent[before].text);
    return sent[before].m.direct.ticket;
}

Test(direct, bytes_to_an_engine_are_bounded)
{
    uint64_t last;

    fill(&last);
    expect_full(1);
    goes(2, 1, 1); /* others go on */
    acknowledge(false, worker, last, 2);
    uint64_t small = goes(3, 0, 2);
    expect_full(4);
    acknowledge(false, worker, last,
                1); /* one that was overtaken frees nothing, and takes nothing */
    acknowledge(false, worker, small, 3); /* nor one of more than was sent */
    expect_full(5);
    answer(worker, small, false);
    goes(6, 0, 2);
    expect_full(7);
    answer(worker, last, false); /* what was not acknowledged is not on its way either */
    goes(8, 0, BLOB_PART_BYTES - 2);
    expect_full(9);
}

Test(direct, a_client_that_goes_leaves_the_engine_its_room)
{
    uint64_t last;

    fill(&last);
    direct_gone(d, (peer_id){ 300 }, false, 1000);
    n_sent = 0;
    for (uint64_t i = 0; i < DIRECT_BYTES_MAX / BLOB_PART_BYTES; i++)
        goes(1 + i, 0, BLOB_PART_BYTES);
    expect_full(1000);
}

Test(direct, a_payload_of_more_than_a_gibibyte_is_refused)
{
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = 1;
    m.direct.name = "f";
    m.direct.total = (uint64_t)BLOB_BYTES_MAX + 1;
    direct_from_client(d, ada, &m);
    expect_end(0, ada, 1, END_NOT_STARTED, ERR_LIMIT);
    cr_expect_str_eq(sent[0].text, "1073741825 bytes; the limit is 1 GiB");
}

Test(direct, a_ticket_that_is_in_use_begins_no_second_call)
{
    ask(ada, 1, 0, 1, false);
    ask(ada, 1, 0, 1, false);
    expect_end(n_sent - 1, ada, 1, END_NOT_STARTED, ERR_EXISTS);
    cr_expect_str_eq(sent[n_sent - 1].text, "this ticket is in use");
    cr_expect_eq(direct_counts(d).tickets, 1);
}
