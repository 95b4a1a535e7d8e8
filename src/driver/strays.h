/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMUs that may be this daemon's and that no status file tells it of: the run directory was lost,
 * a file is cut or wrong, a start was cut short.
 *
 * They are found by their monitors, which lie in the directory for state, by the kernel's list of
 * those who listen there, and by birth records; never by the names of programs. Each is asked who
 * it is, for as long as it runs. One that has a birth record, no status file, and says that it was
 * never resumed is a start that failed, and is ended. One whose uuid is a domain's becomes the
 * domain's run again. Every other is left alone, named in the log and in the list, and the domain
 * whose uuid it has is not started. When it has ended, its files and its cgroup are removed. */
#pragma once

#include "driver/driver.h"

typedef struct Stray {
    struct Stray *next;
    int id; /* of its run, by the name of its monitor */
    char *monitor_path;
    QemuPid pid; /* 0: nobody was found that listens */
    bool has_uuid;
    uint8_t uuid[16];
    bool is_unborn;          /* it has a birth record and no status file */
    char *partition, *group; /* its cgroup, or NULL */
    char *why;               /* why it is still here: a sentence */
} Stray;

typedef enum StrayFate { STRAY_GONE, STRAY_SILENT, STRAY_ANSWERS } StrayFate;

typedef struct StrayAnswer {
    uint8_t uuid[16];
    QemuPid pid;  /* who listens at the monitor; 0: unknown */
    char *status; /* of query-status: "prelaunch" was never resumed */
} StrayAnswer;

/* "DIRECTORY/ID.sock". Caller frees; NULL: out of memory. */
char *strays_monitor_path(const Driver *driver, int id);
char *strays_birth_directory(const Driver *driver);
/* Looks for them and begins to ask each, counting as first tries. On a fiber, when the status files
 * have been read. */
void strays_find(Driver *driver);
/* Refuses to start a domain whose QEMU may still run. */
int strays_check(Driver *driver, const uint8_t uuid[16], Error **reterr);
/* Asks whoever is at a monitor who it is. On a fiber; a few seconds at most. */
StrayFate stray_ask(const char *monitor_path, StrayAnswer *ret, Error **reterr);
void stray_answer_done(StrayAnswer *answer);
void strays_free(Driver *driver);
