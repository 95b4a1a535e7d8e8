/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest's memory is used for. */
#include "daemon.h"
#include "driver/measure.h"
#include "driver/memory.h"
#include "driver/stats.h"
#include "params.h"

/* One value by its tag; libvirt sends them in the order of the tags. */
static void add_value(remote_domain_memory_stats_ret *ret, unsigned max, const MemoryStats *memory,
                      MemoryStat stat) {
    if (memory->known[stat] && ret->stats.stats_len < max)
        ret->stats.stats_val[ret->stats.stats_len++] = (remote_domain_memory_stat){
            .tag = (int)stat, .val = memory->value[stat]};
}

DOMAIN_FUNC(memory_stats, remote_domain_memory_stats_args, remote_domain_memory_stats_ret) {
    const unsigned max = MIN_OF(args->maxStats, (unsigned)MEMORY_STAT_MAX_);
    DomainReading *reading = NULL;
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = driver_read_stats(&domain, 1, READ_MEMORY, false, &reading, reterr);
    if (r < 0)
        return r;
    ret->stats.stats_val = calloc(max + 1, sizeof(remote_domain_memory_stat));
    if (!ret->stats.stats_val)
        r = error_no_memory(reterr);
    for (MemoryStat stat = 0; r >= 0 && stat < MEMORY_STAT_MAX_; stat++)
        if (stat != MEMORY_STAT_RSS)
            add_value(ret, max, &reading->memory, stat);
    if (r >= 0) /* what the host knows comes after what the guest says */
        add_value(ret, max, &reading->memory, MEMORY_STAT_RSS);
    driver_readings_free(reading, 1);
    return r;
}

DOMAIN_FUNC(set_memory_stats_period, remote_domain_set_memory_stats_period_args, void) {
    if (args->period < 0)
        return error_argument(reterr, "virDomainSetMemoryStatsPeriod", "period",
                              "period in virDomainSetMemoryStatsPeriod must be zero or greater");
    return driver_set_memory_period(domain, (unsigned)args->period, args->flags, reterr);
}

/* virDomainDirtyRateCalcFlags: one bit for each mode but the first. */
DOMAIN_FUNC(start_dirty_rate, remote_domain_start_dirty_rate_calc_args, void) {
    const unsigned modes = args->flags;

    if (modes & (modes - 1))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the rate of written memory is measured in one way at a time");
    return driver_start_dirty_rate(domain,
                                   modes == 1   ? DIRTY_RATE_BITMAP
                                   : modes == 2 ? DIRTY_RATE_RING
                                                : DIRTY_RATE_SAMPLING,
                                   args->seconds, reterr);
}

const RpcProc memory_procs[] = {
    FLAGS_ROW(DOMAIN_START_DIRTY_RATE_CALC, "DomainStartDirtyRateCalc", RPC_PROC_WRITE,
              start_dirty_rate, 3, remote_domain_start_dirty_rate_calc_args, NO_XDR),
    FLAGS_ROW(DOMAIN_MEMORY_STATS, "DomainMemoryStats", 0, memory_stats, 0,
              remote_domain_memory_stats_args, XDR_OF(remote_domain_memory_stats_ret)),
    FLAGS_ROW(DOMAIN_SET_MEMORY_STATS_PERIOD, "DomainSetMemoryStatsPeriod", RPC_PROC_WRITE,
              set_memory_stats_period, AFFECT_LIVE | AFFECT_CONFIG,
              remote_domain_set_memory_stats_period_args, NO_XDR),
};
const size_t memory_n_procs = ARRAY_SIZE(memory_procs);
