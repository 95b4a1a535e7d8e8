/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of resctrl-fuse share: the hardware, the groups, the threads that somebody moved.
 */
#pragma once

#include <sys/types.h>

#include "util/macro.h"

#define GROUPS_MAX 64u
#define IDS_MAX 8u
#define TASKS_MAX 4096u
#define NAME_SIZE 256u
#define TEXT_SIZE 65536u

typedef struct Host {
    unsigned n_closids, n_rmids, min_bits, n_ids;
    uint64_t mask, size;
    bool cdp, mba, mon;
} Host;

extern Host host;

/* The three lines that schemata can have. */
typedef enum Line { LINE_L3, LINE_DATA, LINE_CODE, LINE_MB, LINE_MAX } Line;
extern const char *const line_names[LINE_MAX];

/* A control group, or a monitor of one. Number 0 is the default group. */
typedef struct Group {
    bool used, exclusive;
    char name[NAME_SIZE];
    int parent; /* -1: a control group */
    uint64_t values[LINE_MAX][IDS_MAX];
} Group;

extern Group groups[GROUPS_MAX];

typedef struct Task {
    pid_t tid;
    int group, monitor; /* monitor: -1 for none */
} Task;

extern Task tasks[TASKS_MAX];
extern size_t n_tasks;

/* -errnum, with the words of info/last_cmd_status. */
int fail(int errnum, const char *format, ...) PRINTF_LIKE(2, 3);
/* Whether schemata has such a line. */
bool line_exists(Line line);
bool is_monitor(int group);
bool is_alive(pid_t tid);

/* ---- resctrl-write.c: all of a write, or nothing and -errno; they change the text ---- */

int write_schemata(int group, char *text);
int write_mode(int group, const char *text);
int write_tasks(int group, char *text);
