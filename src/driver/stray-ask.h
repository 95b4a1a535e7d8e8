/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is at a monitor. */
#pragma once

#include "qemu/process.h"
#include "util/error.h"

typedef enum StrayFate { STRAY_GONE, STRAY_SILENT, STRAY_ANSWERS } StrayFate;

typedef struct StrayAnswer {
    uint8_t uuid[16];
    QemuPid pid;  /* who listens at the monitor; 0: unknown */
    char *status; /* of query-status: "prelaunch" was never resumed */
} StrayAnswer;

/* Asks whoever is at a monitor who it is. On a fiber; a few seconds at most. */
StrayFate stray_ask(const char *monitor_path, StrayAnswer *ret, Error **reterr);
void stray_answer_done(StrayAnswer *answer);
