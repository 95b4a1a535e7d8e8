/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <watchdog> and <panic>. */
#pragma once

#include "conf/device-info.h"

typedef struct WatchdogDef {
    char *model;  /* i6300esb, ib700, diag288, itco */
    char *action; /* reset, shutdown, poweroff, pause, dump, none, inject-nmi */
    DeviceInfo info;
} WatchdogDef;

typedef struct PanicDef {
    char *model; /* isa, hyperv, pseries, s390, pvpanic; NULL until filled in */
    DeviceInfo info;
} PanicDef;

extern const Element watchdog_element, panic_element;
