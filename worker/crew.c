/* crew - what the agent decides about calls is done here: given to engines, taken back, stopped.
 */
#include "worker/crew.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "base/spare.h"
#include "worker/tree.h"

/* --- what workers leave behind --- */

void crew_delete_spares(const struct worker *w)
{
    char path[PATH_MAX];

    spare_path(w->scratch, path, sizeof path);
    tree_delete(path);
}

void crew_sweep(const struct worker *w, const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = strlen(w->host);

    crew_delete_spares(w);
    for (struct dirent *at; d && (at = readdir(d)) != NULL;) {
        int pid = 0, end = 0;
        if (strncmp(at->d_name, w->host, n) != 0 ||
            sscanf(at->d_name + n, "-%d%n", &pid, &end) != 1 || at->d_name[n + (size_t)end] ||
            pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        char *path;
        must(asprintf(&path, "%s/%s", dir, at->d_name) > 0);
        tree_delete(path);
        free(path);
    }
    if (d)
        closedir(d);
}

/* --- the calls of arrays --- */

void crew_take(struct worker *w, const struct grant *g, struct payload *p, const void *payload,
               size_t bytes, const struct blob_ref *blob, ms_t limit_ms)
{
    if (crew_find(w, g->lease))
        return;
    struct call *c = call_new(g->lease, false);
    c->task = g->task;
    c->array = payload_array(p);
    c->payload = payload_ref(p);
    c->assigned_limit_ms = limit_ms;
    HASH_ADD(hh, w->crew->by_lease, id, sizeof c->id, c);
    if (!blob) {
        matter_copy(&c->in, payload, bytes);
        crew_ready(w, c);
    } else if (!parcel_fetch(w, c, blob->blob, blob->bytes)) {
        crew_forget(w, g->lease);
        leases_add(&w->returned, g->lease);
    }
}

void crew_ready(struct worker *w, struct call *c)
{
    const struct policy *policy = payload_policy(c->payload);

    worker_feed(w, &(struct agent_event){ .kind = AGENT_ASSIGN,
                                          .lease = c->id,
                                          .task = c->task,
                                          .array = c->array,
                                          .limit_ms = c->assigned_limit_ms,
                                          .grace_ms = policy->grace_ms,
                                          .cores = policy->needs.cores,
                                          .memory_mib = policy->needs.memory_mib,
                                          .call = true });
}

struct call *crew_find(const struct worker *w, lease_id lease)
{
    struct call *c;

    HASH_FIND(hh, w->crew->by_lease, &lease, sizeof lease, c);
    return c;
}

static struct call *find_ticket(const struct worker *w, lease_id ticket)
{
    struct call *c;

    HASH_FIND(hh, w->crew->by_ticket, &ticket, sizeof ticket, c);
    return c;
}

void crew_forget(struct worker *w, lease_id lease)
{
    struct call *c = crew_find(w, lease);

    if (!c)
        return;
    parcel_drop(w, c);
    HASH_DEL(w->crew->by_lease, c);
    call_free(c);
}

/* --- giving --- */

static uint32_t function_number(struct at_engine *e, const struct call *c)
{
    if (!c->direct && e->cached_array.n == c->array.n)
        return e->cached_function;
    int64_t n = engine_function(&e->engine, c->direct ? c->name : payload_function(c->payload));
    must(n >= 0); /* it was asked for before the agent heard of it; engines here are alike */
    if (!c->direct) {
        e->cached_array = c->array;
        e->cached_function = (uint32_t)n;
    }
    return (uint32_t)n;
}

/* add_frame - kind, head and name as they are; the payload, or where it is. */
static void add_frame(struct engine *e, const struct call *c, enum frame_kind kind,
                      const void *head, size_t head_bytes)
{
    const char *name = kind == FRAME_CALL ? NULL : c->name;
    size_t name_bytes = name ? strlen(name) : 0;

    if (!c->in.path) {
        engine_add(e, kind, 0, c->number, head, head_bytes, name, name_bytes, c->in.data,
                   c->in.bytes);
        return;
    }
    struct buf file = { 0 };
    struct file_body body = { c->in.offset, c->in.bytes };
    buf_add(&file, &body, sizeof body);
    buf_adds(&file, c->in.path);
    engine_add(e, kind, FRAME_FILE, c->number, head, head_bytes, name, name_bytes, file.data,
               file.n);
    buf_fini(&file);
}

static void add_call(struct at_engine *e, const struct call *c)
{
    static const enum frame_kind kinds[] = { [DIRECT_CALL] = FRAME_CALL,
                                             [DIRECT_PUT] = FRAME_PUT,
                                             [DIRECT_GET] = FRAME_GET,
                                             [DIRECT_DROP] = FRAME_DELETE };

    if (c->op != DIRECT_CALL) {
        struct name_body head = { (uint32_t)strlen(c->name), 0 };
        add_frame(&e->engine, c, kinds[c->op], &head, sizeof head);
        return;
    }
    struct call_body head = { .function = function_number(e, c), .seed = 1 };
    if (c->direct) {
        head.seed = 1 + (uint32_t)(c->id.n % INT32_MAX);
    } else {
        head.seed = payload_seed(c->payload, c->task);
        head.attempt = c->id.n;
    }
    add_frame(&e->engine, c, FRAME_CALL, &head, sizeof head);
}

void crew_begin(struct at_engine *e)
{
    struct call *c = e->first;

    if (!c || c->started_us)
        return;
    c->started_ms = clock_wall_ms();
    c->started_us = clock_mono_us();
}

static void give(struct worker *w, struct call *c, uint32_t engine)
{
    struct at_engine *e = &w->crew->engines[engine];

    must(!c->number && engine < w->crew->n);
    c->engine = engine;
    c->number = ++e->next_number;
    c->started_us = 0;
    DL_APPEND(e->first, c);
    w->crew->turned |= e->n++ == 0;
    if (e->engine.bundles && !page_offer(e->engine.page, c->number)) {
        e->engine.broken = "a page that is spoiled"; /* it wrote where it should not */
        run_signal(&e->engine.run, SIGKILL);
    }
    if (!c->direct)
        engine_allow(&e->engine, payload_policy(c->payload)->needs.memory_mib);
    add_call(e, c);
    crew_begin(e);
}

/* --- taking back, stopping --- */

void crew_unlist(struct worker *w, struct at_engine *e, struct call *c)
{
    DL_DELETE(e->first, c);
    w->crew->turned |= --e->n == 0;
}

static bool take_back(struct worker *w, struct call *c)
{
    struct at_engine *e = &w->crew->engines[c->engine];

    if (!c->number || !e->engine.bundles || !page_withdraw(e->engine.page, c->number))
        return false;
    crew_unlist(w, e, c);
    c->number = 0;
    return true;
}

static void withdraw(struct worker *w, struct call *c)
{
    if (take_back(w, c))
        worker_feed(w, &(struct agent_event){
                           .kind = AGENT_WITHDRAWN, .lease = c->id, .direct = c->direct });
}

/* stop - the first at its engine: it is told; one that has not begun there yet ends here. */
static void stop(struct worker *w, struct call *c, const struct act *act)
{
    struct at_engine *e = &w->crew->engines[c->engine];

    if (!c->number)
        return;
    c->why = act->why;
    c->limit_ms = act->limit_ms;
    if (c->why == STOP_REVOKED && take_back(w, c)) {
        call_end(c, END_REVOKED, 0, NULL);
        crew_done(w, c);
        crew_begin(e);
    } else if (e->engine.bundles) {
        page_cancel(e->engine.page, c->number);
    } else {
        engine_add(&e->engine, FRAME_CANCEL, 0, c->number, NULL, 0, NULL, 0, NULL, 0);
    }
}

static void kill_engine(struct worker *w, struct call *c)
{
    struct at_engine *e = &w->crew->engines[c->engine];

    if (!c->number)
        return;
    e->killed_for = c->number;
    run_signal(&e->engine.run, SIGKILL);
}

void crew_done(struct worker *w, struct call *c)
{
    struct agent_event ev = {
        .kind = AGENT_EXITED, .lease = c->id, .direct = c->direct, .wall_us = c->wall_us
    };

    c->number = 0;
    if (c->direct)
        ticket_answer(w, c);
    worker_feed(w, &ev);
}

void crew_release(struct worker *w, struct call *c)
{
    struct at_engine *e = c->lent ? &w->crew->engines[c->engine] : NULL;

    if (e && c->lent_by == e->generation && e->engine.to_fd >= 0)
        engine_add(&e->engine, FRAME_RELEASE, 0, c->lent, NULL, 0, NULL, 0, NULL, 0);
    c->lent = 0;
}

void crew_do(struct worker *w, const struct act *act)
{
    struct call *c = act->direct ? find_ticket(w, act->lease) : crew_find(w, act->lease);

    if (!c)
        return;
    switch (act->kind) {
    case ACT_CALL:
        give(w, c, act->engine);
        break;
    case ACT_WITHDRAW:
        withdraw(w, c);
        break;
    case ACT_TERM:
        stop(w, c, act);
        break;
    case ACT_KILL:
        kill_engine(w, c);
        break;
    case ACT_DIRECT_END:
        ticket_end(w, c);
        break;
    default:
        must(!"an act about calls");
    }
}
