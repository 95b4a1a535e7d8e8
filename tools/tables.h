/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of commands, one for each noun, each ended by a row without a name. */
#pragma once

#include "vireo.h"

extern const Command commands_agent[], commands_blkio[], commands_block[], commands_block_job[],
    commands_console[], commands_cpu[], commands_cpu_stats[], commands_device[], commands_disk[],
    commands_doctor[], commands_domain[], commands_dominfo[], commands_domstats[],
    commands_dumpxml[], commands_edit[], commands_event[], commands_guest[], commands_host[],
    commands_iface[], commands_iothread[], commands_job[], commands_list[], commands_machine[],
    commands_memory[], commands_metadata[], commands_migrate[], commands_migrate_guest[],
    commands_native[], commands_net_edit[], commands_network[], commands_nic[], commands_node[],
    commands_nodedev[], commands_object_event[], commands_ops[], commands_perf[], commands_pin[],
    commands_pool[], commands_pool_edit[], commands_qemu[], commands_reconcile[], commands_save[],
    commands_sched[], commands_secret[], commands_setvcpus[], commands_snapshot[],
    commands_snapshot_list[], commands_snapshots[], commands_top[], commands_trace[],
    commands_undefine[], commands_vcpucount[], commands_vcpuinfo[], commands_vireo[],
    commands_vol_create[], commands_vol_stream[], commands_volume[];
