/* replay - runs every file of the directories and the files named through a fuzz target; with
 * --seeds DIR writes the target's seeds there instead. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/must.h"
#include "tests/fuzz/fuzz.h"

static void write_seed(void *dir, const char *name, const void *data, size_t n)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", (const char *)dir, name);
    FILE *out = fopen(path, "wb");
    must(out != NULL);
    must(fwrite(data, 1, n, out) == n);
    must(fclose(out) == 0);
}

static int replay_file(const char *path)
{
    struct buf b = { 0 };

    if (buf_read_file(&b, path, (size_t)1 << 30) != 0) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        exit(1);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&b), b.n);
    buf_fini(&b);
    return 1;
}

static int replay(const char *path)
{
    char inner[4096];
    struct dirent *entry;
    DIR *dir = opendir(path);
    int n = 0;

    if (!dir)
        return replay_file(path);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        n += replay_file(inner);
    }
    closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;

    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
        fuzz_seeds(write_seed, argv[2]);
        return 0;
    }
    for (int i = 1; i < argc; i++)
        n += replay(argv[i]);
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
