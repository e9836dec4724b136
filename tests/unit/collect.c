/* collect: who collects points from the beginning gets the ends of older arrays and the points that
 * were left out in pieces, one a turn, however many there are. collect.c alone, with doubles of
 * all that it asks: they count. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/calls.h"

enum { N = 50000, PIECE = 4096, FIRST = 1000, OLD = 7 /* ended.n of the first adopted end */ };

static struct scheduler s;
static struct calls_table table;
static struct calls points = { .id = { 5 }, .first = { FIRST }, .span = N, .points = true };
static uint64_t n_adopted, n_skipped; /* of N points: the first ones; the last ones */
static uint64_t n_read, n_asked;      /* in this turn: ends of the store; states of the core */
static size_t queued;                 /* at the peer */
static struct {
    uint8_t seen[N];
    uint64_t n, n_left_out, messages;
    bool caught_up;
} client;

/* --- doubles --- */

static const struct end_body left_out = { .error_line = "left out by --where" };

void send_message(struct scheduler *sc, peer_id to, const struct message *m)
{
    (void)sc;
    cr_assert_eq(to.n, 3);
    if (m->kind != MSG_ENDS)
        return;
    client.messages++;
    client.caught_up = m->ends.caught_up;
    for (size_t i = 0; i < m->ends.n; i++) {
        const struct call_end *e = &m->ends.ends[i];
        cr_assert_lt(e->index, (uint64_t)N);
        cr_assert_eq(++client.seen[e->index], 1, "point %d came twice", (int)e->index);
        client.n++;
        if (e->state != TASK_SKIPPED)
            continue;
        client.n_left_out++;
        cr_assert_str_eq(e->extra->error, left_out.error_line);
    }
}

size_t link_queued(struct link *l, peer_id peer)
{
    (void)l;
    (void)peer;
    return queued;
}

enum err store_adopted(struct store *st, task_id first, task_id last, store_adopted_fn fn,
                       void *ctx, struct fault *f)
{
    (void)st;
    (void)f;
    cr_assert(first.n == FIRST && last.n == FIRST + N - 1);
    for (uint64_t i = 0; i < n_adopted; i++)
        fn(ctx, OLD + i, (task_id){ FIRST + i });
    return ERR_NONE;
}

enum err store_ends(struct store *st, task_id first, task_id last, uint64_t *cursor, uint64_t most,
                    store_end_fn fn, void *ctx, struct fault *f)
{
    struct end_row row = { .task = { 1 + *cursor }, .state = TASK_DONE };

    (void)st;
    (void)f;
    if (first.n == FIRST) { /* its own: none has ended */
        cr_assert_eq(last.n, FIRST + N - 1);
        *cursor = store_end_n(st);
        return ERR_NONE;
    }
    cr_assert_eq(most, 1);
    n_read++;
    fn(ctx, ++*cursor, &row);
    return ERR_NONE;
}

uint64_t store_end_n(const struct store *st)
{
    (void)st;
    return OLD + N;
}

bool core_array(const struct core *c, array_id id, struct core_array *a)
{
    (void)c;
    *a = (struct core_array){ .id = id, .n = N };
    a->counts.skipped = n_skipped;
    return true;
}

enum task_state core_task_state(const struct core *c, task_id task)
{
    (void)c;
    n_asked++;
    return task.n - FIRST >= N - n_skipped ? TASK_SKIPPED : TASK_READY;
}

enum err calls_find(struct scheduler *sc, const char *key, array_id id, struct calls **c,
                    struct fault *f)
{
    (void)sc;
    (void)f;
    cr_assert(!*key && id.n == points.id.n);
    *c = NULL;
    return ERR_NONE;
}

enum err calls_points(struct scheduler *sc, array_id id, struct calls **c, struct fault *f)
{
    (void)sc;
    (void)id;
    (void)f;
    *c = &points;
    return ERR_NONE;
}

