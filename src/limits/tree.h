/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a domain's groups are: a scope of systemd's, or a partition. On a worker. */
#pragma once

#include "limits/state.h"

typedef struct TreeRequest {
    const char *name, *partition; /* the definition's; partition may be NULL */
    const uint8_t *uuid;
    pid_t pid;
} TreeRequest;

/* Makes the scope or the partition, and the domain's group with the process in it; fills in the
 * Limits' names and tree. */
int limits_tree_make(Limits *limits, const TreeRequest *request, Error **reterr);
/* The same group once more after somebody removed it, with the whole process in it. */
int limits_tree_renew(const Limits *limits, pid_t pid, CgroupTree **ret, Error **reterr);
/* With what is below it. What is not there is no error. */
int limits_tree_remove(const LimitsHost *host, const char *partition, const char *group,
                       Error **reterr);
/* A scope goes with its last process, unless something is left in it. systemd tries to remove its
 * directory once, perhaps while what is below was still there, and never had those of hierarchies
 * that it does not use. */
int limits_scope_end(const Limits *limits, Error **reterr);
/* A controller that the host has; CGROUP_CONTROLLER_MAX: none. */
CgroupController limits_any_controller(const LimitsHost *host);
