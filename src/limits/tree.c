/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scopes, partitions and the domain's own group. */
#include "limits/tree.h"

#include "host/scope.h"
#include "util/file.h"

#define SCOPE_GROUP "vireo" /* our tree in a scope that systemd delegated */

CgroupController limits_any_controller(const LimitsHost *host) {
    CgroupController controller = CGROUP_CPU;

    while (controller < CGROUP_CONTROLLER_MAX && !cgroup_host_version(host->cgroups, controller))
        controller++;
    return controller;
}

int limits_tree_remove(const LimitsHost *host, const char *partition, const char *group,
                       Error **reterr) {
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;

    cgroup_devices_remove(host->cgroups, partition, group, NULL);
    if (cgroup_tree_open(host->cgroups, partition, group, &tree, NULL) < 0)
        return 0;
    return cgroup_tree_remove(tree, reterr);
}

/* Where systemd put the process; the scope's own name where a hierarchy is not systemd's. */
static int find_scope(Limits *limits, const char *slice, const char *unit, pid_t pid,
                      Error **reterr) {
    CgroupController controller = limits_any_controller(limits->host);
    int r;

    if (controller == CGROUP_CONTROLLER_MAX)
        return error_report(reterr, FROM_CGROUP, ERROR_OPERATION_INVALID,
                            "this host has no cgroup controllers");
    r = cgroup_host_group_of(limits->host->cgroups, controller, pid, &limits->partition, reterr);
    if (r < 0 || strstr(limits->partition, unit))
        return r;
    free(limits->partition);
    limits->partition = strf("/%s/%s", slice ? slice : "machine.slice", unit);
    return limits->partition ? 0 : error_no_memory(reterr);
}

/* Into a scope of systemd's. -ENOTCONN: there is no systemd. On v1 systemd has a directory for the
 * scope in some hierarchies only (for v2 and its own, and for those that it hands to a delegated
 * unit: not in cpuset). */
static int enter_scope(Limits *limits, const TreeRequest *request, Error **reterr) {
    CLEANUP_FREE char *unit = scope_unit_name(limits->machine),
                      *description = strf("Virtual machine %s", request->name);
    CLEANUP_FREE char *slice = request->partition ? scope_slice_name(request->partition) : NULL;
    ScopeParams params = {.machine = limits->machine,
                          .description = description,
                          .slice = slice,
                          .uuid = request->uuid,
                          .pid = request->pid};
    int r;

    if (!unit || !description || (request->partition && !slice))
        return error_no_memory(reterr);
    r = scope_start(NULL, &params, SCOPE_USEC, reterr);
    if (r < 0)
        return r;
    limits->in_scope = true;
    r = find_scope(limits, slice, unit, request->pid, reterr);
    if (r >= 0)
        r = cgroup_partition_make(limits->host->cgroups, limits->partition, reterr);
    return r < 0 ? r : limits_tree_remove(limits->host, limits->partition, SCOPE_GROUP, reterr);
}

static int enter_partition(Limits *limits, const TreeRequest *request, Error **reterr) {
    int r;

    limits->own_partition = !request->partition;
    r = cgroup_partition_normal(request->partition ? request->partition : limits->host->partition,
                                &limits->partition, reterr);
    if (r >= 0 && !*limits->partition) { /* the top */
        free(limits->partition);
        limits->partition = strdup("/");
        r = limits->partition ? 0 : error_no_memory(reterr);
    }
    if (r >= 0 && limits->own_partition)
        r = cgroup_partition_make(limits->host->cgroups, limits->partition, reterr);
    /* A group of our name may be left from a machine that ended while no daemon looked, with that
     * one's limits. */
    return r < 0 ? r : limits_tree_remove(limits->host, limits->partition, limits->machine, reterr);
}

int limits_tree_make(Limits *limits, const TreeRequest *request, Error **reterr) {
    int r;

    assert(!limits->tree && limits->machine && request->pid > 0);
    if (!limits->host->enabled)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cgroups are switched off (cgroups = no in vireod.conf)");
    r = limits->host->scopes ? enter_scope(limits, request, reterr) : -ENOTCONN;
    if (r == -ENOTCONN) {
        if (reterr)
            error_free(TAKE_PTR(*reterr));
        r = enter_partition(limits, request, reterr);
    }
    limits->group = strdup(limits->in_scope ? SCOPE_GROUP : limits->machine);
    if (r >= 0 && !limits->group)
        r = error_no_memory(reterr);
    if (r >= 0 && limits->in_scope)
        r = cgroup_move_down(limits->host->cgroups, limits->partition, limits->group, request->pid,
                             reterr);
    if (r >= 0)
        r = cgroup_tree_create(limits->host->cgroups, limits->partition, limits->group,
                               &limits->tree, reterr);
    return r < 0 ? r : cgroup_tree_adopt(limits->tree, request->pid, reterr);
}

int limits_tree_renew(const Limits *limits, pid_t pid, CgroupTree **ret, Error **reterr) {
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    const CgroupHost *host = limits->host->cgroups;
    int r = 0;

    assert(limits->partition && limits->group);
    if (limits->own_partition || limits->in_scope)
        r = cgroup_partition_make(host, limits->partition, reterr);
    if (r >= 0)
        r = cgroup_tree_create(host, limits->partition, limits->group, &tree, reterr);
    if (r >= 0)
        r = cgroup_tree_adopt(tree, pid, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(tree);
    return r;
}

int limits_scope_end(const Limits *limits, Error **reterr) {
    CLEANUP_FREE char *path = limits->partition ? strdup(limits->partition) : NULL;
    char *slash = path ? strrchr(path, '/') : NULL;
    int r = scope_stop(NULL, limits->machine, SCOPE_USEC, reterr);

    assert(limits->in_scope && limits->machine);
    if (r < 0 || !slash)
        return r;
    *slash = '\0';
    return limits_tree_remove(limits->host, *path ? path : "/", slash + 1, reterr);
}
