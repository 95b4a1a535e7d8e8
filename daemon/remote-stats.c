/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bulk statistics of domains as typed parameters. */
#include <stdio.h>

#include "daemon.h"
#include "filter.h"
#include "params.h"
#include "limits/readings.h"
#include "util/file.h"

enum {
    STATS_SUPPORTED = STATS_STATE | STATS_CPU_TOTAL | STATS_BALLOON | STATS_VCPU | STATS_IOTHREAD |
                      STATS_MEMORY
};
enum { STATS_LIST_BITS = 0xff };

/* The second number of /proc/PID/task/TID/schedstat (scheduler/sched-stats.rst): time in the run
 * queue, ns. */
static uint64_t read_delay(pid_t pid, pid_t tid) {
    CLEANUP_FREE char *path = strf("/proc/%d/task/%d/schedstat", pid, tid), *text = NULL;
    unsigned long long delay = 0;

    if (!path || file_read(path, 4096, &text, NULL) < 0 || sscanf(text, "%*u %llu", &delay) != 1)
        return 0;
    return delay;
}

/* "wait_sum : 12.345678" (ms) of /proc/PID/task/TID/sched, which is there while
 * kernel.sched_schedstats is 1. */
static uint64_t read_wait(pid_t pid, pid_t tid) {
    CLEANUP_FREE char *path = strf("/proc/%d/task/%d/sched", pid, tid), *text = NULL;
    unsigned long long whole = 0, fraction = 0;
    const char *at;

    if (!path || file_read(path, 65536, &text, NULL) < 0)
        return 0;
    at = strstr(text, "wait_sum");
    at = at ? strchr(at, ':') : NULL;
    if (!at || sscanf(at + 1, " %llu.%6llu", &whole, &fraction) < 1)
        return 0;
    return whole * UINT64_C(1000000) + fraction;
}

static bool has_schedstats(void) {
    CLEANUP_FREE char *text = NULL;

    return file_read("/proc/sys/kernel/sched_schedstats", 64, &text, NULL) >= 0 && *text == '1';
}

static void add_vcpu(Params *params, const Domain *domain, unsigned id, bool schedstats) {
    pid_t pid = domain->run->pid.pid, tid = vcpu_map_tid(&domain->run->vcpus, id);
    uint64_t ns = 0;
    char state;
    int cpu;

    params_add_int(params, params_name(params, "vcpu.%u.state", id), 1);
    if (!tid || driver_thread_stat(pid, tid, &ns, &cpu, &state) < 0)
        return;
    params_add_ullong(params, params_name(params, "vcpu.%u.time", id), ns);
    params_add_ullong(params, params_name(params, "vcpu.%u.wait", id),
                      schedstats ? read_wait(pid, tid) : 0);
    params_add_ullong(params, params_name(params, "vcpu.%u.delay", id), read_delay(pid, tid));
}

static void add_vcpus(Params *params, const Domain *domain) {
    const DomainDef *def = domain_def(domain);
    bool schedstats = has_schedstats();

    params_add_uint(params, "vcpu.current", domain_def_online_vcpus(def));
    params_add_uint(params, "vcpu.maximum", def->n_vcpus_max);
    for (unsigned id = 0; domain_is_active(domain) && id < def->n_vcpus_max; id++)
        if (def->vcpus[id].online)
            add_vcpu(params, domain, id, schedstats);
}

static void add_iothreads(Params *params, const Domain *domain) {
    if (!domain_is_active(domain))
        return;
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
    if (n == 0)
        return;
    params_add_uint(params, params_name(params, "%s.monitor.count", names->prefix), n);
    n = 0;
    for (size_t i = 0; resctrl_at(domain, i); i++)
        for (size_t k = 0; (resctrl = resctrl_at(domain, i)) && k < resctrl->n_monitors; k++)
            if (resctrl->monitors[k].is_memory == names->is_memory)
                add_monitor(params, domain, names, i, k, n++);
}

/* ---- groups ---- */

static void add_cpu_total(Params *params, Domain *domain) {
    CgroupUsage usage;
    uint64_t ns = 0;
    char state;
    int cpu;

    if (!domain_is_active(domain))
        return;
    if (limits_usage(domain->run->limits, domain_name(domain), NULL, &usage, NULL) >= 0) {
        params_add_ullong(params, "cpu.time", usage.usage_ns);
        params_add_ullong(params, "cpu.user", usage.user_ns);
        params_add_ullong(params, "cpu.system", usage.system_ns);
    } else if (domain_is_active(domain) &&
               driver_thread_stat(domain->run->pid.pid, 0, &ns, &cpu, &state) >= 0) {
        params_add_ullong(params, "cpu.time", ns);
    }
    add_monitors(params, domain, &cache_names);
}

