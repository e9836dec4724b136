#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "tests/scenario/core_script.h"

static enum exit_action exit_action_named(const char *name)
{
    static const char *const names[] = { "", "ok", "retry", "fatal", "warn", "quarantine" };

    for (int i = 1; i < N_EXIT_ACTIONS; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum exit_action)i;
    must_fail(__FILE__, __LINE__, "exits are ok, retry, fatal, warn, quarantine");
}

static void policy_words(struct words *w, struct policy *p)
{
    const char *halt = words_value(w, "halt"), *exits = words_value(w, "exits");
    int code, n;
    char action[16];

    p->retries = (uint32_t)words_number(w, "retries", p->retries);
    p->timeout_ms = words_number(w, "timeout", p->timeout_ms);
    p->timeout_percent = (uint32_t)words_number(w, "timeout%", p->timeout_percent);
    needs_words(w, &p->needs);
    share_words(w, p);
    p->order_seed = (uint64_t)words_number(w, "shuffle", (int64_t)p->order_seed);
    p->halt_fails = (uint32_t)words_number(w, "fail", p->halt_fails);
    p->halt_percent = (uint32_t)words_number(w, "fail%", p->halt_percent);
    if (halt)
        p->halt_when = strcmp(halt, "now") == 0 ? HALT_NOW : HALT_SOON;
    /* exits=3:retry,4:fatal,5:ok */
    for (; exits && sscanf(exits, "%d:%15[a-z]%n", &code, action, &n) == 2;
         exits += n + (exits[n] == ','))
        p->exit_action[code & 255] = (uint8_t)exit_action_named(action);
}

/* order=2,0,1: which point is k-th. */
static void order_words(struct words *w, struct scripted *s)
{
    const char *text = words_value(w, "order");
    uint64_t n = 0;

    for (; text && *text; n++) {
        char *end;
        must(n < s->array.n);
        s->order[n] = (uint32_t)strtoul(text, &end, 10);
        text = end + (*end == ',');
    }
    if (n && n != s->array.n)
        words_wrong(w, "order names each point once", "order");
    s->ev.order = n ? s->order : NULL;
}

/* states=rrdfcsq: a letter a task; D: done, with a warning. */
static void states_words(struct words *w, struct scripted *s, uint64_t n)
{
    static const char letters[] = "rwldfcsqbu";
    const char *text = words_value(w, "states");

    if (!text)
        return;
    if (strlen(text) != n)
        words_wrong(w, "states needs one letter a point", text);
    for (uint64_t i = 0; i < n; i++) {
        const char *at = strchr(letters, text[i] == 'D' ? 'd' : text[i]);
        if (!at)
            words_wrong(w, "states are r, d, D, f, c, s, q, u", text);
        s->states[i] = (uint8_t)((at - letters) | (text[i] == 'D' ? STATE_WARNED : 0));
    }
    s->ev.states = s->states;
}

/* adopts=t5:t1,t6:t2 */
static void adopts_words(struct words *w, struct scripted *s)
{
    const char *text = words_value(w, "adopts");
    unsigned long long task, from;
    int n;

    for (; text && sscanf(text, "t%llu:t%llu%n", &task, &from, &n) == 2;
         text += n + (text[n] == ',')) {
        must(s->ev.n_adopts < LIST_MAX);
        s->adopts[s->ev.n_adopts++] =
            (struct change){ .kind = CHG_ADOPT, .task = { task }, .from = { from } };
    }
    s->ev.adopts = s->adopts;
}

static void durations_words(struct words *w, struct scripted *s)
{
    int64_t ms = words_number(w, "took", 0);

    for (size_t i = 0; ms && i < MEDIAN_NEEDS; i++)
        s->durations_us[s->ev.n_durations++] = (uint64_t)ms * 1000;
    s->ev.durations_us = s->durations_us;
}

