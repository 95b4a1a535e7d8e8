/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of group "Tuning", whose table is in cmd-tune.c. */
#pragma once

#include "vireo.h"

/* tune-pin.c */
int cmd_vcpupin(Tool *tool, const Args *args);
int cmd_emulatorpin(Tool *tool, const Args *args);
int cmd_iothreadinfo(Tool *tool, const Args *args);
int cmd_iothreadpin(Tool *tool, const Args *args);

/* tune-sched.c */
int cmd_schedinfo(Tool *tool, const Args *args);
int cmd_numatune(Tool *tool, const Args *args);

/* tune-iothread.c */
int cmd_iothreadadd(Tool *tool, const Args *args);
int cmd_iothreaddel(Tool *tool, const Args *args);
int cmd_iothreadset(Tool *tool, const Args *args);

/* tune-stats.c */
int cmd_cpu_stats(Tool *tool, const Args *args);