static void add_stats(Params *params, Domain *domain, unsigned stats) {
    if (stats & STATS_STATE) {
        params_add_int(params, "state.state", domain->state);
        params_add_int(params, "state.reason", domain->reason);
    }
    if (stats & STATS_CPU_TOTAL)
        add_cpu_total(params, domain);
    if (stats & STATS_BALLOON) {
        params_add_ullong(params, "balloon.current", domain_def(domain)->current_memory_kib);
        params_add_ullong(params, "balloon.maximum", domain_def(domain)->memory_kib);
    }
    if (stats & STATS_VCPU)
        add_vcpus(params, domain);
    if (stats & STATS_IOTHREAD)
        add_iothreads(params, domain);
    if (stats & STATS_MEMORY)
        add_monitors(params, domain, &memory_names);
}

static int add_record(remote_connect_get_all_domain_stats_ret *ret, Domain *domain, unsigned stats,
                      Error **reterr) {
    remote_domain_stats_record *record = &ret->retStats.retStats_val[ret->retStats.retStats_len];
    Params params = {0};
    int r = dispatch_make_domain(domain, &record->dom, reterr);

    if (r < 0)
        return r;
    add_stats(&params, domain, stats);
    ret->retStats.retStats_len++;
    return params_hand_over(&params, &record->params.params_val, &record->params.params_len,
                            reterr);
}

/* Held from the beginning: reading one of them suspends. */
typedef struct Asked {
    Domain **list;
    size_t n;
} Asked;

static void asked_done(Asked *asked) {
    for (size_t i = 0; i < asked->n; i++)
        domain_unref(asked->list[i]);
    free(asked->list);
}

static int asked_of(RpcSession *session, const remote_connect_get_all_domain_stats_args *args,
                    Asked *ret, Error **reterr) {
    Driver *driver = driver_of(session);
    size_t room = args->doms.doms_len ? args->doms.doms_len : driver->n_domains;

    ret->list = calloc(room + 1, sizeof(Domain *));
    if (!ret->list)
        return error_no_memory(reterr);
    for (unsigned i = 0; i < args->doms.doms_len; i++) {
        const remote_domain *wire = &args->doms.doms_val[i];
        Domain *domain = driver_find_uuid(driver, (const uint8_t *)wire->uuid, wire->name, NULL);

        if (domain) /* else gone meanwhile: left out */
            ret->list[ret->n++] = domain_ref(domain);
    }
    for (Domain *domain = driver->domains; !args->doms.doms_len && domain; domain = domain->next)
        if (filter_matches(domain, args->flags & STATS_LIST_BITS))
            ret->list[ret->n++] = domain_ref(domain);
    return 0;
}

HANDLER(get_all_domain_stats) {
    remote_connect_get_all_domain_stats_args *args = args_;
    remote_connect_get_all_domain_stats_ret *ret = ret_;
    CLEANUP(asked_done) Asked asked = {0};
    unsigned stats = args->stats ? args->stats : STATS_SUPPORTED;
    int r = dispatch_flags(args->flags,
                           STATS_LIST_BITS | STATS_NOWAIT | STATS_BACKING | STATS_ENFORCE,
                           call->proc->api, reterr);

    if (r < 0)
        return r;
    if ((args->flags & STATS_ENFORCE) && (stats & ~STATS_SUPPORTED))
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "Stats types bits 0x%x are not supported by this daemon or QEMU",
                            stats & ~STATS_SUPPORTED);
    r = asked_of(session, args, &asked, reterr);
    if (r < 0)
        return r;
    ret->retStats.retStats_val = calloc(asked.n + 1, sizeof(remote_domain_stats_record));
    if (!ret->retStats.retStats_val)
        return error_no_memory(reterr);
    for (size_t i = 0; i < asked.n && r >= 0; i++)
        r = add_record(ret, asked.list[i], stats, reterr);
    return r;
}

const RpcProc stats_procs[] = {
    {REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, "virConnectGetAllDomainStats", 0,
     get_all_domain_stats, XDR_OF(remote_connect_get_all_domain_stats_args),
     XDR_OF(remote_connect_get_all_domain_stats_ret)},
};
const size_t stats_n_procs = ARRAY_SIZE(stats_procs);