/* A rule: letters of y (any), f (failure counts too), n (success does not count), w (follows). */
static uint8_t rule_of(struct words *w, const char *text, size_t n)
{
    unsigned rule = 0;

    for (size_t i = 0; i < n; i++) {
        static const char letters[] = "yfnw";
        const char *at = text[i] ? strchr(letters, text[i]) : NULL;
        if (!at)
            words_wrong(w, "rules are of letters y, f, n, w", text);
        rule |= 1u << (at - letters);
    }
    return (uint8_t)rule;
}

/* after=a1,a2:i,a3::yf - i: element by element; then a rule */
static void after_words(struct words *w, struct scripted *s)
{
    const char *text = words_value(w, "after");

    while (text && *text) {
        struct array_edge *e = &s->after[s->array.n_after++];
        char *end;
        must(s->array.n_after < LIST_MAX && *text == 'a');
        *e = (struct array_edge){ .on.n = (uint32_t)strtoul(text + 1, &end, 10) };
        e->element = end[0] == ':' && end[1] == 'i';
        text = end + (*end == ':') + e->element;
        if (*text == ':') {
            size_t n = strcspn(text + 1, ",");
            e->rule = rule_of(w, text + 1, n);
            text += 1 + n;
        }
        text += *text == ',';
    }
    s->array.after = s->after;
}

/* edges=1:t3,2:t4 - call 1 of the append waits for t3. rules=1:yf,2:w - all others wait for all to
 * succeed. */
static void edges_words(struct words *w, struct scripted *s)
{
    const char *text = words_value(w, "edges"), *rules = words_value(w, "rules");
    unsigned long long call, on;
    char rule[8];
    int n;

    for (; text && sscanf(text, "%llu:t%llu%n", &call, &on, &n) == 2;
         text += n + (text[n] == ',')) {
        must(s->ev.n_edges < LIST_MAX);
        s->edges[s->ev.n_edges++] = (struct edge){ .call = call, .on = { on } };
    }
    if (text && *text)
        words_wrong(w, "edges are 1:t3,2:t4", text);
    for (; rules && sscanf(rules, "%llu:%7[a-z]%n", &call, rule, &n) == 2;
         rules += n + (rules[n] == ',')) {
        must(call < POINTS_IN_SCRIPT);
        s->rules[call] = rule_of(w, rule, strlen(rule));
        s->ev.rules = s->rules;
    }
    if (rules && *rules)
        words_wrong(w, "rules are 1:yf,2:w", rules);
    s->ev.edges = s->edges;
}

static void append_words(struct words *w, struct scripted *s)
{
    s->ev.array_id.n = (uint32_t)words_id(w, words_need(w, "an array"), 'a');
    s->ev.at = (uint64_t)words_number(w, "at", 0);
    s->ev.n = (uint64_t)words_number(w, "n", 0);
    s->ev.close = words_flag(w, "close");
    s->ev.stored = words_flag(w, "stored");
    states_words(w, s, s->ev.n);
    edges_words(w, s);
}

