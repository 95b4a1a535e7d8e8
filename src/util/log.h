/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logging: to the journal (sd-journal fields) when stderr is connected to it, else lines on stderr.
 * Only daemon/ and tools/ log above debug, src/qemu warns about what it carries on from
 * ("ignoring"). Names in quotes. */
#pragma once

#include <syslog.h>

#include "util/macro.h"

/* Sets the threshold (LOG_ERR .. LOG_DEBUG) and looks at $JOURNAL_STREAM once. */
void log_init(int max_level);
int log_max_level(void);
/* Lines go to the journal, else to stderr. */
bool log_is_journal(void);

/* `domain` may be NULL; with the journal it becomes the field DOMAIN. */
void log_write(int level, const char *domain, const char *format, ...) PRINTF_LIKE(3, 4);

/* A field of the journal's entry beside its text: journalctl NAME=value. */
typedef struct LogField {
    const char *name, *value; /* value NULL: the field is left out */
} LogField;

#define LOG_FIELDS_MAX 12u

/* The sentence with the fields, at most LOG_FIELDS_MAX; on stderr the sentence alone. */
void log_write_fields(int level, const LogField *fields, size_t n, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* What others can cause as often as they like: of each place a few lines in a while, then how many
 * were left out. */
typedef struct LogLimit {
    uint64_t since; /* CLOCK_MONOTONIC, microseconds */
    unsigned n, n_left_out;
} LogLimit;

/* Whether a line may be written now; counts it. Writes how many were left out before. */
bool log_limit_passes(LogLimit *limit, int level);

#define log_limited(level, ...)                                                                    \
    do {                                                                                           \
        static LogLimit log_limit_;                                                                \
        if (log_limit_passes(&log_limit_, level))                                                  \
            log_write(level, NULL, __VA_ARGS__);                                                   \
    } while (0)

#define log_error(...) log_write(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...)                                                                             \
    do {                                                                                           \
        if (log_max_level() >= LOG_DEBUG)                                                          \
            log_write(LOG_DEBUG, NULL, __VA_ARGS__);                                               \
    } while (0)
