/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target over every file of the given directories (or single files), without libFuzzer,
 * so that the ordinary test run keeps past findings fixed. --pairs N: fuzz_pairs. --rate NAME MS:
 * the same inputs over and over for that CPU time, and how many a second. */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "util/file.h"

#define INPUT_MAX (8u << 20)

static unsigned n_inputs;
static bool quiet;

static int replay_file(const char *path) {
    CLEANUP_FREE char *data = NULL;
    size_t size = 0;
    int r = file_read(path, INPUT_MAX, &data, &size);
    uint8_t *exact;

    if (r < 0) {
        fprintf(stderr, "replay: cannot read '%s': %s\n", path, strerror(-r));
        return r;
    }
    if (!quiet) {
        printf("%s: %zu bytes\n", path, size);
        fflush(stdout); /* the last line names the culprit of a crash */
    }
    /* A copy of exactly that size, so that ASan sees a read beyond it. */
    exact = malloc(size ? size : 1);
    if (!exact)
        return -ENOMEM;
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    n_inputs++;
    return 0;
}

static int replay(const char *path) {
    struct dirent *entry;
    struct stat st;
    int r = 0;
    DIR *dir;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return replay_file(path);
    dir = opendir(path);
    if (!dir)
        return -errno;
    while (r >= 0 && (entry = readdir(dir))) {
        CLEANUP_FREE char *file = path_join(path, entry->d_name);

        if (entry->d_name[0] != '.')
            r = file ? replay_file(file) : -ENOMEM;
    }
    closedir(dir);
    return r;
}

/* The corpus, which is the first argument. */
static int measure(const char *name, unsigned ms, const char *corpus) {
    const unsigned before = n_inputs;
    const uint64_t begin = fuzz_cpu_usec(), end = begin + ms * USEC_PER_MSEC;
    double seconds;

    quiet = true;
    do
        if (replay(corpus) < 0)
            return -EIO;
    while (fuzz_cpu_usec() < end);
    seconds = (double)(fuzz_cpu_usec() - begin) / USEC_PER_SEC;
    printf("figure: fuzz-%s: %.0f executions a second of CPU time\n", name,
           (n_inputs - before) / seconds);
    return 0;
}

#pragma weak fuzz_pairs

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--pairs") == 0 && i + 1 < argc && fuzz_pairs)
            fuzz_pairs((unsigned)strtoul(argv[++i], NULL, 10));
        else if (strcmp(argv[i], "--rate") == 0 && i + 2 < argc) {
            if (measure(argv[i + 1], (unsigned)strtoul(argv[i + 2], NULL, 10), argv[1]) < 0)
                return 1;
            i += 2;
        } else if (replay(argv[i]) < 0)
            return 1;
    printf("%u inputs\n", n_inputs);
    return n_inputs > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
