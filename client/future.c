/* future - submitting, waiting, results: the public functions of one future and of a few. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "client/session.h"

static int no_future(struct grange *g, struct grange_future f)
{
    return session_leave(g, (int)fault_set(session_fault(), ERR_NOT_FOUND,
                                           "%016" PRIx64 " is no future of this connection", f.id));
}

/* ---- submitting */

/* check_after - what the call waits for is there and can come. */
static enum err check_after(const struct grange *g, const struct grange_options *o, struct fault *f)
{
    const unsigned bits = GRANGE_ANY | GRANGE_ON_FAILURE | GRANGE_NOT_SUCCESS | GRANGE_FOLLOW;

    if (!o)
        return ERR_NONE;
    if (o->rule & ~bits || (o->rule && !o->n_after))
        return fault_set(f, ERR_USAGE,
                         o->n_after ? "rule %u is none; see GRANGE_ANY and the others"
                                    : "rule %u needs futures in `after`",
                         o->rule);
    if ((o->rule & (GRANGE_ON_FAILURE | GRANGE_NOT_SUCCESS)) == GRANGE_NOT_SUCCESS)
        return fault_set(f, ERR_USAGE,
                         "GRANGE_NOT_SUCCESS without GRANGE_ON_FAILURE: no end would count");
    if (o->n_after > AFTER_MAX)
        return fault_set(f, ERR_LIMIT, "a call waits for %d others at the most", AFTER_MAX);
    for (size_t i = 0; i < o->n_after; i++) {
        uint64_t index;
        const struct series *of = future_find(g, o->after[i], &index);
        if (!of)
            return fault_set(f, ERR_NOT_FOUND, "after[%zu] is no future of this connection", i);
        if (of->refused)
            return fault_set(f, ERR_STATE, "after[%zu] was refused: %s", i, of->refused->text);
    }
    return ERR_NONE;
}

/* room - waits until the backlog has room; false: why not is told. */
static bool room(struct grange *g, size_t bytes, enum err *err)
{
    struct wait w = wait_for(GRANGE_FOREVER);

    while (g->calls.backlog && g->calls.backlog + bytes > BACKLOG_BYTES_MAX) {
        if (wait_end(g, &w, "no room", err))
            return false;
        pump_turn(g, wait_patience(g, &w));
    }
    return true;
}

/* add - one call; the lock is held. */
static enum err add(struct grange *g, struct series *s, const struct grange_bytes *item,
                    const struct grange_options *o)
{
    enum err err = ERR_NONE;

    if (item->bytes > BLOB_BYTES_MAX)
        return fault_set(session_fault(), ERR_LIMIT, "a payload has at most %d bytes",
                         BLOB_BYTES_MAX);
    if (s->n == POINTS_MAX)
        return fault_set(session_fault(), ERR_LIMIT, "one key has at most %d calls", POINTS_MAX);
    if (g->calls.backlog + item->bytes > BACKLOG_BYTES_MAX && !room(g, item->bytes, &err))
        return err;
    append_call(g, s, item->data, item->bytes, o);
    append_begun(g, s);
    return ERR_NONE;
}

static int submit(struct grange *g, const char *function, const struct grange_bytes *items,
                  size_t n, const struct grange_options *o, struct grange_future *first)
{
    struct series *s = NULL;
    struct fault *f = session_fault();

    session_enter(g);
    enum err err =
        g->refused ? (*f = g->refusal, f->code) : series_of_options(g, function, o, &s, f);
    if (!err && s->refused)
        err = fault_set(f, s->refused->code, "%s", s->refused->text);
    if (!err && s->closed && s->n + n > s->known)
        err =
            fault_set(f, ERR_STATE, "key '%s' is closed after %" PRIu64 " calls", s->key, s->known);
    if (!err)
        err = check_after(g, o, f);
    if (!err && s->n + n > POINTS_MAX)
        err = fault_set(f, ERR_LIMIT, "one key has at most %d calls", POINTS_MAX);
    if (err)
        return session_leave(g, (int)err);
    pump_start(g);
    series_open(g, s);
    if (first)
        *first = series_future(s, s->n);
    for (size_t i = 0; i < n && !err; i++)
        err = add(g, s, &items[i], o);
    return session_leave(g, (int)err);
}

