/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines to the journal or to stderr. */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
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

bool log_is_journal(void) {
    return to_journal;
}

static void write_stderr(int level, const char *text) {
    static const char *const names[] = {"emerg",   "alert",  "crit", "error",
                                        "warning", "notice", "info", "debug"};

    fprintf(stderr, "%s: %s\n", names[level & 7], text);
    fflush(stderr);
}

/* "NAME=value", the caller's. */
static char *field_text(const char *name, const char *value) {
    char *text = NULL;

    return asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text;
}

/* A field that there is no memory for is left out. */
static void write_journal(int level, const LogField *fields, size_t n, const char *text) {
    struct iovec parts[LOG_FIELDS_MAX + 2];
    const char priority[] = {(char)('0' + (level & 7)), '\0'};
    int n_parts = 0;

    for (size_t i = 0; i < n + 2; i++) {
        const LogField field = i < n    ? fields[i]
                               : i == n ? (LogField){"PRIORITY", priority}
                                        : (LogField){"MESSAGE", text};
        char *part = field.value ? field_text(field.name, field.value) : NULL;

        if (part)
            parts[n_parts++] = (struct iovec){part, strlen(part)};
    }
    sd_journal_sendv(parts, n_parts);
    while (n_parts > 0)
        free(parts[--n_parts].iov_base);
}

static void write_text(int level, const LogField *fields, size_t n, const char *format,
                       va_list args) {
    CLEANUP_FREE char *text = NULL;

    if (level > threshold)
        return;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    else if (to_journal)
        write_journal(level, fields, n, text);
    else
        write_stderr(level, text);
}

void log_write(int level, const char *domain, const char *format, ...) {
    const LogField field = {"DOMAIN", domain};
    va_list args;

    va_start(args, format);
    write_text(level, &field, 1, format, args);
    va_end(args);
}

void log_write_fields(int level, const LogField *fields, size_t n, const char *format, ...) {
    va_list args;

    assert(n <= LOG_FIELDS_MAX);
    va_start(args, format);
    write_text(level, fields, n, format, args);
    va_end(args);
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