static void array_words(struct words *w, struct rows *rows, struct scripted *s)
{
    uint32_t id = (uint32_t)words_id(w, words_need(w, "an array"), 'a');
    struct array_row *row = NULL;
    bool calls = words_flag(w, "calls");

    for (size_t i = 0; i < rows->n; i++)
        if (rows->array[i].id.n == id)
            row = &rows->array[i];
    s->ev.is_new = s->ev.kind == EV_SUBMIT && (row == NULL || words_flag(w, "new"));
    if (!row) {
        must(rows->n < ROWS_MAX);
        if (!rows->next_task)
            rows->next_task = 1;
        row = &rows->array[rows->n++];
        *row = (struct array_row){ .id = { id },
                                   .first = { rows->next_task },
                                   .name = "study",
                                   .spec = "{}",
                                   .spec_bytes = 2 };
        row->kind = calls ? ARRAY_CALLS : ARRAY_POINTS;
        row->n = row->kind == ARRAY_CALLS ? 0 : (uint64_t)words_number(w, "n", 1);
        row->key[0] = id;
        must(row->n <= POINTS_IN_SCRIPT);
        /* Calls have as many ids as an array may have; a hundred are enough to read. */
        rows->next_task += row->kind == ARRAY_CALLS ? CALLS_IN_SCRIPT : row->n;
        row->study.n = (uint32_t)words_number(w, "study", 1);
    }
    policy_words(w, &row->policy);
    s->array = *row;
    s->ev.array = &s->array;
    s->ev.study = row->study;
    s->array.closed = words_flag(w, "closed");
    after_words(w, s);
    states_words(w, s, s->array.n);
    order_words(w, s);
    adopts_words(w, s);
    durations_words(w, s);
    const char *counted = words_value(w, "counted"); /* 1/2: of two ends one failed */
    if (counted &&
        sscanf(counted, "%" SCNu64 "/%" SCNu64, &s->ev.new_failed, &s->ev.new_ended) != 2)
        words_wrong(w, "counted is FAILED/ENDED", counted);
    s->ev.n_reused = (uint64_t)words_number(w, "reused", 0);
    s->ev.template_changed = words_flag(w, "changed");
    s->ev.again = words_flag(w, "again");
    s->ev.halted = words_flag(w, "halted");
    s->ev.active = !s->ev.halted && !words_flag(w, "inactive");
}

void core_worker_words(struct words *w, struct scripted *s, const char *name)
{
    const char *as = words_value(w, "as");

    snprintf(s->worker.name, sizeof s->worker.name, "%s", as ? as : name);
    snprintf(s->worker.host, sizeof s->worker.host, "host");
    s->worker.instance =
        (uint64_t)words_number(w, "instance", (int64_t)(hash64(name, strlen(name), 0) >> 1));
    s->worker.slots = (uint32_t)words_number(w, "slots", 1);
    s->worker.memory_mib = (uint64_t)words_number(w, "memory", 1024);
    s->worker.id.n = (uint32_t)words_number(w, "id", 0);
    s->ev.worker = &s->worker;
    offer_words(w, s);
}

/* Leases: t1/1.1 (queued), t1/1.1@500 (running for 500 ms), t1/1.1! (finished). */
static void held_words(struct words *w, struct scripted *s)
{
    const char *text;

    while ((text = words_next(w)) != NULL) {
        struct event_held *h = &s->held[s->ev.n_held++];
        char lease[64];
        size_t n = strcspn(text, "@!");
        must(s->ev.n_held < LIST_MAX && n < sizeof lease);
        memcpy(lease, text, n);
        lease[n] = '\0';
        h->lease = words_lease(w, lease, &h->task);
        h->finished = text[n] == '!';
        h->running = text[n] == '@';
        h->elapsed_ms = h->running ? atoll(text + n + 1) : 0;
    }
    s->ev.held = s->held;
}

static void result_words(struct words *w, struct scripted *s)
{
    static const struct {
        const char *key;
        enum end_reason reason;
    } reasons[] = {
        { "exit", END_EXIT },       { "signal", END_SIGNAL },
        { "timeout", END_TIMEOUT }, { "not-started", END_NOT_STARTED },
        { "infra", END_INFRA },     { "stopped", END_REVOKED },
    };
    int64_t ms = words_number(w, "ms", 100);

    s->ev.lease = s->end.lease = words_lease(w, words_need(w, "a lease"), &s->end.task);
    s->ev.task = s->end.task;
    s->end.reason = N_END_REASONS;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        int64_t code = words_number(w, reasons[i].key, INT64_MIN);
        if (code == INT64_MIN)
            continue;
        s->end.reason = reasons[i].reason;
        s->end.code = (int32_t)code;
    }
    if (s->end.reason == N_END_REASONS)
        words_wrong(
            w, "how did it end? exit= signal= timeout= not-started= infra= stopped=", "result");
    s->end.wall_us = (uint64_t)ms * 1000;
    s->end.started_ms = 1;
    s->end.ended_ms = 1 + ms;
    s->ev.end = &s->end;
}

