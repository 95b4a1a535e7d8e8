/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bulk statistics of domains as typed parameters. */
#include <stdio.h>

#include "access-view.h"
#include "driver/stats.h"
#include "filter.h"
#include "params.h"
#include "limits/readings.h"
#include "util/file.h"

enum {
    STATS_SUPPORTED = STATS_STATE | STATS_CPU_TOTAL | STATS_BALLOON | STATS_VCPU | STATS_INTERFACE |
                      STATS_BLOCK | STATS_PERF | STATS_IOTHREAD | STATS_MEMORY | STATS_DIRTYRATE |
                      STATS_VM
};
enum { STATS_LIST_BITS = 0xff };
enum { VCPU_RUNNING = 1 }; /* virVcpuState */

#define YIELD_EVERY 64u /* domains whose parameters are made in one go */

/* ---- groups ---- */

static void add_state(Params *params, const Domain *domain) {
    params_add_int(params, "state.state", (int)domain->state);
    params_add_int(params, "state.reason", domain->reason);
}

static void add_memory(Params *params, const MemoryStats *memory, MemoryStat stat) {
    if (memory->known[stat])
        params_add_ullong(params, params_name(params, "balloon.%s", memory_stat_name(stat)),
                          memory->value[stat]);
}

/* What the host knows comes after what the guest says. */
static void add_balloon(Params *params, const DomainReading *reading) {
    const DomainDef *def = domain_def(reading->domain);
    const MemoryStats *memory = &reading->memory;

    params_add_ullong(params, "balloon.current",
                      memory->known[MEMORY_STAT_ACTUAL_BALLOON]
                          ? memory->value[MEMORY_STAT_ACTUAL_BALLOON]
                          : def->current_memory_kib);
    params_add_ullong(params, "balloon.maximum", def->memory_kib);
    for (MemoryStat stat = 0; stat < MEMORY_STAT_MAX_; stat++)
        if (stat != MEMORY_STAT_ACTUAL_BALLOON && stat != MEMORY_STAT_RSS)
            add_memory(params, memory, stat);
    add_memory(params, memory, MEMORY_STAT_RSS);
}

static void add_vcpu(Params *params, const VcpuReading *vcpu) {
    params_add_int(params, params_name(params, "vcpu.%u.state", vcpu->id), VCPU_RUNNING);
    if (!vcpu->known)
        return;
    params_add_ullong(params, params_name(params, "vcpu.%u.time", vcpu->id), vcpu->run_ns);
    params_add_ullong(params, params_name(params, "vcpu.%u.wait", vcpu->id), vcpu->wait_ns);
    params_add_ullong(params, params_name(params, "vcpu.%u.delay", vcpu->id), vcpu->delay_ns);
}

static void add_vcpus(Params *params, const DomainReading *reading) {
    const DomainDef *def = domain_def(reading->domain);

    params_add_uint(params, "vcpu.current", domain_def_online_vcpus(def));
    params_add_uint(params, "vcpu.maximum", def->n_vcpus_max);
    for (size_t i = 0; i < reading->n_vcpus; i++)
        add_vcpu(params, &reading->vcpus[i]);
}

static void add_counters(Params *params, unsigned n, const BlockStats *stats) {
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {{"rd.reqs", stats->rd_reqs},   {"rd.bytes", stats->rd_bytes},
                    {"rd.times", stats->rd_ns},    {"wr.reqs", stats->wr_reqs},
                    {"wr.bytes", stats->wr_bytes}, {"wr.times", stats->wr_ns},
                    {"fl.reqs", stats->fl_reqs},   {"fl.times", stats->fl_ns}};

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        params_add_ullong(params, params_name(params, "block.%u.%s", n, counters[i].name),
                          counters[i].value);
}

