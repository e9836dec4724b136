/* control - what people ask of the farm itself: workers that shall leave, studies that go on or
 * come first, the end of all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "scheduler/loop.h"

enum { LEFT_WITHIN_MS = 8000 }; /* a worker whose grace is over: TERM, KILL and its bye */

static void refuse(struct scheduler *s, peer_id to, const struct message *m, enum err err,
                   const char *text)
{
    request_refuse(s, to, m->control.request, err, text);
}

static ms_t grace_of(int64_t number)
{
    return number < 0 ? MS_NEVER : number;
}

/* ---- workers ---- */

/* all_workers - malloc'd. */
static struct core_worker *all_workers(const struct scheduler *s, size_t *n)
{
    *n = core_workers(s->core, NULL, 0);
    struct core_worker *list = calloc(*n + 1, sizeof *list);

    must(list != NULL);
    core_workers(s->core, list, *n);
    return list;
}

static bool is_named(const struct core_worker *w, const char *name)
{
    char id[16];

    snprintf(id, sizeof id, "%u", w->row->id.n);
    return strcmp(w->row->name, name) == 0 || strcmp(id, name) == 0;
}

static bool find_worker(const struct scheduler *s, const char *name, worker_id *id)
{
    size_t n;
    bool found = false;
    struct core_worker *list = all_workers(s, &n);

    for (size_t i = 0; i < n && !found; i++) {
        found = is_named(&list[i], name);
        *id = found ? list[i].row->id : *id;
    }
    free(list);
    return found;
}

static void drain(struct scheduler *s, peer_id from, const struct message *m)
{
    struct event ev = { .kind = EV_DRAIN, .from = from, .request = m->control.request };
    char text[200];

    ev.grace_ms = grace_of(m->control.number);
    if (find_worker(s, m->control.name, &ev.worker_id)) {
        log_info("event=drain worker=%u", ev.worker_id.n);
        request_step(s, &ev);
        return;
    }
    snprintf(text, sizeof text, "there is no worker '%.100s'; see: grange workers",
             m->control.name);
    refuse(s, from, m, ERR_NOT_FOUND, text);
}

/* ---- studies ---- */

static void steer(struct scheduler *s, peer_id from, const struct message *m)
{
    struct event ev = { .from = from, .request = m->control.request };
    struct core_study st;
    int64_t number = m->control.number;

    if (!request_load(s, from, ev.request, m->control.name, &ev.study))
        return;
    if (m->control.verb == CONTROL_RELEASE) {
        ev.kind = EV_RELEASE;
    } else if (m->control.verb == CONTROL_PRIORITY) {
        ev.kind = EV_PRIORITY;
        ev.number = (int32_t)number;
    } else if (core_study(s->core, ev.study, &st)) {
        bool weight = m->control.verb == CONTROL_WEIGHT;
        ev.kind = EV_SHARE;
        ev.weight = weight ? (uint32_t)number : 0;
        ev.running_max = weight ? st.running_max : (uint32_t)number;
    }
    request_step(s, &ev);
}

static const char *out_of_bounds(const struct message *m)
{
    int64_t n = m->control.number;

    if (m->control.verb == CONTROL_PRIORITY && (n < -PRIORITY_MAX || n > PRIORITY_MAX))
        return "a priority is from -1000000 to 1000000";
    if (m->control.verb == CONTROL_WEIGHT && (n < 1 || n > WEIGHT_MAX))
        return "a weight is from 1 to 1000";
    if (m->control.verb == CONTROL_RUNNING_MAX && (n < 0 || n > POINTS_MAX))
        return "how many points run at once is from 0 (no limit) to 67108864";
    return NULL;
}

/* ---- the end ---- */

/* For who looks into the lock (cli/local.h): as long as "daemon", so one write changes it whole. */
static void say_ending(const struct scheduler *s)
{
    char who[64];
    int n = snprintf(who, sizeof who, "%d ending\n", (int)getpid());

    if (!s->opt->owner && pwrite(s->lock_fd, who, (size_t)n, 0) != n)
        log_info("event=lock_not_written");
}

static void down(struct scheduler *s, peer_id from, const struct message *m)
{
    ms_t grace = grace_of(m->control.number);
    ms_t by = grace >= MS_NEVER - s->now ? MS_NEVER : s->now + grace;
    struct core_farm farm;

    core_farm(s->core, &farm);
    log_info("event=down grace_ms=%lld", (long long)m->control.number);
    s->down_asked = !s->going_down || by < s->down_by;
    s->down_by = s->going_down && s->down_by < by ? s->down_by : by;
    s->going_down = true;
    say_ending(s);
    send_message(s, from,
                 &(struct message){ .kind = MSG_REPLY,
                                    .reply = { .request = m->control.request, .n = farm.leases } });
}

bool control_turn(struct scheduler *s)
{
    size_t n, n_here = 0;

    if (!s->going_down)
        return false;
    struct core_worker *list = all_workers(s, &n);
    for (size_t i = 0; i < n; i++) {
        n_here += list[i].peer.n != 0;
        if (!list[i].peer.n || (list[i].leaving && !s->down_asked))
            continue;
        struct event ev = { .kind = EV_DRAIN, .worker_id = list[i].row->id };
        ev.grace_ms = s->down_by == MS_NEVER ? MS_NEVER
                      : s->down_by > s->now  ? s->down_by - s->now
                                             : 0;
        request_step(s, &ev);
    }
    free(list);
    s->down_asked = false;
    if (n_here == 0 || s->now >= control_deadline(s))
        s->stopping = s->dismissing = true;
    return s->stopping;
}

ms_t control_deadline(const struct scheduler *s)
{
    if (!s->going_down || s->down_by >= MS_NEVER - LEFT_WITHIN_MS)
        return MS_NEVER;
    return s->down_by + LEFT_WITHIN_MS;
}

void control_handle(struct scheduler *s, peer_id from, const struct message *m)
{
    const char *wrong = out_of_bounds(m);

    if (wrong)
        refuse(s, from, m, ERR_USAGE, wrong);
    else if (m->control.verb == CONTROL_DRAIN)
        drain(s, from, m);
    else if (m->control.verb == CONTROL_DOWN)
        down(s, from, m);
    else
        steer(s, from, m);
}