int grange_call(struct grange *g, const char *function, const void *data, size_t bytes,
                const struct grange_options *o, struct grange_future *f)
{
    return submit(g, function ? function : "", &(struct grange_bytes){ data, bytes }, 1, o, f);
}

int grange_command(struct grange *g, const char *command, const struct grange_options *o,
                   struct grange_future *f)
{
    return submit(g, NULL, &(struct grange_bytes){ command, strlen(command) }, 1, o, f);
}

int grange_batch(struct grange *g, const char *function, const struct grange_bytes *items, size_t n,
                 const struct grange_options *o, struct grange_future *first)
{
    return submit(g, function, items, n, o, first);
}

int grange_sweep(struct grange *g, const char *json, size_t bytes, unsigned flags,
                 int64_t timeout_ms, struct grange_submitted *reply, struct grange_future *first)
{
    struct grange_submitted r;
    int code = grange_submit(g, json, bytes, flags, timeout_ms, &r);

    if (code != GRANGE_OK)
        return code;
    session_enter(g);
    pump_start(g);
    *first = series_future(series_of_points(g, &r), 0);
    if (reply)
        *reply = r;
    return session_leave(g, GRANGE_OK);
}

/* drained - waits until nothing of the series (NULL: of any) is on its way. */
static enum err drained(struct grange *g, const struct series *s, struct wait w)
{
    enum err err = ERR_NONE;

    while (append_has(&g->calls, s) &&
           !wait_end(g, &w, "the scheduler did not take all calls", &err))
        pump_turn(g, wait_patience(g, &w));
    return err;
}

int grange_key_close(struct grange *g, const char *key, int64_t timeout_ms)
{
    struct wait w = wait_for(timeout_ms);

    session_enter(g);
    struct series *s = series_find_key(g, key);
    if (!s || s->picked)
        return session_wrong(g, ERR_NOT_FOUND, "no call was submitted under this key here");
    if (!s->refused && !s->closed) {
        append_close(g, s);
        append_begun(g, s);
    }
    enum err err = drained(g, s, w);
    if (!err && s->refused)
        err = fault_set(session_fault(), s->refused->code, "%s", s->refused->text);
    return session_leave(g, (int)err);
}

int grange_flush(struct grange *g, int64_t timeout_ms)
{
    struct wait w = wait_for(timeout_ms);

    session_enter(g);
    return session_leave(g, (int)drained(g, NULL, w));
}

/* ---- keys */

int grange_future_key(struct grange *g, struct grange_future f, char *key, size_t key_bytes)
{
    uint64_t index;

    session_enter(g);
    const struct series *s = future_find(g, f, &index);
    if (!s)
        return no_future(g, f);
    int n = s->points ? snprintf(key, key_bytes, "#%u@%s:%" PRIu64, s->array.n,
                                 s->home ? s->home : "", index)
                      : snprintf(key, key_bytes, "%s:%" PRIu64, s->key, index);
    if (n < 0 || (size_t)n >= key_bytes)
        return session_wrong(g, ERR_LIMIT,
                             "there is no room for the key; GRANGE_KEY_BYTES is "
                             "enough");
    return session_leave(g, GRANGE_OK);
}

/* split - "fit:7" into fit and 7. */
static bool split(const char *key, char *name, size_t name_bytes, uint64_t *index)
{
    const char *colon = strrchr(key, ':');
    char *rest = NULL;

    if (!colon || colon == key || (size_t)(colon - key) >= name_bytes)
        return false;
    memcpy(name, key, (size_t)(colon - key));
    name[colon - key] = '\0';
    *index = strtoull(colon + 1, &rest, 10);
    return colon[1] >= '0' && colon[1] <= '9' && !*rest && *index < POINTS_MAX;
}

/* look_for - waits until the series is open; whether it has the index. */
static enum err look_for(struct grange *g, struct series *s, uint64_t index, struct wait w)
{
    enum err err = ERR_NONE;

    series_open(g, s);
    while (!s->opened && !s->refused && !wait_end(g, &w, "the scheduler did not answer", &err)) {
        pump_turn(g, wait_patience(g, &w));
        series_open(g, s);
    }
    if (s->refused)
        return fault_set(session_fault(), s->refused->code, "%s", s->refused->text);
    if (!err && index >= s->known && index >= s->n)
        err = fault_set(session_fault(), ERR_NOT_FOUND,
                        "'%s' has %" PRIu64 " call%s; there is no number %" PRIu64, s->key,
                        s->known, s->known == 1 ? "" : "s", index);
    return err;
}