static void add_disk(Params *params, unsigned n, const DomainReading *reading,
                     const DiskReading *disk) {
    const BlockStats *stats = block_stats_find(&reading->blocks, disk->alias);

    params_add_string(params, params_name(params, "block.%u.name", n), disk->target);
    if (disk->source)
        params_add_string(params, params_name(params, "block.%u.path", n), disk->source);
    if (disk->index)
        params_add_uint(params, params_name(params, "block.%u.backingIndex", n), disk->index);
    if (stats)
        add_counters(params, n, stats);
    if (disk->has_file) {
        params_add_ullong(params, params_name(params, "block.%u.allocation", n), disk->allocation);
        params_add_ullong(params, params_name(params, "block.%u.capacity", n),
                          stats && stats->has_sizes ? stats->capacity : disk->capacity);
        params_add_ullong(params, params_name(params, "block.%u.physical", n), disk->physical);
    }
    if (disk->threshold)
        params_add_ullong(params, params_name(params, "block.%u.threshold", n), disk->threshold);
}

static void add_disks(Params *params, const DomainReading *reading) {
    params_add_uint(params, "block.count", (unsigned)reading->n_disks);
    for (unsigned i = 0; i < reading->n_disks; i++)
        add_disk(params, i, reading, &reading->disks[i]);
}

static void add_iothreads(Params *params, const Domain *domain) {
    if (!domain_is_active(domain))
        return;
    if (domain->run->iothreads.n > 0)
        params_add_uint(params, "iothread.count", (unsigned)domain->run->iothreads.n);
    for (size_t i = 0; i < domain->run->iothreads.n; i++) {
        const Iothread *iothread = &domain->run->iothreads.list[i];

        params_add_ullong(params, params_name(params, "iothread.%u.poll-max-ns", iothread->id),
                          iothread->poll_max_ns);
        params_add_uint(params, params_name(params, "iothread.%u.poll-grow", iothread->id),
                        (unsigned)iothread->poll_grow);
        params_add_uint(params, params_name(params, "iothread.%u.poll-shrink", iothread->id),
                        (unsigned)iothread->poll_shrink);
    }
}

static void add_nic(Params *params, unsigned n, const NicReading *nic) {
    static const char *const names[] = {"bytes", "pkts", "errs", "drop"};

    if (nic->target)
        params_add_string(params, params_name(params, "net.%u.name", n), nic->target);
    for (size_t i = 0; nic->known && i < ARRAY_SIZE(names); i++)
        params_add_ullong(params, params_name(params, "net.%u.rx.%s", n, names[i]), nic->rx[i]);
    for (size_t i = 0; nic->known && i < ARRAY_SIZE(names); i++)
        params_add_ullong(params, params_name(params, "net.%u.tx.%s", n, names[i]), nic->tx[i]);
}

static void add_nics(Params *params, const DomainReading *reading) {
    params_add_uint(params, "net.count", (unsigned)reading->n_nics);
    for (unsigned i = 0; i < reading->n_nics; i++)
        add_nic(params, i, &reading->nics[i]);
}

/* ---- resctrl monitors ---- */

/* How the two kinds of monitors are called: "cpu.cache.monitor.0.bank.1.bytes". */
typedef struct MonitorNames {
    const char *prefix, *parts; /* "cpu.cache", "bank" */
    struct {
        const char *feature, *value; /* the kernel's, and the name's end */
    } readings[2];
    bool is_memory;
} MonitorNames;

static const MonitorNames cache_names = {
    .prefix = "cpu.cache", .parts = "bank", .readings = {{"llc_occupancy", "bytes"}}};

static const MonitorNames memory_names = {
    .prefix = "memory.bandwidth",
    .parts = "node",
    .readings = {{"mbm_total_bytes", "bytes.total"}, {"mbm_local_bytes", "bytes.local"}},
    .is_memory = true};

static const char *monitor_name(Params *params, const MonitorNames *names, unsigned n,
                                const char *what) {
    return params_name(params, "%s.monitor.%u.%s", names->prefix, n, what);
}

static const char *part_name(Params *params, const MonitorNames *names, unsigned n, unsigned part,
                             const char *what) {
    return params_name(params, "%s.monitor.%u.%s.%u.%s", names->prefix, n, names->parts, part,
                       what);
}

