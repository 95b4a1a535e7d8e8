/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this host's firmware says of its maker (SMBIOS), as the kernel has it in /sys/class/dmi/id.
 */
#pragma once

#include "util/macro.h"

#define DMI_DIRECTORY "/sys/class/dmi/id"

/* One of them ("sys_vendor"), without white space at its end; -ENOENT when it is not there or
 * empty. Caller frees. */
int dmi_read(const char *directory, const char *name, char **ret);
