/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which device nodes a domain's QEMU may open. Where v1's controller is, its group there has the
 * name of its group in the others; with v2 alone the machine's scope has the list, and systemd puts
 * it into force. */
#include <systemd/sd-daemon.h>

#include "host/scope.h"
#include "limits/state.h"
#include "util/worker.h"

typedef struct Devices {
    const Limits *limits;
    pid_t pid; /* 0: it is there */
    const CgroupDevice *list;
    size_t n;
    bool more;
    Error *error;
} Devices;

static int run_groups(const Limits *limits, Devices *devices) {
    const CgroupHost *host = limits->host->cgroups;

    return devices->pid > 0
               ? cgroup_devices_enter(host, limits->partition, limits->group, devices->pid,
                                      devices->list, devices->n, &devices->error)
               : cgroup_devices_set(host, limits->partition, limits->group, devices->list,
                                    devices->n, devices->more, &devices->error);
}

static int run_scope(const Limits *limits, Devices *devices) {
    return devices->pid > 0 ? scope_limit_devices(NULL, limits->machine, devices->list, devices->n,
                                                  SCOPE_USEC, &devices->error)
                            : scope_set_devices(NULL, limits->machine, devices->list, devices->n,
                                                devices->more, SCOPE_USEC, &devices->error);
}

static int run_devices(void *arg) {
    Devices *devices = arg;
    const Limits *limits = devices->limits;

    if (cgroup_host_has_devices(limits->host->cgroups))
        return run_groups(limits, devices);
    return limits->in_scope ? run_scope(limits, devices) : 0;
}

static int carry_out(Limits *limits, Devices *devices, Error **reterr) {
    CLEANUP(limits_unrefp) Limits *held = limits_ref(limits);
    int r;

    devices->limits = held;
    r = worker_run(run_devices, devices);
    return r < 0 ? error_propagate(reterr, devices->error) : 0;
}

bool limits_has_devices(const LimitsHost *host) {
    return host->enabled &&
           (cgroup_host_has_devices(host->cgroups) || (host->scopes && sd_booted() > 0));
}

int limits_devices_begin(Limits *limits, pid_t pid, const CgroupDevice *list, size_t n,
                         Error **reterr) {
    assert(pid > 0);
    if (!limits || !limits->tree || !limits_has_devices(limits->host))
        return 0;
    return carry_out(limits, &(Devices){.pid = pid, .list = list, .n = n}, reterr);
}

int limits_devices_set(Limits *limits, const CgroupDevice *list, size_t n, bool more,
                       Error **reterr) {
    if (!limits || !limits->tree)
        return 0;
    return carry_out(limits, &(Devices){.list = list, .n = n, .more = more}, reterr);
}
