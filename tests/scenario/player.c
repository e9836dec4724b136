/* player - plays tests/scenario/NAME.txt and compares what happens with what the file says.
 *
 *     core                                    or: agent
 *     # What this scenario shows.
 *     config adopt=500
 *     at 0    submit c1 a1 n=2
 *       > array a1 s1 n=2 | submitted c1 a1
 *
 * Each line `at TIME EVENT` is one event. Lines that begin with `>` are what followed from it:
 * changes, a bar, sends. Deadlines pass by themselves: one that was due at once makes a further `>`
 * line, one between two events a line that begins with @TIME. A file is compared as a whole: the
 * player writes it anew and shows where the two differ. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/scenario/edges.h"
#include "tests/scenario/script.h"

enum { WIDTH = 100, STUCK = 10000 };

struct play {
    const char *file;
    const struct script *script;
    void *state;
    ms_t now;
    struct buf said; /* of one step */
    struct buf text; /* the file as it should be */
};

/* Breaks what was said at "; " and " | " so that lines stay readable. */
static void write_said(struct play *p, const char *prefix)
{
    const char *s = buf_text(&p->said);
    size_t left = strlen(s), room = WIDTH - 4 - strlen(prefix);

    buf_addf(&p->text, "  > %s", prefix);
    while (left > room) {
        size_t cut = room;
        while (cut && !(s[cut] == ' ' && (s[cut - 1] == ';' || s[cut - 1] == '|')))
            cut--;
        if (!cut)
            break;
        buf_add(&p->text, s, cut);
        buf_adds(&p->text, "\n  > ");
        s += cut + 1;
        left -= cut + 1;
        room = WIDTH - 4;
    }
    buf_addf(&p->text, "%s\n", s);
}

static void pass_deadlines(struct play *p, ms_t until, ms_t event_at)
{
    char prefix[32] = "";

    for (int i = 0;; i++) {
        ms_t due = p->script->deadline(p->state);
        if (due > until)
            return;
        if (i == STUCK) {
            fprintf(stderr, "%s: the deadline does not move from %lld\n", p->file, (long long)due);
            exit(2);
        }
        if (due > p->now)
            p->now = due;
        buf_clear(&p->said);
        p->script->timeout(p->state, p->now, &p->said);
        if (p->now != event_at)
            snprintf(prefix, sizeof prefix, "@%lld ", (long long)p->now);
        if (p->said.n)
            write_said(p, prefix);
    }
}

static void play_event(struct play *p, const char *line, struct words *w)
{
    char *end;
    const char *text = words_need(w, "the time");
    ms_t at = strtoll(text, &end, 10);

    if (*end || at < p->now)
        words_wrong(w, "time must be a number and may not go back", text);
    pass_deadlines(p, at - 1, -1);
    p->now = at;
    buf_addf(&p->text, "%s\n", line);
    buf_clear(&p->said);
    p->script->step(p->state, at, w, &p->said);
    words_done(w);
    if (p->said.n)
        write_said(p, "");
    pass_deadlines(p, at, at);
}

static void play_line(struct play *p, const char *line, int number)
{
    struct words w;

    words_split(&w, p->file, number, line);
    if (w.n && w.word[0][0] == '>')
        return;
    if (!w.n || w.word[0][0] == '#') {
        buf_addf(&p->text, "%s\n", line);
        return;
    }
    const char *verb = words_need(&w, "what");
    if (strcmp(verb, "core") == 0 || strcmp(verb, "agent") == 0) {
        p->script = *verb == 'c' ? &core_script : &agent_script;
    } else if (strcmp(verb, "config") == 0 && p->script && !p->state) {
        p->state = p->script->start(&w);
    } else if (strcmp(verb, "at") == 0 && p->script) {
        struct words none = { .file = p->file, .line = number };
        if (!p->state)
            p->state = p->script->start(&none);
        play_event(p, line, &w);
        return;
    } else {
        words_wrong(&w, "a line is core, agent, config, at TIME EVENT, or > ...", line);
    }
    words_done(&w);
    buf_addf(&p->text, "%s\n", line);
}

static void play_file(struct play *p, const struct buf *was)
{
    int number = 0;

    for (const char *line = buf_text(was); *line;) {
        size_t n = strcspn(line, "\n");
        char *copy = strndup(line, n);
        must(copy != NULL);
        play_line(p, copy, ++number);
        free(copy);
        line += n + (line[n] == '\n');
    }
    if (p->state)
        p->script->end(p->state);
}

/* Shows the lines from the first to the last difference, with the event they belong to. */
static void show_difference(const char *file, const char *was, const char *is)
{
    size_t same = 0, line = 1;

    while (was[same] && was[same] == is[same])
        line += was[same++] == '\n';
    size_t start = same;
    for (int lines = 0; start && lines < 3; start--)
        lines += was[start - 1] == '\n' && start != same;
    size_t n_was = strlen(was), n_is = strlen(is);
    while (n_was > same && n_is > same && was[n_was - 1] == is[n_is - 1])
        n_was--, n_is--;
    n_was += strcspn(was + n_was, "\n");
    n_is += strcspn(is + n_is, "\n");
    printf("%s:%zu: not what is expected\n--- expected\n%.*s\n+++ happened\n%.*s\n", file, line,
           (int)(n_was - start), was + start, (int)(n_is - start), is + start);
}

static int finish(struct play *p, const struct buf *was, bool update)
{
    if (strcmp(buf_text(was), buf_text(&p->text)) == 0)
        return 0;
    if (!update) {
        show_difference(p->file, buf_text(was), buf_text(&p->text));
        printf("If that is how it should be: %s --update, and review the diff.\n", "scenario");
        return 1;
    }
    FILE *f = fopen(p->file, "w");
    if (!f || fwrite(p->text.data, 1, p->text.n, f) != p->text.n || fclose(f) != 0) {
        perror(p->file);
        return 2;
    }
    printf("%s: recorded\n", p->file);
    return 0;
}

int main(int argc, char **argv)
{
    bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
    const char *picture = argc > 2 && strcmp(argv[1], "--edges") == 0 ? argv[2] : NULL;
    int worst = 0, first = picture ? 3 : 1 + update;

    if (argc <= first) {
        fprintf(stderr, "usage: scenario [--update | --edges PICTURE] FILE...\n");
        return 2;
    }
    for (int i = first; i < argc; i++) {
        struct play p = { .file = argv[i] };
        struct buf was = { 0 };
        int err = buf_read_file(&was, argv[i], 1 << 20);
        if (err) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(err));
            return 2;
        }
        play_file(&p, &was);
        int bad = picture ? 0 : finish(&p, &was, update);
        worst = bad > worst ? bad : worst;
        buf_fini(&was);
        buf_fini(&p.said);
        buf_fini(&p.text);
    }
    return picture ? edges_compare(picture) : worst;
}
