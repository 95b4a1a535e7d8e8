/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far a save, a dump or a migration is. */
#include "remote-job.h"

/* virDomainJobType, virDomainGetJobStatsFlags */
enum { JOB_NONE = 0, JOB_BOUNDED = 1, JOB_UNBOUNDED = 2, JOB_COMPLETED = 3 };
enum { JOB_STATS_COMPLETED = 1, JOB_STATS_KEEP_COMPLETED = 2 };

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

static void add_memory(Params *params, const MigrateProgress *progress) {
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"data_total", progress->total},
                {"data_processed", progress->done},
                {"data_remaining", progress->remaining},
                {"memory_total", progress->total},
                {"memory_processed", progress->done},
                {"memory_remaining", progress->remaining},
                {"memory_bps", progress->bits_per_second / 8}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        params_add_ullong(params, rows[i].name, rows[i].value);
    if (progress->page_size == 0)
        return;
    params_add_ullong(params, "memory_constant", progress->duplicate);
    params_add_ullong(params, "memory_normal", progress->normal);
    params_add_ullong(params, "memory_normal_bytes", progress->normal_bytes);
    params_add_ullong(params, "memory_dirty_rate", progress->dirty_rate);
    params_add_ullong(params, "memory_iteration", progress->iteration);
    params_add_ullong(params, "memory_postcopy_requests", progress->postcopy_requests);
    params_add_ullong(params, "memory_page_size", progress->page_size);
}

static void add_cache(Params *params, const MigrateProgress *progress) {
    if (!progress->has_cache)
        return;
    params_add_ullong(params, "compression_cache", progress->cache_size);
    params_add_ullong(params, "compression_bytes", progress->cache_bytes);
    params_add_ullong(params, "compression_pages", progress->cache_pages);
    params_add_ullong(params, "compression_cache_misses", progress->cache_misses);
    params_add_ullong(params, "compression_overflow", progress->cache_overflows);
}

void job_add_params(Params *params, const TransferStats *stats) {
    const bool moves = stats->kind == TRANSFER_MIGRATE_OUT || stats->kind == TRANSFER_MIGRATE_IN;

    params_add_int(params, "operation", (int)stats->kind);
    params_add_ullong(params, "time_elapsed", stats->usec / USEC_PER_MSEC);
    if (moves)
        params_add_ullong(params, "downtime", stats->progress.downtime);
    if (moves)
        params_add_ullong(params, "setup_time", stats->progress.setup);
    add_memory(params, &stats->progress);
    add_cache(params, &stats->progress);
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

const RpcProc job_procs[] = {
    PLAIN_ROW(DOMAIN_GET_JOB_INFO, "DomainGetJobInfo", 0, get_job_info, remote_domain_args,
              XDR_OF(remote_domain_get_job_info_ret)),
    FLAGS_ROW(DOMAIN_GET_JOB_STATS, "DomainGetJobStats", 0, get_job_stats,
              JOB_STATS_COMPLETED | JOB_STATS_KEEP_COMPLETED, remote_domain_flags_args,
              XDR_OF(remote_domain_get_job_stats_ret)),
    PLAIN_ROW(DOMAIN_ABORT_JOB, "DomainAbortJob", RPC_PROC_WRITE, abort_job, remote_domain_args,
              NO_XDR),
    FLAGS_ROW(DOMAIN_ABORT_JOB_FLAGS, "DomainAbortJobFlags", RPC_PROC_WRITE, abort_job, 0,
              remote_domain_flags_args, NO_XDR),
};
const size_t job_n_procs = ARRAY_SIZE(job_procs);
