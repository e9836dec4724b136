/* steer URL WAITS - on a farm with two workers of one slot each, which ends: looks at it, submits a
 * study whose points wait for the file WAITS, and does to both what the library can ask for; each
 * is seen in the next look. Prints what is not so; 0: all is. */
#include <grange.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 8, WITHIN_MS = 600000 };

static struct grange *g;
static int wrong;

static void expect(int so, const char *what)
{
    if (!so)
        printf("not so: %s (%s)\n", what, grange_message(g));
    wrong |= !so;
}

static struct grange_farm *look(void)
{
    struct grange_farm *farm;

    if (grange_farm_look(g, WITHIN_MS, &farm) == GRANGE_OK)
        return farm;
    printf("look: %s\n", grange_message(g));
    exit(1);
}

/* study - as it is now: "steered", the only one. */
static struct grange_farm_study study(void)
{
    struct grange_farm *farm = look();
    struct grange_farm_study s = { 0 };

    expect(farm->n_studies == 1 && strcmp(farm->studies[0].name, "steered") == 0, "one study");
    if (farm->n_studies)
        s = farm->studies[0];
    s.name = NULL;
    free(farm);
    return s;
}

static void two_workers(char name[101])
{
    struct grange_farm *farm = look();
    const struct grange_farm_worker *w = farm->workers;

    expect(farm->n_workers == 2 && farm->n_studies == 0 && farm->n_clients >= 1, "two workers");
    for (size_t i = 0; i < farm->n_workers; i++)
        expect(w[i].state == GRANGE_WORKER_UP && w[i].slots == 1 && *w[i].host && w[i].pid, "up");
    if (farm->n_workers)
        snprintf(name, 101, "%s", w[0].name);
    free(farm);
}

static void submit(const char *file)
{
    char json[600];
    struct grange_submitted r;

    snprintf(json, sizeof json,
             "{\"version\":1,\"name\":\"steered\",\"cwd\":\"/\",\"factors\":[\"x=1:%d\"],"
             "\"command\":[\"sh\",\"-c\",\"until [ -e '%s' ]; do sleep 0.05; done\"]}",
             POINTS, file);
    expect(grange_submit(g, json, strlen(json), 0, WITHIN_MS, &r) == GRANGE_OK, "submitted");
    expect(r.counts.n == POINTS && r.counts.done == 0, "all are new");
}

static void steer(void)
{
    uint64_t n = 99;

    expect(grange_hold(g, "steered", true, WITHIN_MS, &n) == GRANGE_OK, "held");
    expect(n <= 2 && study().state == GRANGE_HELD, "it is seen to be held");
    expect(grange_release(g, "steered", WITHIN_MS) == GRANGE_OK, "released");
    expect(study().state == GRANGE_ACTIVE, "it is seen to go on");
    expect(grange_priority(g, "steered", -7, WITHIN_MS) == GRANGE_OK, "priority");
    expect(grange_weight(g, "steered", 5, WITHIN_MS) == GRANGE_OK, "weight");
    expect(grange_running_max(g, "steered", 1, WITHIN_MS) == GRANGE_OK, "running_max");
    struct grange_farm_study s = study();
    expect(s.priority == -7 && s.weight == 5 && s.running_max == 1, "all three are seen");
    expect(grange_running_max(g, "steered", 0, WITHIN_MS) == GRANGE_OK, "no limit");
    expect(study().running_max == 0, "that is seen");
    expect(grange_release(g, "none", WITHIN_MS) == GRANGE_ERR_NOT_FOUND, "no such study");
    expect(grange_priority(g, "steered", 1000001, WITHIN_MS) == GRANGE_ERR_USAGE, "too high");
    expect(grange_weight(g, "steered", 0, WITHIN_MS) == GRANGE_ERR_USAGE, "no weight");
    expect(grange_weight(g, "none", 5, WITHIN_MS) == GRANGE_ERR_NOT_FOUND, "of no study");
}

static void until_ended(void)
{
    struct grange_progress p = { 0 };

    expect(grange_follow(g, "steered", WITHIN_MS) == GRANGE_OK, "followed");
    while (p.state != GRANGE_ENDED && grange_next(g, WITHIN_MS, &p) == GRANGE_OK)
        ;
    expect(p.state == GRANGE_ENDED && p.counts.done == POINTS, "all points are done");
}

static void drain(const char *worker)
{
    uint64_t running = 99;
    size_t n = 2;
    struct grange_progress p;

    expect(grange_drain(g, "none", -1, WITHIN_MS, NULL) == GRANGE_ERR_NOT_FOUND, "no such worker");
    expect(grange_drain(g, worker, -1, WITHIN_MS, &running) == GRANGE_OK, "drained");
    expect(running == 0, "nothing runs there");
    for (int i = 0; n == 2 && i < WITHIN_MS / 50; i++) {
        struct grange_farm *farm = look();
        n = farm->n_workers;
        for (size_t k = 0; k < n; k++)
            expect(strcmp(farm->workers[k].name, worker) != 0 ||
                       farm->workers[k].state != GRANGE_WORKER_UP,
                   "it gets nothing new");
        free(farm);
        (void)grange_next(g, 50, &p); /* then looks again */
    }
    expect(n == 1, "it goes");
}

static void down(void)
{
    struct grange_progress p;
    int code;

    expect(!grange_is_down(g), "it is up");
    expect(grange_down(g, 0, WITHIN_MS) == GRANGE_OK, "it is told to end");
    while ((code = grange_next(g, WITHIN_MS, &p)) == GRANGE_OK)
        ;
    expect(code == GRANGE_ERR_LOST && grange_is_down(g), "it has ended, and said so");
}

int main(int argc, char **argv)
{
    char why[300] = "steer URL WAITS", worker[101] = "";

    if (argc < 3 || grange_connect(argv[1], 60000, &g, why, sizeof why))
        return puts(why), 1;
    two_workers(worker);
    submit(argv[2]);
    steer();
    FILE *go = fopen(argv[2], "w");
    expect(go && fclose(go) == 0, "the points go on");
    until_ended();
    drain(worker);
    down();
    grange_close(g);
    return wrong;
}