static void add_readings(Params *params, const MonitorNames *names, unsigned n, size_t kind,
                         const ResctrlReading *readings, size_t n_readings) {
    if (kind == 0)
        params_add_uint(
            params, params_name(params, "%s.monitor.%u.%s.count", names->prefix, n, names->parts),
            (unsigned)n_readings);
    for (unsigned i = 0; i < n_readings; i++) {
        if (kind == 0)
            params_add_uint(params, part_name(params, names, n, i, "id"), readings[i].id);
        if (readings[i].available)
            params_add_ullong(params, part_name(params, names, n, i, names->readings[kind].value),
                              readings[i].value);
    }
}

/* The domain may end while it is read: -ENOENT for a monitor that is no more. */
static int read_monitor(Domain *domain, size_t resctrl, size_t monitor, const char *feature,
                        ResctrlReading **ret, size_t *ret_n) {
    LimitsSubject subject;

    if (!domain_is_active(domain) || resctrl >= domain->run->live->cputune.n_resctrls ||
        monitor >= domain->run->live->cputune.resctrls[resctrl].n_monitors)
        return -ENOENT;
    subject = domain_subject(domain);
    return limits_monitor(domain->run->limits, &subject, resctrl, monitor, feature, ret, ret_n,
                          NULL);
}

static void add_monitor(Params *params, Domain *domain, const MonitorNames *names, size_t resctrl,
                        size_t monitor, unsigned n) {
    const MonitorDef *def = &domain->run->live->cputune.resctrls[resctrl].monitors[monitor];
    CLEANUP_FREE char *list = bitmap_format(def->vcpus),
                      *name = list ? strf("vcpus_%s", list) : NULL;

    if (!name) {
        params->failed = true;
        return;
    }
    params_add_string(params, monitor_name(params, names, n, "name"), name);
    params_add_string(params, monitor_name(params, names, n, "vcpus"), list);
    for (size_t k = 0; k < ARRAY_SIZE(names->readings) && names->readings[k].feature; k++) {
        CLEANUP_FREE ResctrlReading *readings = NULL;
        size_t n_readings = 0;

        if (read_monitor(domain, resctrl, monitor, names->readings[k].feature, &readings,
                         &n_readings) >= 0)
            add_readings(params, names, n, k, readings, n_readings);
    }
}

/* Looked up anew each time: reading a monitor suspends. */
static const ResctrlDef *resctrl_at(Domain *domain, size_t i) {
    const CpuTuneDef *tune = domain_is_active(domain) ? &domain->run->live->cputune : NULL;

    return tune && i < tune->n_resctrls ? &tune->resctrls[i] : NULL;
}

static void add_monitors(Params *params, Domain *domain, const MonitorNames *names) {
    const ResctrlDef *resctrl;
    unsigned n = 0;

    for (size_t i = 0; (resctrl = resctrl_at(domain, i)); i++)
        for (size_t k = 0; k < resctrl->n_monitors; k++)
            n += resctrl->monitors[k].is_memory == names->is_memory;
    if (n == 0 && (names->is_memory || !domain_is_active(domain)))
        return; /* of the caches a count is wanted, of the memory only readings */
    params_add_uint(params, params_name(params, "%s.monitor.count", names->prefix), n);
    n = 0;
    for (size_t i = 0; resctrl_at(domain, i); i++)
        for (size_t k = 0; (resctrl = resctrl_at(domain, i)) && k < resctrl->n_monitors; k++)
            if (resctrl->monitors[k].is_memory == names->is_memory)
                add_monitor(params, domain, names, i, k, n++);
}

/* ---- a record ---- */

static void add_cpu_total(Params *params, const DomainReading *reading) {
    if (reading->has_usage) {
        params_add_ullong(params, "cpu.time", reading->usage.usage_ns);
        params_add_ullong(params, "cpu.user", reading->usage.user_ns);
        params_add_ullong(params, "cpu.system", reading->usage.system_ns);
    } else if (reading->has_cpu) {
        params_add_ullong(params, "cpu.time", reading->user_ns + reading->system_ns);
        params_add_ullong(params, "cpu.user", reading->user_ns);
        params_add_ullong(params, "cpu.system", reading->system_ns);
    }
    add_monitors(params, reading->domain, &cache_names);
    if (reading->has_halt_poll) {
        params_add_ullong(params, "cpu.haltpoll.success.time", reading->halt_poll.success_ns);
        params_add_ullong(params, "cpu.haltpoll.fail.time", reading->halt_poll.fail_ns);
    }
}

