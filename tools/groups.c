/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which tables of commands make a group. */
#include "groups.h"

#include "tables.h"

#define TABLES(...)                                                                                \
    (const Command *const[]) {                                                                     \
        __VA_ARGS__, NULL                                                                          \
    }

const CommandGroup command_groups[] = {
    {"Domain Management", "domain",
     TABLES(commands_domain, commands_undefine, commands_edit, commands_console, commands_device,
            commands_disk, commands_metadata, commands_machine, commands_save, commands_job,
            commands_native, commands_snapshot, commands_snapshot_list, commands_snapshots,
            commands_block_job, commands_migrate_guest, commands_migrate)},
    {"Virtual CPUs", "vcpu", TABLES(commands_setvcpus, commands_vcpucount, commands_vcpuinfo)},
    {"Tuning", "tune",
     TABLES(commands_pin, commands_iothread, commands_sched, commands_memory, commands_blkio,
            commands_cpu_stats, commands_perf, commands_reconcile)},
    {"Domain Monitoring", "monitor",
     TABLES(commands_list, commands_dominfo, commands_domstats, commands_dumpxml, commands_block,
            commands_nic, commands_top)},
    {"Events", "events", TABLES(commands_event, commands_object_event)},
    {"QEMU Monitor", "qemu", TABLES(commands_qemu)},
    {"Operations", "ops", TABLES(commands_ops, commands_trace)},
    {"Guest Agent", "guest", TABLES(commands_guest, commands_agent)},
    {"Host and Hypervisor", "host",
     TABLES(commands_host, commands_node, commands_cpu, commands_doctor)},
    {"Storage Pool", "pool", TABLES(commands_pool, commands_pool_edit)},
    {"Storage Volume", "volume", TABLES(commands_volume, commands_vol_create, commands_vol_stream)},
    {"Networking", "network", TABLES(commands_network, commands_net_edit)},
    {"Secret", "secret", TABLES(commands_secret)},
    {"Node Device", "nodedev", TABLES(commands_nodedev)},
    {"Interface", "interface", TABLES(commands_iface)},
    {"Vireo itself", "vireo", TABLES(commands_vireo)},
    {0}};