static void study_words(struct words *w, struct scripted *s)
{
    const char *text;

    s->ev.study.n = (uint32_t)words_number(w, "study", 1);
    s->ev.array_id.n = (uint32_t)words_number(w, "array", 0);
    s->ev.now = words_flag(w, "now");
    s->ev.failed = words_flag(w, "failed");
    while ((text = words_next(w)) != NULL)
        s->index[s->ev.n_index++] = strtoull(text, NULL, 10);
    s->ev.index = s->index;
}

static void restore_words(struct words *w, struct scripted *s)
{
    if (s->ev.kind == EV_TROUBLE) {
        s->ev.task.n = words_id(w, words_need(w, "a task"), 't');
        s->ev.failures = (uint32_t)words_number(w, "failures", 0);
        s->ev.losses = (uint32_t)words_number(w, "losses", 0);
        const char *lease = words_value(w, "lease");
        if (lease)
            s->ev.lease = words_lease(w, lease, NULL);
    } else {
        s->ev.lease = words_lease(w, words_need(w, "a lease"), &s->ev.task);
        s->ev.worker_id.n = (uint32_t)words_number(w, "worker", 1);
        s->ev.started_ms = words_number(w, "since", 0);
    }
}

static const struct {
    const char *name;
    enum event_kind kind;
} verbs[] = {
    { "array", EV_ARRAY },         { "trouble", EV_TROUBLE },   { "known", EV_KNOWN_WORKER },
    { "was-running", EV_RUNNING }, { "restored", EV_RESTORED }, { "submit", EV_SUBMIT },
    { "hold", EV_HOLD },           { "cancel", EV_CANCEL },     { "retry", EV_RETRY },
    { "follow", EV_FOLLOW },       { "hello", EV_HELLO },       { "beat", EV_BEAT },
    { "result", EV_RESULT },       { "returned", EV_RETURNED }, { "bye", EV_BYE },
    { "gone", EV_GONE },           { "pass", EV_TIMEOUT },      { "append", EV_APPEND },
    { "unload", EV_UNLOAD },       { "drain", EV_DRAIN },       { "leaving", EV_LEAVING },
    { "release", EV_RELEASE },     { "priority", EV_PRIORITY }, { "share", EV_SHARE },
};

const char *core_verb(enum event_kind kind)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (verbs[i].kind == kind)
            return verbs[i].name;
    return "";
}

void core_words(struct words *w, const char *verb, struct rows *rows, struct scripted *s)
{
    size_t i = 0;

    while (i < sizeof verbs / sizeof *verbs && strcmp(verb, verbs[i].name) != 0)
        i++;
    if (i == sizeof verbs / sizeof *verbs)
        words_wrong(w, "unknown event of the core", verb);
    s->ev.kind = verbs[i].kind;
    switch (s->ev.kind) {
    case EV_ARRAY:
    case EV_SUBMIT:
        array_words(w, rows, s);
        break;
    case EV_APPEND:
        append_words(w, s);
        break;
    case EV_UNLOAD:
        s->ev.array_id.n = (uint32_t)words_number(w, "array", 0);
        s->ev.study.n = (uint32_t)words_number(w, "study", 0);
        break;
    case EV_TROUBLE:
    case EV_RUNNING:
        restore_words(w, s);
        break;
    case EV_KNOWN_WORKER:
        core_worker_words(w, s, words_need(w, "a worker"));
        break;
    case EV_HOLD:
    case EV_CANCEL:
    case EV_RETRY:
    case EV_FOLLOW:
        study_words(w, s);
        break;
    case EV_HELLO:
    case EV_BEAT:
    case EV_RETURNED:
        held_words(w, s);
        break;
    case EV_RESULT:
        result_words(w, s);
        break;
    case EV_DRAIN:
    case EV_RELEASE:
    case EV_PRIORITY:
    case EV_SHARE:
        steer_words(w, s);
        break;
    case EV_PLACES:
    case EV_RESTORED:
    case EV_LEAVING:
    case EV_BYE:
    case EV_GONE:
    case EV_TIMEOUT:
        break;
    }
}
