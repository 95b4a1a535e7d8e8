/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which tables of commands make a group. */
#include "groups.h"

#include "tables.h"

#define TABLES(...)                                                                                \
    (const Command *const[]) {                                                                     \
        __VA_ARGS__, NULL                                                                          \
    }

const CommandGroup command_groups[] = {
    {"Domain Management", "domain", TABLES(commands_domain)},
    {"Virtual CPUs", "vcpu", TABLES(commands_setvcpus, commands_vcpucount, commands_vcpuinfo)},
    {"Tuning", "tune",
     TABLES(commands_pin, commands_iothread, commands_sched, commands_cpu_stats,
            commands_reconcile)},
    {"Domain Monitoring", "monitor",
     TABLES(commands_list, commands_dominfo, commands_domstats, commands_dumpxml)},
    {"QEMU Monitor and Events", "events", TABLES(commands_event, commands_qemu)},
    {"Operations", "ops", TABLES(commands_ops, commands_trace)},
    {"Guest Agent", "guest", TABLES(commands_guest)},
    {"Host and Hypervisor", "host", TABLES(commands_host)},
    {"Vireo itself", "vireo", TABLES(commands_vireo)},
    {0}};
