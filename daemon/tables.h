/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of calls, one a file; programs.c puts them together. */
#pragma once

#include "rpc/table.h"

extern const RpcProc connect_procs[], list_procs[], domain_procs[], life_procs[], vcpu_procs[],
    tune_procs[], stats_procs[], block_procs[], memory_procs[], metadata_procs[], guest_procs[],
    event_procs[], node_procs[], node_stats_procs[], object_procs[], pool_procs[], volume_procs[],
    address_procs[], save_procs[], stream_procs[], agent_procs[], network_procs[],
    interface_procs[], device_procs[], limit_procs[], migrate_procs[], secret_procs[],
    security_procs[], node_device_procs[], job_procs[], cpu_procs[], ksm_procs[], absent_procs[],
    block_job_procs[], snapshot_procs[];
extern const size_t connect_n_procs, list_n_procs, domain_n_procs, life_n_procs, vcpu_n_procs,
    tune_n_procs, stats_n_procs, block_n_procs, memory_n_procs, metadata_n_procs, guest_n_procs,
    event_n_procs, node_n_procs, node_stats_n_procs, object_n_procs, pool_n_procs, volume_n_procs,
    address_n_procs, save_n_procs, stream_n_procs, agent_n_procs, network_n_procs,
    interface_n_procs, device_n_procs, limit_n_procs, migrate_n_procs, secret_n_procs,
    security_n_procs, node_device_n_procs, job_n_procs, cpu_n_procs, ksm_n_procs, absent_n_procs,
    block_job_n_procs, snapshot_n_procs;

extern const RpcProc qemu_procs[], vireo_procs[];
extern const size_t qemu_n_procs, vireo_n_procs;