/* unwant - one thread fewer opens it. As if it had not been looked for, when nobody else did: the
 * next time it may be there. */
static void unwant(struct series *s, uint64_t index)
{
    struct slot *slot = &s->slots[index];

    slot->opening--;
    if (slot_wanted(slot))
        return;
    s->n_wanted--;
    if (!s->picked) /* meanwhile calls were submitted under its key: the end is theirs */
        return;
    s->n_ended -= slot->end != NULL;
    end_free(slot->end);
    slot->end = NULL;
}

/* told - the scheduler knows that this one is wanted: a Collect since the first `before` was
 * answered, or the end is here. */
static bool told(const struct series *s, uint64_t index, uint64_t before)
{
    return s->refused || !s->picked || s->slots[index].end ||
           (s->n_collects > before && !s->request);
}

/* want - one more future of a series that is looked at; waits until the scheduler has heard it.
 * What is on its way may not name it: that is waited for first. */
static enum err want(struct grange *g, struct series *s, uint64_t index, struct wait w)
{
    enum err err = ERR_NONE;
    uint64_t before = s->n_collects;

    series_room(s, index + 1);
    if (s->slots[index].opened || !s->picked)
        return ERR_NONE;
    s->n_wanted += !slot_wanted(&s->slots[index]);
    s->slots[index].opening++;
    do {
        if (!s->request && s->n_collects == before)
            s->opened ? series_collect(g, s) : series_reopen(g, s);
        pump_turn(g, wait_patience(g, &w));
    } while (!told(s, index, before) && !wait_end(g, &w, "the scheduler did not answer", &err));
    if (!err && s->refused)
        err = fault_set(session_fault(), s->refused->code, "%s", s->refused->text);
    s->slots[index].opened = s->slots[index].opened || !err;
    unwant(s, index);
    return err;
}

int grange_future_open(struct grange *g, const char *key, int64_t timeout_ms,
                       struct grange_future *f)
{
    struct wait w = wait_for(timeout_ms);
    char name[KEY_BYTES_MAX + 1];
    uint64_t index;

    session_enter(g);
    if (!split(key, name, sizeof name, &index))
        return session_wrong(g, ERR_USAGE, "the key of a future is like fit:7");
    pump_start(g);
    struct series *s = series_look(g, name);
    enum err err = s->points ? ERR_NONE : look_for(g, s, index, w);
    if (!err)
        err = want(g, s, index, w);
    if (err) {
        series_forgive(s);
        return session_leave(g, (int)err);
    }
    *f = series_future(s, index);
    return session_leave(g, GRANGE_OK);
}

/* ---- waiting */

static const struct end *end_of(const struct grange *g, struct grange_future f, bool *known)
{
    uint64_t index;
    const struct series *s = future_find(g, f, &index);

    *known = s && !s->slots[index].forgotten;
    return *known ? s->slots[index].end : NULL;
}

bool grange_ready(struct grange *g, struct grange_future f)
{
    bool known;

    session_enter(g);
    if (!end_of(g, f, &known))
        pump_turn(g, 0); /* at least what is here */
    bool ready = end_of(g, f, &known) != NULL;
    session_leave(g, GRANGE_OK);
    return ready;
}

int grange_wait_all(struct grange *g, const struct grange_future *f, size_t n, int64_t timeout_ms)
{
    struct wait w = wait_for(timeout_ms);
    enum err err = ERR_NONE;

    session_enter(g);
    for (size_t i = 0; i < n; i++) {
        bool known;
        while (!end_of(g, f[i], &known)) {
            if (!known)
                return no_future(g, f[i]);
            if (wait_end(g, &w, "it has not ended", &err))
                return session_leave(g, (int)err);
            pump_turn(g, wait_patience(g, &w));
        }
    }
    return session_leave(g, GRANGE_OK);
}

int grange_wait(struct grange *g, struct grange_future f, int64_t timeout_ms)
{
    return grange_wait_all(g, &f, 1, timeout_ms);
}

