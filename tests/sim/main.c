/* sim [--seeds A..B | SEED...] [--trace] - runs seeds until one goes wrong. --twice runs each a
 * second time and compares the traces. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/sim.h"

static struct sim world; /* large, and the abort handler wants it */

static void on_abort(int sig)
{
    (void)sig;
    fflush(stdout);
    sim_show(&world);
    _exit(1);
}

static uint64_t run_once(uint64_t seed, bool trace)
{
    sim_run(&world, seed, trace);
    uint64_t hash = world.hash;
    sim_free(&world);
    return hash;
}

static void run(uint64_t seed, bool trace, bool twice)
{
    uint64_t hash = run_once(seed, trace);

    if (trace)
        printf("seed %llu: trace %016llx\n", (unsigned long long)seed, (unsigned long long)hash);
    if (!twice)
        return;
    uint64_t again = run_once(seed, false);
    if (hash != again) {
        fprintf(stderr, "sim: seed %llu does not repeat: %016llx, then %016llx\n",
                (unsigned long long)seed, (unsigned long long)hash, (unsigned long long)again);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    unsigned long long from = 1, to = 0, n = 0;
    bool trace = false, twice = false;

    signal(SIGABRT, on_abort);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            trace = true;
        else if (strcmp(argv[i], "--twice") == 0)
            twice = true;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0 || strcmp(argv[i], "--twice") == 0)
            continue;
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
            sscanf(argv[i + 1], "%llu..%llu", &from, &to) == 2) {
            i++;
        } else if (sscanf(argv[i], "%llu", &from) == 1) {
            to = from;
        } else {
            fprintf(stderr, "usage: sim [--seeds A..B | SEED...] [--trace] [--twice]\n");
            return 2;
        }
        for (unsigned long long seed = from; seed <= to; seed++, n++)
            run(seed, trace, twice);
    }
    if (!n)
        for (; n < 100; n++)
            run(n + 1, trace, twice);
    printf("sim: %llu seeds, nothing wrong\n", n);
    return 0;
}
