/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs beside a QEMU whose ends are watched: who ends although its run goes on is started again
 * (driver/prepare-again.h). Of a device of a run there is one at most. */
#pragma once

#include <systemd/sd-event.h>

#include "qemu/process.h"

typedef struct Domain Domain;

typedef struct RunHelper {
    struct RunHelper *next;
    Domain *domain; /* borrowed: its run has this */
    char *alias;    /* of the device */
    QemuPid pid;
    uint64_t since_usec; /* when it was started, or found */
    sd_event_source *end;
} RunHelper;

/* Of that device; NULL: none is watched. */
RunHelper *run_helper_find(RunHelper *first, const char *alias);
/* A new one, not watched yet; NULL: out of memory. */
RunHelper *run_helper_add(RunHelper **first, Domain *domain, const char *alias);
void run_helper_remove(RunHelper **first, RunHelper *helper);
void run_helpers_free(RunHelper **first);
