/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which device nodes a domain's QEMU may open: its group in the hierarchy of that controller has
 * the name of its group in the others. */
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

static int run_devices(void *arg) {
    Devices *devices = arg;
    const Limits *limits = devices->limits;
    const CgroupHost *host = limits->host->cgroups;

    return devices->pid > 0
               ? cgroup_devices_enter(host, limits->partition, limits->group, devices->pid,
                                      devices->list, devices->n, &devices->error)
               : cgroup_devices_set(host, limits->partition, limits->group, devices->list,
                                    devices->n, devices->more, &devices->error);
}

static int carry_out(Limits *limits, Devices *devices, Error **reterr) {
    CLEANUP(limits_unrefp) Limits *held = limits_ref(limits);
    int r;

    devices->limits = held;
    r = worker_run(run_devices, devices);
    return r < 0 ? error_propagate(reterr, devices->error) : 0;
}

bool limits_has_devices(const LimitsHost *host) {
    return host->enabled && cgroup_host_has_devices(host->cgroups);
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
