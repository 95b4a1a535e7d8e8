/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of a domain's resctrl groups and monitors. `machine`: its scope_machine_name. */
#pragma once

#include "conf/domain-def.h"

/* "vireo-3-ol8-vcpus_0-1"; *ret NULL for a group that only monitors. -ENOMEM; the caller frees. */
int limit_resctrl_name(const char *machine, const ResctrlDef *resctrl, char **ret);
/* "vcpus_1"; *ret NULL for the monitor that the group itself is. */
int limit_monitor_name(const char *machine, const ResctrlDef *resctrl, const MonitorDef *monitor,
                       char **ret);
