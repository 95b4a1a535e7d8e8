/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libcgroup does for us. The one file that includes it.
 *
 * Of version 2.0.2, not used: moving a process (on v1 it writes one thread to "tasks"), the current
 * group of a process (on v2 it misreads "0::/x"), and values (each one looks its controller up in
 * /proc/mounts again and loses errno). Deleting a group that is busy gives 0 with EMPTY_ONLY; with
 * no flag, or RECURSIVE, it moves the threads to the parent, out of their limits: so only
 * EMPTY_ONLY is used, and whether the group has gone is looked at afterwards. Errors have no errno:
 * where one is wanted, the caller tries the system call itself.
 *
 * Workers may call these beside each other, after cgroup_library_mounts. */
#pragma once

#include "host/cgroup-internal.h"

#define CGROUP_MOUNTS_MAX CGROUP_CONTROLLER_MAX

/* The hierarchies with our controllers: at most CGROUP_MOUNTS_MAX of them, without their roots. The
 * caller frees each mount_point. 0 where nothing is mounted; -ENOMEM. */
int cgroup_library_mounts(CgroupMount ret[CGROUP_MOUNTS_MAX], size_t *ret_n);
/* mkdir -p of a group, and on v2 its controllers in each group above. False when it could not. */
bool cgroup_library_make(const CgroupHierarchy *hierarchy, const char *path);
/* Removes a group that is empty; look whether it has gone. */
void cgroup_library_delete(const CgroupHierarchy *hierarchy, const char *path);
/* CONTROLLER.stat of a group as the kernel wrote it ("key value" lines). False when it could not.
 */
bool cgroup_library_stat(const char *controller, const char *path, char **ret);
