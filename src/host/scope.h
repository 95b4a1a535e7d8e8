/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A systemd scope for a process that the daemon started: the unit that owns the process's cgroup,
 * so that systemd neither kills it with the daemon nor meddles with what the daemon makes below it
 * (Delegate=yes).
 *
 * systemd-machined makes the scope where it is there, and machinectl lists the machine then; else
 * systemd itself does. Blocks until the unit is up or the deadline passes: on a fiber, call it on a
 * worker. Where the cgroup is afterwards says cgroup_host_group_of. */
#pragma once

#include <sys/types.h>

#include "host/cgroup.h"
#include "util/error.h"
#include "util/macro.h"

typedef struct ScopeParams {
    const char *machine;     /* from scope_machine_name */
    const char *description; /* for people; NULL for none */
    const char *slice;       /* from scope_slice_name; NULL: "machine.slice" */
    const uint8_t *uuid;     /* 16 bytes, NULL for none */
    pid_t pid;
} ScopeParams;

/* "vireo-3-ol8": a machine's name for systemd, from any name: at most 64 bytes, letters, digits,
 * '-' and '.'; what does not fit is left out, and the id keeps it unique. NULL when out of memory,
 * as the next two. */
char *scope_machine_name(unsigned id, const char *name);
/* "machine-vireo\x2d3\x2dol8.scope": machined's own rule, used also without it. */
char *scope_unit_name(const char *machine);
/* "/machine/a-b" is "machine-a\x2db.slice", "/machine.slice" itself; "/" is "-.slice". */
char *scope_slice_name(const char *partition);

/* Puts the process into a new scope. `address` is a D-Bus address, NULL for the system bus; `usec`
 * is how long it may take in all. -ENOTCONN: there is no bus or no systemd on it, and nothing was
 * changed. -EEXIST: there is such a unit. -ETIMEDOUT: it may still come up. */
int scope_start(const char *address, const ScopeParams *params, uint64_t usec, Error **reterr);
/* Ends the scope and whatever is left in it. One that is gone is no error: it goes by itself with
 * its last process. */
int scope_stop(const char *address, const char *machine, uint64_t usec, Error **reterr);
/* The scope's share against other machines, which systemd keeps through its own reloads: a value
 * that is only written to the scope's file it would take back. `property` is "CPUWeight" (1 to
 * 10000) where the controller cpu is v2's, "CPUShares" (2 to 262144) where it is v1's
 * (systemd.resource-control(5)). */
int scope_set_share(const char *address, const char *machine, const char *property, uint64_t value,
                    uint64_t usec, Error **reterr);

/* Which device nodes the scope's processes may open: the list and nothing else. systemd has the
 * kernel ask a program of its own where the cgroups are v2's, and keeps that through its reloads
 * (systemd.resource-control(5), DevicePolicy= and DeviceAllow=). CGROUP_MINOR_ANY is every node of
 * a driver that has the major number; a major number that no driver has is left out. */
int scope_limit_devices(const char *address, const char *machine, const CgroupDevice *list,
                        size_t n, uint64_t usec, Error **reterr);
/* They may open the list, and with `more` also what they could before. Does nothing for a scope
 * whose processes may open everything. */
int scope_set_devices(const char *address, const char *machine, const CgroupDevice *list, size_t n,
                      bool more, uint64_t usec, Error **reterr);