int grange_wait_any(struct grange *g, const struct grange_future *f, size_t n, int64_t timeout_ms,
                    size_t *which)
{
    struct wait w = wait_for(timeout_ms);
    enum err err = ERR_NONE;

    session_enter(g);
    if (n == 0)
        return session_wrong(g, ERR_USAGE, "there is no future to wait for");
    for (;;) {
        for (size_t i = 0; i < n; i++) {
            bool known;
            if (end_of(g, f[i], &known)) {
                *which = i;
                return session_leave(g, GRANGE_OK);
            }
            if (!known)
                return no_future(g, f[i]);
        }
        for (uint64_t ended = g->calls.n_ended; ended == g->calls.n_ended;) {
            if (wait_end(g, &w, "none has ended", &err))
                return session_leave(g, (int)err);
            pump_turn(g, wait_patience(g, &w));
        }
    }
}

/* ---- what came of it */

const char *grange_outcome_name(enum grange_outcome outcome)
{
    static const char *const names[] = { "done",    "failed",      "cancelled",
                                         "skipped", "quarantined", "refused" };

    return (unsigned)outcome < sizeof names / sizeof *names ? names[outcome] : "?";
}

static int not_ended(struct grange *g)
{
    return session_wrong(g, ERR_STATE, "it has not ended yet");
}

int grange_get(struct grange *g, struct grange_future f, struct grange_result *r)
{
    uint64_t index;

    session_enter(g);
    struct series *s = future_find(g, f, &index);
    if (!s || s->slots[index].forgotten)
        return no_future(g, f);
    if (!s->slots[index].end)
        return not_ended(g);
    end_result(g, s->slots[index].end, r);
    return session_leave(g, GRANGE_OK);
}

int grange_on_end(struct grange *g, struct grange_future f, grange_callback *fn, void *context)
{
    uint64_t index;

    session_enter(g);
    struct series *s = future_find(g, f, &index);
    if (!s || s->slots[index].forgotten)
        return no_future(g, f);
    ends_watch(g, &s->slots[index], f, &(struct watch){ .fn = fn, .context = context });
    pump_callbacks(g);
    return session_leave(g, GRANGE_OK);
}

int grange_forget(struct grange *g, struct grange_future f)
{
    uint64_t index;

    session_enter(g);
    struct series *s = future_find(g, f, &index);
    if (!s || s->slots[index].forgotten)
        return no_future(g, f);
    if (!s->slots[index].end)
        return not_ended(g);
    end_free(s->slots[index].end);
    s->slots[index].end = NULL;
    s->slots[index].forgotten = true;
    return session_leave(g, GRANGE_OK);
}

/* ---- cancelling */

/* to_cancel - the indexes of those n futures that have not ended; of one series. */
static uint64_t *to_cancel(const struct series *s, uint64_t first, uint64_t n, size_t *count)
{
    uint64_t *index = malloc((n + 1) * sizeof *index);

    must(index != NULL);
    *count = 0;
    for (uint64_t i = first; i < first + n && i < s->n_slots; i++) {
        if (!s->slots[i].end && !s->slots[i].forgotten)
            index[(*count)++] = i;
    }
    return index;
}

int grange_future_cancel(struct grange *g, struct grange_future first, uint64_t n,
                         int64_t timeout_ms)
{
    struct wait w = wait_for(timeout_ms);
    struct message m = { .kind = MSG_CANCEL };
    struct request r = { 0 };
    enum err err = ERR_NONE;
    uint64_t at, last;

    session_enter(g);
    struct series *s = future_find(g, first, &at);
    if (n == 0)
        return session_leave(g, GRANGE_OK);
    if (!s || future_find(g, grange_nth(first, n - 1), &last) != s)
        return no_future(g, first);
    while (!s->refused && !s->points && last >= s->known && !err) {
        if (!wait_end(g, &w, "the scheduler did not take the calls", &err))
            pump_turn(g, wait_patience(g, &w));
    }
    uint64_t *index = to_cancel(s, at, n, &m.cancel.n);
    if (!err && m.cancel.n > 0) {
        m.cancel.request = r.number = session_number(g);
        m.cancel.study = s->home ? s->home : "#";
        m.cancel.array = s->array;
        m.cancel.index = index;
        err = (enum err)session_ask(g, &m, &r, w);
    } else {
        session_leave(g, GRANGE_OK);
    }
    free(index);
    return (int)err;
}