static void add_dirty_rate(Params *params, const DomainReading *reading) {
    const DirtyRateResult *dirty = &reading->dirty;

    if (!reading->has_dirty)
        return;
    params_add_int(params, "dirtyrate.calc_status", (int)dirty->status);
    params_add_llong(params, "dirtyrate.calc_start_time", dirty->start);
    params_add_int(params, "dirtyrate.calc_period", dirty->seconds);
    if (*dirty->mode)
        params_add_string(params, "dirtyrate.calc_mode", dirty->mode);
    if (dirty->status == DIRTY_MEASURED)
        params_add_llong(params, "dirtyrate.megabytes_per_second", dirty->mib_sec);
}

static void add_kvm(Params *params, const DomainReading *reading) {
    for (size_t i = 0; i < reading->kvm.n; i++) {
        const KvmStat *stat = &reading->kvm.list[i];

        if (stat->is_bool)
            params_add_bool(params, stat->name, stat->value);
        else
            params_add_ullong(params, stat->name, stat->value);
    }
}

/* Perf events are in the definition alone: none has a number. */
static void add_stats(Params *params, const DomainReading *reading, unsigned stats) {
    if (stats & STATS_STATE)
        add_state(params, reading->domain);
    if (stats & STATS_CPU_TOTAL)
        add_cpu_total(params, reading);
    if (stats & STATS_BALLOON)
        add_balloon(params, reading);
    if (stats & STATS_VCPU)
        add_vcpus(params, reading);
    if ((stats & STATS_INTERFACE) && reading->active)
        add_nics(params, reading);
    if (stats & STATS_BLOCK)
        add_disks(params, reading);
    if (stats & STATS_IOTHREAD)
        add_iothreads(params, reading->domain);
    if (stats & STATS_MEMORY)
        add_monitors(params, reading->domain, &memory_names);
    if (stats & STATS_DIRTYRATE)
        add_dirty_rate(params, reading);
    if (stats & STATS_VM)
        add_kvm(params, reading);
}

static int add_record(remote_connect_get_all_domain_stats_ret *ret, const DomainReading *reading,
                      unsigned stats, Error **reterr) {
    remote_domain_stats_record *record = &ret->retStats.retStats_val[ret->retStats.retStats_len];
    Params params = {0};
    int r = dispatch_make_domain(reading->domain, &record->dom, reterr);

    if (r < 0)
        return r;
    ret->retStats.retStats_len++;
    add_stats(&params, reading, stats);
    return params_hand_over(&params, &record->params.params_val, &record->params.params_len,
                            reterr);
}

/* ---- which domains ---- */

typedef struct Chosen {
    Domain *domain;
    bool taken;
} Chosen;

static int by_uuid(const void *a, const void *b) {
    return memcmp(domain_def(((const Chosen *)a)->domain)->uuid,
                  domain_def(((const Chosen *)b)->domain)->uuid, sizeof(remote_uuid));
}

static int uuid_to(const void *key, const void *row) {
    return memcmp(key, domain_def(((const Chosen *)row)->domain)->uuid, sizeof(remote_uuid));
}

/* Those that are named, each once, in that order; who is gone meanwhile is left out. */
static size_t choose_named(const remote_connect_get_all_domain_stats_args *args, Chosen *all,
                           size_t n_all, Domain **ret) {
    size_t n = 0;

    qsort(all, n_all, sizeof(Chosen), by_uuid);
    for (size_t i = 0; i < args->doms.doms_len; i++) {
        Chosen *found = bsearch(args->doms.doms_val[i].uuid, all, n_all, sizeof(Chosen), uuid_to);

        if (found && !found->taken) {
            found->taken = true;
            ret[n++] = found->domain;
        }
    }
    return n;
}

