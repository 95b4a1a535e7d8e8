/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far a save, a dump or a migration is. */
#include "remote-job.h"

/* virDomainJobType, virDomainGetJobStatsFlags */
enum { JOB_UNBOUNDED = 2, JOB_COMPLETED = 3 };
enum { JOB_STATS_COMPLETED = 1, JOB_STATS_KEEP_COMPLETED = 2 };
enum { ABORT_JOB_POSTCOPY = 1 };

DOMAIN_FUNC(get_job_info, void, remote_domain_get_job_info_ret) {
    TransferStats stats;
    int r = domain_check_active(domain, reterr);

    if (r < 0 || !transfer_stats(domain, &stats))
        return r;
    ret->type = JOB_UNBOUNDED;
    ret->timeElapsed = stats.usec / USEC_PER_MSEC;
    ret->dataTotal = ret->memTotal = stats.progress.total;
    ret->dataProcessed = ret->memProcessed = stats.progress.done;
    ret->dataRemaining = ret->memRemaining = stats.progress.remaining;
    return 0;
}

typedef struct Row {
    const char *name;
    size_t offset; /* of a uint64_t in MigrateProgress */
} Row;

static const Row data_rows[] = {{"data_total", offsetof(MigrateProgress, total)},
                                {"data_processed", offsetof(MigrateProgress, done)},
                                {"data_remaining", offsetof(MigrateProgress, remaining)},
                                {"memory_total", offsetof(MigrateProgress, total)},
                                {"memory_processed", offsetof(MigrateProgress, done)},
                                {"memory_remaining", offsetof(MigrateProgress, remaining)}};
static const Row page_rows[] = {
    {"memory_constant", offsetof(MigrateProgress, duplicate)},
    {"memory_normal", offsetof(MigrateProgress, normal)},
    {"memory_normal_bytes", offsetof(MigrateProgress, normal_bytes)},
    {"memory_dirty_rate", offsetof(MigrateProgress, dirty_rate)},
    {"memory_iteration", offsetof(MigrateProgress, iteration)},
    {"memory_postcopy_requests", offsetof(MigrateProgress, postcopy_requests)},
    {"memory_page_size", offsetof(MigrateProgress, page_size)}};
static const Row cache_rows[] = {
    {"compression_cache", offsetof(MigrateProgress, cache_size)},
    {"compression_bytes", offsetof(MigrateProgress, cache_bytes)},
    {"compression_pages", offsetof(MigrateProgress, cache_pages)},
    {"compression_cache_misses", offsetof(MigrateProgress, cache_misses)},
    {"compression_overflow", offsetof(MigrateProgress, cache_overflows)}};

static void add_rows(Params *params, const Row *rows, size_t n, const MigrateProgress *progress) {
    for (size_t i = 0; i < n; i++)
        params_add_ullong(params, rows[i].name,
                          *(const uint64_t *)((const char *)progress + rows[i].offset));
}

void job_add_params(Params *params, const TransferStats *stats) {
    const bool moves = stats->kind == TRANSFER_MIGRATE_OUT || stats->kind == TRANSFER_MIGRATE_IN;

    params_add_int(params, "operation", (int)stats->kind);
    params_add_ullong(params, "time_elapsed", stats->usec / USEC_PER_MSEC);
    if (moves)
        params_add_ullong(params, "downtime", stats->progress.downtime);
    if (moves)
        params_add_ullong(params, "setup_time", stats->progress.setup);
    add_rows(params, data_rows, ARRAY_SIZE(data_rows), &stats->progress);
    params_add_ullong(params, "memory_bps", stats->progress.bits_per_second / 8);
    if (stats->progress.page_size > 0)
        add_rows(params, page_rows, ARRAY_SIZE(page_rows), &stats->progress);
    if (stats->progress.has_cache)
        add_rows(params, cache_rows, ARRAY_SIZE(cache_rows), &stats->progress);
    if (stats->progress.throttle > 0)
        params_add_int(params, "auto_converge_throttle", (int)stats->progress.throttle);
}

/* Of the one that is over: told once, unless it shall stay. */
static bool take_last(Domain *domain, bool keep, TransferStats *ret) {
    if (!domain->last_transfer)
        return false;
    *ret = *domain->last_transfer;
    if (!keep)
        free(TAKE_PTR(domain->last_transfer));
    return true;
}

DOMAIN_FUNC(get_job_stats, remote_domain_flags_args, remote_domain_get_job_stats_ret) {
    const bool completed = args->flags & JOB_STATS_COMPLETED;
    CLEANUP_PARAMS Params params = {0};
    TransferStats stats;
    int r = completed ? 0 : domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (completed ? !take_last(domain, args->flags & JOB_STATS_KEEP_COMPLETED, &stats)
                  : !transfer_stats(domain, &stats))
        return 0;
    ret->type = completed ? JOB_COMPLETED : JOB_UNBOUNDED;
    job_add_params(&params, &stats);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

DOMAIN_FUNC(abort_job, void, void) {
    return transfer_cancel(domain, reterr);
}

DOMAIN_FUNC(abort_job_flags, remote_domain_flags_args, void) {
    return args->flags & ABORT_JOB_POSTCOPY ? transfer_pause_postcopy(domain, reterr)
                                            : transfer_cancel(domain, reterr);
}

const RpcProc job_procs[] = {
    PLAIN_ROW(DOMAIN_GET_JOB_INFO, "DomainGetJobInfo", 0, get_job_info, remote_domain_args,
              XDR_OF(remote_domain_get_job_info_ret)),
    FLAGS_ROW(DOMAIN_GET_JOB_STATS, "DomainGetJobStats", 0, get_job_stats,
              JOB_STATS_COMPLETED | JOB_STATS_KEEP_COMPLETED, remote_domain_flags_args,
              XDR_OF(remote_domain_get_job_stats_ret)),
    PLAIN_ROW(DOMAIN_ABORT_JOB, "DomainAbortJob", RPC_PROC_WRITE, abort_job, remote_domain_args,
              NO_XDR),
    FLAGS_ROW(DOMAIN_ABORT_JOB_FLAGS, "DomainAbortJobFlags", RPC_PROC_WRITE, abort_job_flags,
              ABORT_JOB_POSTCOPY, remote_domain_flags_args, NO_XDR),
};
const size_t job_n_procs = ARRAY_SIZE(job_procs);
