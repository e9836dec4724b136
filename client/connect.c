/* connect - which scheduler a connection is to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/embed.h"
#include "client/session.h"
#include "farm/connection.h"
#include "farm/registry.h"

/* the_one_farm - the name of the only farm that is up. */
static enum err the_one_farm(char *name, size_t bytes, struct fault *f)
{
    struct farm *farms = NULL;
    size_t n = 0, up = 0;
    struct buf names = { 0 };
    enum err err = registry_list(&farms, &n, f);

    for (size_t i = 0; i < n && !err; i++) {
        if (farms[i].state != FARM_UP && !farms[i].kept)
            continue;
        snprintf(name, bytes, "%s", farms[i].name);
        buf_addf(&names, "%s%s", up++ ? ", " : "", farms[i].name);
    }
    if (!err && up == 0)
        err = fault_set(f, ERR_NOT_FOUND,
                        "no farm of this user is up; start one with `grange up`, or name a "
                        "scheduler in GRANGE_CONNECT");
    else if (!err && up > 1)
        err = fault_set(f, ERR_USAGE, "several farms are up: %s; name one in GRANGE_FARM",
                        buf_text(&names));
    free(farms);
    buf_fini(&names);
    return err;
}

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static enum err find(const char *where, struct connection *c, struct fault *f)
{
    char name[NAME_BYTES_MAX + 1];

    if (!where)
        where = from_environment("GRANGE_CONNECT");
    if (!where)
        where = from_environment("GRANGE_FARM");
    if (!where)
        where = from_environment("GRANGE_PARENT"); /* we are a task of it */
    if (!where) {
        enum err err = the_one_farm(name, sizeof name, f);
        if (err)
            return err;
        where = name;
    }
    return connection_find(where, CONNECTION_CLIENT, c, f);
}

static enum err no_answer(struct grange *g, const char *url, ms_t waited, struct fault *f)
{
    char why[200];

    link_trouble(g->link, why, sizeof why);
    bool named = strncmp(why, url, strlen(url)) == 0 && why[strlen(url)] == ':'; /* not once more */
    return fault_set(f, ERR_TIMEOUT, "no scheduler answered at %s within %.2g s%s%s", url,
                     (double)waited / 1000, *why && !named ? ": " : "",
                     named ? why + strlen(url) : why);
}

/* not_accepted - the certificates do not fit: which file would. */
static enum err not_accepted(const struct connection *c, const struct fault *why, struct fault *f)
{
    char text[CONNECTION_STALE_MAX];

    connection_stale(c, CONNECTION_CLIENT, text, sizeof text);
    return fault_set(f, ERR_PERMISSION, "%s%s", why->text, text);
}

/* try - one of the addresses. */
static enum err try(const struct connection *c, unsigned i, ms_t until, struct grange **g,
                    struct fault *f)
{
    ms_t from = clock_mono_ms();
    enum err err = session_open(c, i, g, f);

    if (err)
        return err;
    session_enter(*g);
    do
        pump_turn(*g, until);
    while (!(*g)->welcomed && !(*g)->refused && clock_mono_ms() < until);
    if ((*g)->refused && (*g)->not_accepted)
        err = not_accepted(c, &(*g)->refusal, f);
    else if ((*g)->refused)
        *f = (*g)->refusal, err = f->code;
    else if (!(*g)->welcomed)
        err = no_answer(*g, c->urls[i], until - from, f);
    session_leave(*g, GRANGE_OK);
    if (err) {
        session_close(*g);
        *g = NULL;
    }
    return err;
}

enum err connect_to(const struct connection *c, struct wait w, struct grange **g, struct fault *f)
{
    enum err err = ERR_NONE;

    *g = NULL;
    for (unsigned i = 0; i < c->n_urls && !*g; i++) {
        ms_t now = clock_mono_ms(); /* those that are left share the time that is left */
        err = try(c, i, now + (w.until - now) / (c->n_urls - i), g, f);
    }
    return err;
}

int grange_connect(const char *where, int64_t timeout_ms, struct grange **g, char *why,
                   size_t why_bytes)
{
    struct wait w = wait_for(timeout_ms);
    struct fault *f = session_fault();
    struct connection c = { 0 };

    *g = NULL;
    enum err err = find(where, &c, f);
    if (!err) {
        err = connect_to(&c, w, g, f);
        connection_fini(&c);
    }
    if (err)
        snprintf(why, why_bytes, "%s", f->text);
    return (int)err;
}

void grange_close(struct grange *g)
{
    if (!g)
        return;
    struct embedded *e = g->embedded;
    session_close(g);
    embedded_stop(e);
}
