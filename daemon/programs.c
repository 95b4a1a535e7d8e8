/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joins the handler tables of the files into the programs the server serves. */
#include "daemon.h"

#define REMOTE_PROCS_MAX 512

static RpcProc remote_procs[REMOTE_PROCS_MAX];

RpcProgram daemon_programs[] = {
    {REMOTE_PROGRAM, REMOTE_VERSION, remote_procs, 0},
    {QEMU_PROGRAM, QEMU_VERSION, NULL, 0},
    {VIREO_PROGRAM, VIREO_VERSION_1, NULL, 0},
};
const size_t daemon_n_programs = ARRAY_SIZE(daemon_programs);

void daemon_programs_init(void) {
    const struct {
        const RpcProc *procs;
        size_t n;
    } parts[] = {{connect_procs, connect_n_procs},
                 {list_procs, list_n_procs},
                 {domain_procs, domain_n_procs},
                 {life_procs, life_n_procs},
                 {vcpu_procs, vcpu_n_procs},
                 {tune_procs, tune_n_procs},
                 {stats_procs, stats_n_procs},
                 {block_procs, block_n_procs},
                 {block_job_procs, block_job_n_procs},
                 {snapshot_procs, snapshot_n_procs},
                 {memory_procs, memory_n_procs},
                 {metadata_procs, metadata_n_procs},
                 {guest_procs, guest_n_procs},
                 {event_procs, event_n_procs},
                 {node_procs, node_n_procs},
                 {node_stats_procs, node_stats_n_procs},
                 {object_procs, object_n_procs},
                 {pool_procs, pool_n_procs},
                 {volume_procs, volume_n_procs},
                 {address_procs, address_n_procs},
                 {save_procs, save_n_procs},
                 {stream_procs, stream_n_procs},
                 {agent_procs, agent_n_procs},
                 {network_procs, network_n_procs},
                 {interface_procs, interface_n_procs},
                 {device_procs, device_n_procs},
                 {limit_procs, limit_n_procs},
                 {migrate_procs, migrate_n_procs},
                 {secret_procs, secret_n_procs},
                 {security_procs, security_n_procs},
                 {node_device_procs, node_device_n_procs},
                 {job_procs, job_n_procs},
                 {cpu_procs, cpu_n_procs},
                 {ksm_procs, ksm_n_procs},
                 {absent_procs, absent_n_procs}};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        assert(n + parts[i].n <= REMOTE_PROCS_MAX);
        memcpy(&remote_procs[n], parts[i].procs, parts[i].n * sizeof(RpcProc));
        n += parts[i].n;
    }
    daemon_programs[0].n_procs = n;
    daemon_programs[1].procs = qemu_procs;
    daemon_programs[1].n_procs = qemu_n_procs;
    daemon_programs[2].procs = vireo_procs;
    daemon_programs[2].n_procs = vireo_n_procs;
}
