/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/block-job-check.h"

int block_check_snapshot(const Domain *domain, Error **reterr) {
    return domain->run && domain->run->disks.n_overlays > 0
               ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                              "QEMU has not said yet what became of the last snapshot of domain "
                              "'%s'; it is asked until it does",
                              domain_name(domain))
               : 0;
}

int block_job_check_disk(const Domain *domain, const char *target, Error **reterr) {
    int r = block_check_snapshot(domain, reterr);

    if (r < 0)
        return r;
    return domain->run && run_block_job(&domain->run->disks, target)
               ? error_report(reterr, FROM_QEMU, ERROR_BLOCK_COPY_ACTIVE,
                              "disk '%s' already in active block job", target)
               : 0;
}

int block_check_transient(const DiskDef *disk, Error **reterr) {
    return disk->transient
               ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                              "block jobs are not supported on transient disk '%s'", disk->target)
               : 0;
}

int block_check_moves(const Domain *domain, Error **reterr) {
    const DomainDef *live = domain->run->live;

    for (size_t i = 0; i < live->n_disks; i++)
        if (live->disks[i].transient)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                "migration with transient disk is not supported: what the guest of "
                                "'%s' has written to '%s' is gone when this QEMU ends",
                                domain_name(domain), live->disks[i].target);
    return 0;
}

int block_job_check_none(const Domain *domain, Error **reterr) {
    int r = block_check_snapshot(domain, reterr);

    if (r < 0)
        return r;
    return domain->run && domain->run->disks.n_jobs > 0
               ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                              "domain has active block job")
               : 0;
}
