/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block jobs. */
#include "daemon.h"
#include "driver/block-job.h"
#include "driver/disk-tune.h"

#define BYTES_PER_MIB (UINT64_C(1) << 20)

/* A client's number, in MiB a second unless the flag says bytes. */
static int speed_of(uint64_t bandwidth, bool in_bytes, uint64_t *ret, Error **reterr) {
    const uint64_t most = in_bytes ? INT64_MAX : INT64_MAX / BYTES_PER_MIB;

    if (bandwidth > most)
        return error_report(reterr, FROM_QEMU, ERROR_OVERFLOW, "bandwidth must be less than %llu",
                            (unsigned long long)most);
    *ret = in_bytes ? bandwidth : bandwidth * BYTES_PER_MIB;
    return 0;
}

/* Without a guest that runs only what the definition says can be told. */
static int check_commit(Domain *domain, const char *name, Error **reterr) {
    const DiskDef *disk = NULL;
    int r = domain_is_active(domain) ? 0 : driver_find_disk(domain, name, 0, &disk, reterr);

    if (r >= 0 && disk && !(disk->backing && disk->backing->source.path))
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                         "could not find base image in chain for '%.200s'", name);
    return r < 0 ? r : domain_check_active(domain, reterr);
}

DOMAIN_FUNC(block_commit, remote_domain_block_commit_args, void) {
    BlockJobRequest request = {.kind = BLOCK_JOB_COMMIT,
                               .disk = args->disk,
                               .top = dispatch_opt(args->top),
                               .base = dispatch_opt(args->base),
                               .flags = args->flags};
    int r = speed_of(args->bandwidth, args->flags & BLOCK_COMMIT_BYTES, &request.speed, reterr);

    if (r >= 0)
        r = check_commit(domain, args->disk, reterr);
    if (r >= 0 && args->flags & (BLOCK_COMMIT_DELETE | BLOCK_COMMIT_RELATIVE))
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         args->flags & BLOCK_COMMIT_DELETE
                             ? "images are not deleted by a commit here: leave --delete out"
                             : "images get the whole path of what is below them here: leave "
                               "--keep-relative out");
    return r < 0 ? r : driver_begin_block_job(domain, &request, reterr);
}

static int pull(Domain *domain, const char *disk, const char *base, uint64_t bandwidth,
                bool in_bytes, Error **reterr) {
    BlockJobRequest request = {.kind = BLOCK_JOB_PULL, .disk = disk, .base = base};
    int r = speed_of(bandwidth, in_bytes, &request.speed, reterr);

    return r < 0 ? r : driver_begin_block_job(domain, &request, reterr);
}

DOMAIN_FUNC(block_pull, remote_domain_block_pull_args, void) {
    return pull(domain, args->path, NULL, args->bandwidth, args->flags & BLOCK_REBASE_BYTES,
                reterr);
}

static int refuse_copy(Domain *domain, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r
                 : error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                "disks are not copied to other images here");
}

DOMAIN_FUNC(block_rebase, remote_domain_block_rebase_args, void) {
    if (args->flags & BLOCK_REBASE_COPY)
        return refuse_copy(domain, reterr);
    if (args->flags & BLOCK_REBASE_RELATIVE)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "images get the whole path of what is below them here: leave "
                            "--keep-relative out");
    return pull(domain, args->path, dispatch_opt(args->base), args->bandwidth,
                args->flags & BLOCK_REBASE_BYTES, reterr);
}

DOMAIN_FUNC(block_copy, void, void) {
    return refuse_copy(domain, reterr);
}

DOMAIN_FUNC(block_job_abort, remote_domain_named_args, void) {
    return driver_end_block_job(domain, args->name, args->flags, reterr);
}

DOMAIN_FUNC(block_job_set_speed, remote_domain_block_pull_args, void) {
    uint64_t speed = 0;
    int r = speed_of(args->bandwidth, args->flags & 1, &speed, reterr);

    return r < 0 ? r : driver_set_block_job_speed(domain, args->path, speed, reterr);
}

DOMAIN_FUNC(get_block_job_info, remote_domain_get_block_info_args,
            remote_domain_get_block_job_info_ret) {
    BlockJobInfo info;
    int r = driver_block_job_info(domain, args->path, &info, reterr);

    if (r < 0 || info.kind == BLOCK_JOB_NONE)
        return r;
    ret->found = 1;
    ret->type = (int)info.kind;
    ret->bandwidth = args->flags & 1 ? info.speed
                                     : (info.speed + BYTES_PER_MIB - 1) / BYTES_PER_MIB;
    ret->cur = info.done;
    ret->end = info.total;
    return 0;
}

#define BLOCK_ROW(number, api, run, allow, args, ...)                                              \
    FLAGS_ROW(DOMAIN_BLOCK_##number, "DomainBlock" api, RPC_PROC_WRITE, run, allow, args,          \
              __VA_ARGS__)

const RpcProc block_job_procs[] = {
    BLOCK_ROW(COMMIT, "Commit", block_commit, 31, remote_domain_block_commit_args, NO_XDR),
    BLOCK_ROW(PULL, "Pull", block_pull, BLOCK_REBASE_BYTES, remote_domain_block_pull_args, NO_XDR),
    BLOCK_ROW(REBASE, "Rebase", block_rebase, 127, remote_domain_block_rebase_args, NO_XDR),
    PLAIN_ROW(DOMAIN_BLOCK_COPY, "DomainBlockCopy", RPC_PROC_WRITE, block_copy, remote_domain_args,
              NO_XDR),
    BLOCK_ROW(JOB_ABORT, "JobAbort", block_job_abort, BLOCK_ABORT_ASYNC | BLOCK_ABORT_PIVOT,
              remote_domain_named_args, NO_XDR),
    BLOCK_ROW(JOB_SET_SPEED, "JobSetSpeed", block_job_set_speed, 1, remote_domain_block_pull_args,
              NO_XDR),
    FLAGS_ROW(DOMAIN_GET_BLOCK_JOB_INFO, "DomainGetBlockJobInfo", 0, get_block_job_info, 1,
              remote_domain_get_block_info_args, XDR_OF(remote_domain_get_block_job_info_ret)),
};
const size_t block_job_n_procs = ARRAY_SIZE(block_job_procs);