/* What is not called here. */
#define NEVER cr_assert_fail("called")
struct calls *calls_by_task(struct scheduler *sc, task_id task)
{
    (void)sc;
    (void)task;
    NEVER;
    return NULL;
}
struct chunk *chunk_of(struct calls *c, uint64_t index)
{
    (void)c;
    (void)index;
    return NULL; /* of points there are none */
}
void chunk_ended(struct scheduler *sc, struct chunk *k)
{
    (void)sc;
    (void)k;
    NEVER;
}
void chunk_trim(struct scheduler *sc)
{
    (void)sc;
    NEVER;
}
void told_drop(struct calls *c, uint64_t index)
{
    (void)c;
    (void)index;
    NEVER;
}
size_t told_since(struct scheduler *sc, struct calls *c, uint64_t number, struct buf *shares)
{
    (void)sc;
    (void)c;
    (void)number;
    (void)shares;
    NEVER;
    return 0;
}
enum err store_worker(struct store *st, worker_id id, bool *found, struct worker_row *row,
                      struct fault *f)
{
    (void)st;
    (void)id;
    (void)found;
    (void)row;
    (void)f;
    NEVER;
    return ERR_IO;
}
void request_refuse(struct scheduler *sc, peer_id to, uint64_t request, enum err code,
                    const char *text)
{
    (void)sc;
    (void)to;
    (void)request;
    (void)code;
    (void)text;
    NEVER;
}
void loop_die(struct scheduler *sc, const struct fault *f)
{
    (void)sc;
    (void)f;
    NEVER;
}
int loop_exit_code(const struct fault *f)
{
    (void)f;
    NEVER;
    return 0;
}

/* --- tests --- */

/* collects - all of it; returns how many turns that took. Each is a piece at most. */
static unsigned collects(void)
{
    struct message m = { .kind = MSG_COLLECT };
    unsigned turns = 0;

    table.behind_bytes = 1 << 20;
    s.calls = &table;
    m.collect.request = 1;
    m.collect.key = "";
    m.collect.array = points.id;
    collect_request(&s, (peer_id){ 3 }, &m);
    cr_expect(n_read == 0 && n_asked == 0 && client.messages == 0);
    while (!client.caught_up) {
        uint64_t n = client.n;
        n_read = n_asked = 0;
        ms_t again = collect_step(&s);
        cr_assert_leq(n_read, (uint64_t)PIECE);
        cr_assert_leq(n_asked, (uint64_t)PIECE);
        cr_assert_leq(client.n - n, (uint64_t)PIECE);
        cr_assert_eq(again, client.caught_up ? MS_NEVER : 0);
        cr_assert_lt(++turns, 1000u);
    }
    collect_free(&s, &points);
    return turns;
}

Test(collect, ends_of_older_arrays_come_in_pieces)
{
    n_adopted = 30000;
    unsigned turns = collects();
    cr_expect_eq(client.n, 30000);
    cr_expect_eq(client.n_left_out, 0);
    /* one finds that nothing was left out, the last that nothing else has ended */
    cr_expect_eq(turns, 1 + (30000 + PIECE - 1) / PIECE + 1, "%u turns", turns);
}

Test(collect, points_that_were_left_out_come_in_pieces)
{
    n_skipped = 20000;
    unsigned turns = collects();
    cr_expect_eq(client.n, 20000);
    cr_expect_eq(client.n_left_out, 20000);
    cr_expect_eq(turns, (N + PIECE - 1) / PIECE + 1, "%u turns", turns);
}

Test(collect, nothing_is_read_for_who_does_not_read)
{
    struct message m = { .kind = MSG_COLLECT };

    n_adopted = 30000;
    queued = 1 << 20;
    table.behind_bytes = 1 << 20;
    s.calls = &table;
    m.collect.key = "";
    m.collect.array = points.id;
    collect_request(&s, (peer_id){ 3 }, &m);
    ms_t again = collect_step(&s);
    cr_expect(again > 0 && again < 1000);
    cr_expect(n_read == 0 && client.messages == 0);
    queued = 0;
    while (!client.caught_up)
        collect_step(&s);
    cr_expect_eq(client.n, 30000);
    collect_free(&s, &points);
}
