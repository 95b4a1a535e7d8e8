/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which security modules this kernel runs that give processes and files labels. */
#pragma once

#include <sys/types.h>

#include "util/macro.h"

typedef enum SecurityModule { SECURITY_SELINUX, SECURITY_APPARMOR, SECURITY_MAX_ } SecurityModule;

/* "SELinux", "AppArmor". */
const char *security_module_name(SecurityModule module);
/* Whether it is on. SELinux that only logs is on, too. `sysfs` is "/sys" when NULL. */
bool security_module_is_on(const char *sysfs, SecurityModule module);
/* The label that a process wears. `enforced` is false where the module only logs what it does. The
 * caller frees *ret; NULL: it wears none, it is unconfined. -errno. Reads /proc: on a worker. */
int security_module_label(SecurityModule module, pid_t pid, char **ret, bool *ret_enforced);
