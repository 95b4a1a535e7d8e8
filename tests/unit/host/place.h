/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread in a group of its own, as src/limits does it. */
#pragma once

#include "host/cgroup.h"

static inline int place(CgroupTree *tree, const char *child, pid_t tid, const CgroupValues *values,
                        Error **reterr) {
    int r = cgroup_values_check(values, reterr);

    if (r >= 0)
        r = cgroup_tree_add(tree, child, NULL, reterr);
    if (r >= 0)
        r = cgroup_tree_attach(tree, child, tid, reterr);
    return r >= 0 ? cgroup_tree_set(tree, child, values, reterr) : r;
}
