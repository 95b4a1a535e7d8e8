/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/job-files.h"

#include "driver/disk-chain.h"

static int add_place(NamedFiles *files, const DiskDef *disk, int place, const char *model) {
    const StorageSource *source = place >= 0 ? chain_at(disk, (size_t)place) : NULL;

    return source ? named_files_add_image(files, source, FILE_USE_WRITE, model) : 0;
}

static int add_job(NamedFiles *files, const DomainDef *live, const BlockJob *job,
                   const char *model) {
    const bool commits = job->kind == BLOCK_JOB_COMMIT || job->kind == BLOCK_JOB_ACTIVE_COMMIT;
    const DiskDef *disk = chain_disk(live, job->disk);
    int r;

    if (!disk || !commits || job->phase == BLOCK_JOB_SETTLED)
        return 0;
    r = add_place(files, disk, chain_place(disk, job->base), model);
    return r < 0 ? r : add_place(files, disk, chain_place(disk, job->top) - 1, model);
}

int job_files_add(NamedFiles *files, const Domain *domain, const char *model) {
    const RunDisks *disks = domain->run ? &domain->run->disks : NULL;
    int r = 0;

    for (size_t i = 0; disks && r >= 0 && i < disks->n_jobs; i++)
        r = add_job(files, domain->run->live, &disks->jobs[i], model);
    for (size_t i = 0; disks && r >= 0 && i < disks->n_overlays; i++)
        r = named_files_add_image(files, &disks->overlays[i].source, FILE_USE_WRITE, model);
    return r;
}
