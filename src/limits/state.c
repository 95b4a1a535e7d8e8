/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's part, and a Limits as an object. */
#include "limits/state.h"

#include <sys/inotify.h>
#include <sys/sysinfo.h>

#include "host/thread.h"

int limits_host_new(const LimitsParams *params, LimitsHost **ret, Error **reterr) {
    LimitsHost *host = calloc(1, sizeof(LimitsHost));
    int r;

    assert(params->partition);
    if (!host)
        return error_no_memory(reterr);
    host->n_refs = 1;
    host->partition = strdup(params->partition);
    host->resctrl_root = params->resctrl_root ? strdup(params->resctrl_root) : NULL;
    host->enabled = params->cgroups;
    host->scopes = params->scopes;
    host->n_at_once = MAX_OF((unsigned)get_nprocs(), 2u);
    host->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    r = host->partition ? cgroup_host_new(&host->cgroups, reterr) : error_no_memory(reterr);
    if (r < 0) {
        limits_host_free(host);
        return r;
    }
    *ret = host;
    return 0;
}

static void host_unref(LimitsHost *host) {
    assert(host->n_refs > 0);
    if (--host->n_refs > 0)
        return;
    cgroup_host_free(host->cgroups);
    if (host->inotify_fd >= 0)
        close(host->inotify_fd);
    free(host->watched);
    free(host->partition);
    free(host->resctrl_root);
    free(host);
}

void limits_host_free(LimitsHost *host) {
    if (!host)
        return;
    host->written = NULL;
    if (host->cgroups)
        cgroup_partition_remove(host->cgroups, host->partition);
    host_unref(host);
}

int limits_work(LimitsHost *host, WorkerFunc func, void *arg) {
    int r;

    while (host->n_working >= host->n_at_once)
        fiber_cond_wait(&host->worked, USEC_FOREVER);
    host->n_working++;
    r = worker_run(func, arg);
    host->n_working--;
    fiber_cond_signal(&host->worked);
    return r;
}

Limits *limits_ref(Limits *limits) {
    assert(limits->n_refs > 0);
    limits->n_refs++;
    return limits;
}

void limits_unref(Limits *limits) {
    if (!limits)
        return;
    assert(limits->n_refs > 0);
    if (--limits->n_refs > 0)
        return;
    free(limits->heard.list);
    free(limits->own.list);
    cgroup_tree_free(limits->tree);
    cgroup_tree_free(limits->worn);
    resctrl_free(limits->resctrl);
    bitmap_free(limits->had);
    bitmap_free(limits->came);
    free(limits->no_tree);
    free(limits->partition);
    free(limits->group);
    free(limits->machine);
    free(limits->made);
    free(limits->clipped);
    host_unref(limits->host);
    free(limits);
}

void limits_free(Limits *limits) {
    if (!limits)
        return;
    for (Limits **at = &limits->host->first; *at; at = &(*at)->next)
        if (*at == limits) {
            *at = limits->next;
            break;
        }
    limits->owner = NULL;
    limits_watch_end(limits, NULL);
    limits_unref(limits);
}

const char *limits_partition(const Limits *limits) {
    return limits && limits->tree ? limits->partition : NULL;
}

const char *limits_group(const Limits *limits) {
    return limits && limits->tree ? limits->group : NULL;
}

const char *limits_machine(const Limits *limits) {
    return limits && limits->in_scope ? limits->machine : NULL;
}

int limits_require(const Limits *limits, const char *name, CgroupController controller,
                   Error **reterr) {
    static const char *const names[CGROUP_CONTROLLER_MAX] = {
        [CGROUP_CPU] = "CPU", [CGROUP_CPUACCT] = "CPUACCT", [CGROUP_CPUSET] = "cpuset"};

    if (limits && limits->tree)
        return cgroup_tree_require(limits->tree, controller, reterr);
    if (limits && limits->host && !limits->host->enabled) /* it needs no more words */
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cgroup %s controller is not mounted", names[controller]);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "cgroup %s controller is not mounted for domain '%s': %s",
                        names[controller], name,
                        limits && limits->no_tree ? limits->no_tree : "it is not running");
}