static int choose(RpcSession *session, const remote_connect_get_all_domain_stats_args *args,
                  Domain ***ret, size_t *ret_n, Error **reterr) {
    const Driver *driver = driver_of(session);
    CLEANUP_FREE Chosen *all = calloc(driver_n_domains(driver) + 1, sizeof(Chosen));
    CLEANUP_FREE Domain **chosen = calloc(driver_n_domains(driver) + 1, sizeof(Domain *));
    size_t n = 0;

    if (!all || !chosen)
        return error_no_memory(reterr);
    for (Domain *domain = driver_domains(driver); domain && n < driver_n_domains(driver);
         domain = domain->next)
        if (access_sees(client_of(session), domain_def(domain)->uuid) &&
            (args->doms.doms_len || filter_matches(domain, args->flags & STATS_LIST_BITS)))
            all[n++].domain = domain;
    for (size_t i = 0; i < n; i++)
        chosen[i] = all[i].domain;
    *ret_n = args->doms.doms_len ? choose_named(args, all, n, chosen)
                                 : MIN_OF(n, (size_t)REMOTE_DOMAIN_LIST_MAX);
    *ret = TAKE_PTR(chosen);
    return 0;
}

static unsigned what_to_read(unsigned stats, unsigned flags) {
    return ((flags & STATS_BACKING) ? READ_BACKING : 0) |
           ((stats & STATS_CPU_TOTAL) ? READ_CPU : 0) | ((stats & STATS_VCPU) ? READ_VCPUS : 0) |
           ((stats & STATS_BALLOON) ? READ_MEMORY : 0) | ((stats & STATS_BLOCK) ? READ_BLOCK : 0) |
           ((stats & STATS_INTERFACE) ? READ_NET : 0) |
           ((stats & STATS_DIRTYRATE) ? READ_DIRTY : 0) | ((stats & STATS_VM) ? READ_KVM : 0);
}

static int make_records(remote_connect_get_all_domain_stats_ret *ret, const DomainReading *readings,
                        size_t n, unsigned stats, Error **reterr) {
    int r = 0;

    ret->retStats.retStats_val = calloc(n + 1, sizeof(remote_domain_stats_record));
    if (!ret->retStats.retStats_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        r = add_record(ret, &readings[i], stats, reterr);
        if (i % YIELD_EVERY == YIELD_EVERY - 1)
            fiber_yield();
    }
    return r;
}

HANDLER(get_all_domain_stats) {
    remote_connect_get_all_domain_stats_args *args = args_;
    CLEANUP_FREE Domain **domains = NULL;
    DomainReading *readings = NULL;
    unsigned stats = args->stats ? args->stats : STATS_SUPPORTED;
    size_t n = 0;
    int r = dispatch_flags(args->flags,
                           STATS_LIST_BITS | STATS_NOWAIT | STATS_BACKING | STATS_ENFORCE,
                           call->proc->api, reterr);

    if (r >= 0 && (args->flags & STATS_ENFORCE) && (stats & ~(unsigned)STATS_SUPPORTED))
        r = error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                         "Stats types bits 0x%x are not supported by this daemon or QEMU",
                         stats & ~(unsigned)STATS_SUPPORTED);
    if (r >= 0)
        r = access_look(client_of(session), reterr);
    if (r >= 0)
        r = choose(session, args, &domains, &n, reterr);
    if (r >= 0)
        r = driver_read_stats(domains, n, what_to_read(stats, args->flags),
                              args->flags & STATS_NOWAIT, &readings, reterr);
    if (r < 0)
        return r;
    r = make_records(ret_, readings, n, stats, reterr);
    driver_readings_free(readings, n);
    return r;
}

const RpcProc stats_procs[] = {
    {REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, "virConnectGetAllDomainStats", RPC_PROC_HEAVY,
     get_all_domain_stats, XDR_OF(remote_connect_get_all_domain_stats_args),
     XDR_OF(remote_connect_get_all_domain_stats_ret)},
};
const size_t stats_n_procs = ARRAY_SIZE(stats_procs);
