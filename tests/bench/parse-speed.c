/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parse-speed SECONDS FILE...: parses each domain definition again and again and prints its name
 * and the median of the nanoseconds that a parse takes per KiB of text; "-" for one that is
 * refused. tests/bench/parse compiles it against the libraries of two commits, so it uses nothing
 * that has changed. */
#include <stdio.h>
#include <time.h>

#include "conf/domain-parse.h"

#define ROUNDS_MAX 20000

static uint64_t now(void) {
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int compare(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* 0: it is refused. */
static uint64_t parse_once(const char *text, size_t len) {
    const DomainParseParams params = {.default_arch = "x86_64"};
    Error *error = NULL;
    DomainDef *def = NULL;
    uint64_t begin = now();
    int r = domain_parse(text, len, &params, &def, &error);
    uint64_t took = now() - begin;

    domain_def_free(def);
    error_free(error);
    return r < 0 ? 0 : took;
}

static void measure(const char *path, double seconds) {
    static char text[1 << 20];
    static uint64_t times[ROUNDS_MAX];
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0, n = 0;
    uint64_t end = now() + (uint64_t)(seconds * 1e9);

    if (file)
        fclose(file);
    text[len] = '\0';
    while (n < ROUNDS_MAX && (n < 5 || now() < end)) {
        times[n] = parse_once(text, len);
        if (!times[n++]) {
            printf("%s -\n", path);
            return;
        }
    }
    qsort(times, n, sizeof(times[0]), compare);
    printf("%s %.1f\n", path, (double)times[n / 2] * 1024 / (double)len);
}

int main(int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        measure(argv[i], strtod(argv[1], NULL));
    return 0;
}
