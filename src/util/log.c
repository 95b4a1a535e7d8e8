/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines to the journal or to stderr. */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LIMIT_LINES 5u
#define LIMIT_USEC (10 * USEC_PER_SEC)

static int threshold = LOG_INFO;
static bool to_journal;

void log_init(int max_level) {
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat info;

    threshold = max_level;
    to_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                 fstat(STDERR_FILENO, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

int log_max_level(void) {
    return threshold;
}

void log_write(int level, const char *domain, const char *format, ...) {
    static const char *const names[] = {"emerg",   "alert",  "crit", "error",
                                        "warning", "notice", "info", "debug"};
    CLEANUP_FREE char *text = NULL;
    va_list args;
    int r;

    if (level > threshold)
        return;
    va_start(args, format);
    r = vasprintf(&text, format, args);
    va_end(args);
    if (r < 0) {
        text = NULL;
        return;
    }
    if (to_journal) {
        if (domain)
            sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", level, "VIREO_DOMAIN=%s", domain,
                            NULL);
        else
            sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", level, NULL);
        return;
    }
    fprintf(stderr, "%s: %s\n", names[level & 7], text);
    fflush(stderr);
}

bool log_limit_passes(LogLimit *limit, int level) {
    struct timespec time = {0};
    uint64_t now;

    clock_gettime(CLOCK_MONOTONIC, &time);
    now = (uint64_t)time.tv_sec * USEC_PER_SEC + (uint64_t)time.tv_nsec / 1000;
    if (limit->since == 0 || now - limit->since >= LIMIT_USEC) {
        if (limit->n_left_out)
            log_write(level, NULL, "%u lines like the next one were left out", limit->n_left_out);
        *limit = (LogLimit){.since = now};
    }
    if (limit->n < LIMIT_LINES) {
        limit->n++;
        return true;
    }
    limit->n_left_out++;
    return false;
}
