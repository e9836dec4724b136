/* calls_damage: rows of calls that are missing in the store are said, and nothing is made up for
 * them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/must.h"
#include "tests/unit/calls_help.h"

static struct stage s;
static const char spec[] = "{\"calls\":{\"function\":\"echo\"}}";
static struct {
    array_id array;
    uint64_t n, appended, n_ended;
    bool asks, caught_up; /* asks: not opened, only asked for */
    enum err code;
    char refused[300];
} client;

static void open_key(void)
{
    struct message m = { .kind = MSG_OPEN };

    m.open.request = 1;
    m.open.key = "k";
    m.open.study = "s";
    m.open.spec = spec;
    m.open.spec_bytes = strlen(spec);
    stage_say(&s.client, &m);
}

static void collect(void)
{
    struct message m = { .kind = MSG_COLLECT };

    m.collect.request = 2;
    m.collect.key = "k";
    stage_say(&s.client, &m);
}

/* append - each call is a chunk of its own. */
static void append(uint64_t at)
{
    uint32_t size = 1;
    struct message m = { .kind = MSG_APPEND };

    m.append.request = 10 + at;
    m.append.array = client.array;
    m.append.at = at;
    m.append.n = 1;
    m.append.sizes = &size;
    m.append.payloads = "x";
    m.append.payloads_bytes = 1;
    m.append.close = at + 1 == client.n;
    stage_say(&s.client, &m);
}

static void on_client(struct stage *stage, const struct message *m)
{
    (void)stage;
    if (m->kind == MSG_WELCOME) {
        client.asks ? collect() : open_key();
    } else if (m->kind == MSG_OPENED) {
        client.array = m->opened.array;
        collect();
        for (uint64_t i = m->opened.n; i < client.n; i++)
            append(i);
    } else if (m->kind == MSG_APPENDED) {
        client.appended = m->appended.n;
    } else if (m->kind == MSG_ENDS) {
        client.n_ended += m->ends.n;
        client.caught_up = m->ends.caught_up;
    } else if (m->kind == MSG_REFUSED) {
        client.code = (enum err)m->refused.code;
        snprintf(client.refused, sizeof client.refused, "%s", m->refused.text);
    }
}

static void setup(void)
{
    stage_open(&s);
    s.on_client = on_client;
    memset(&client, 0, sizeof client);
    client.n = 3;
}
static void teardown(void)
{
    stage_close(&s);
}
TestSuite(calls_damage, .init = setup, .fini = teardown, .timeout = 300);

static void sql(const char *text)
{
    char command[300];

    snprintf(command, sizeof command, "sqlite3 %s/grange.db \".timeout 5000\" \"%s\"", s.dir, text);
    cr_assert_eq(system(command), 0);
}

/* start_says - a scheduler that starts here ends with this exit code and text. */
static void start_says(int code, const char *text)
{
    char command[300], said[1000];

    snprintf(command, sizeof command, "exec timeout -k 1 100 %s scheduler --dir %s 2>&1",
             GRANGE_PROGRAM, s.dir);
    FILE *p = popen(command, "r");
    must(p != NULL);
    said[fread(said, 1, sizeof said - 1, p)] = '\0';
    int status = pclose(p);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == code, "%x: %s", (unsigned)status, said);
    cr_expect(strstr(said, text), "%s", said);
}

Test(calls_damage, a_chunk_that_is_not_there_keeps_a_scheduler_from_starting)
{
    s.hold_back = true;
    while (client.appended < 3)
        stage_turn(&s);
    stage_kill(&s);
    sql("UPDATE chunk SET array = array + 100 WHERE at = 1");
    start_says(11, "call 1 of 'k' is in no chunk of the store");
    sql("UPDATE chunk SET array = array - 100 WHERE at = 1;"
        "UPDATE chunk SET array = array + 100 WHERE at = 2");
    start_says(11, "call 2 of 'k' is in no chunk of the store");
    sql("UPDATE chunk SET array = array - 100 WHERE at = 2;"
        "UPDATE chunk SET calls = 2 WHERE at = 0");
    start_says(11, "chunk 2 of the store makes no sense");
    sql("UPDATE chunk SET calls = 1 WHERE at = 0; UPDATE chunk SET calls = 5 WHERE at = 2");
    start_says(11, "chunk 3 of the store makes no sense");
    sql("UPDATE chunk SET calls = 1 WHERE at = 2");
    s.hold_back = false;
    stage_start(&s);
    while (client.n_ended < 3)
        stage_turn(&s);
}

Test(calls_damage, an_array_whose_row_went_away_is_not_opened)
{
    while (client.n_ended < 3)
        stage_turn(&s);
    stage_kill(&s);
    stage_start(&s);
    client.asks = true;
    client.n_ended = 0;
    while (client.n_ended < 3 || !client.caught_up)
        stage_turn(&s);
    sql("DELETE FROM array");
    open_key();
    while (client.code == ERR_NONE)
        stage_turn(&s);
    cr_expect_eq(client.code, ERR_DAMAGED);
    cr_expect(strstr(client.refused, "array 1 has no row in the store"), "%s", client.refused);
}
