/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bulk statistics of domains as typed parameters. */
#include <stdio.h>

#include "daemon.h"

enum { STATS_STATE = 1, STATS_CPU_TOTAL = 2, STATS_BALLOON = 4, STATS_VCPU = 8 };
enum { STATS_SUPPORTED = STATS_STATE | STATS_CPU_TOTAL | STATS_BALLOON | STATS_VCPU };
enum { STATS_LIST_BITS = 0xff, STATS_NOWAIT = 1 << 29, STATS_BACKING = 1 << 30 };
#define STATS_ENFORCE (1u << 31)

enum { PARAM_INT = 1, PARAM_UINT = 2, PARAM_ULLONG = 4 };

/* A growing list; `failed` sticks, so callers check once. */
typedef struct Params {
    remote_typed_param *list;
    size_t n, size;
    bool failed;
} Params;

static remote_typed_param *add(Params *params, int type, const char *format, unsigned index) {
    remote_typed_param *param;

    if (params->n == params->size) {
        size_t size = params->size ? params->size * 2 : 32;
        void *grown = reallocarray(params->list, size, sizeof(remote_typed_param));

        params->failed |= !grown;
        if (!grown)
            return NULL;
        params->list = grown;
        params->size = size;
    }
    param = &params->list[params->n];
    *param = (remote_typed_param){0};
    if (asprintf(&param->field, format, index) < 0) {
        params->failed = true;
        return NULL;
    }
    param->value.type = type;
    params->n++;
    return param;
}

static void add_int(Params *params, const char *name, int value) {
    remote_typed_param *param = add(params, PARAM_INT, name, 0);

    if (param)
        param->value.remote_param_value_u.i = value;
}

static void add_uint(Params *params, const char *name, unsigned value) {
    remote_typed_param *param = add(params, PARAM_UINT, name, 0);

    if (param)
        param->value.remote_param_value_u.ui = value;
}

static void add_ullong(Params *params, const char *format, unsigned index, uint64_t value) {
    remote_typed_param *param = add(params, PARAM_ULLONG, format, index);

    if (param)
        param->value.remote_param_value_u.ul = value;
}

static void add_vcpu(Params *params, const Domain *domain, unsigned id) {
    pid_t tid = vcpu_map_tid(&domain->vcpus, id);
    remote_typed_param *param;
    uint64_t ns = 0;
    char state;
    int cpu;

    param = add(params, PARAM_INT, "vcpu.%u.state", id);
    if (param)
        param->value.remote_param_value_u.i = 1;
    if (tid && driver_thread_stat(domain->pid.pid, tid, &ns, &cpu, &state) >= 0)
        add_ullong(params, "vcpu.%u.time", id, ns);
}

static void add_stats(Params *params, const Domain *domain, unsigned stats) {
    const DomainDef *def = domain_def(domain);
    uint64_t ns = 0;
    char state;
    int cpu;

    if (stats & STATS_STATE) {
        add_int(params, "state.state", domain->state);
        add_int(params, "state.reason", domain->reason);
    }
    if ((stats & STATS_CPU_TOTAL) && domain_is_active(domain) &&
        driver_thread_stat(domain->pid.pid, 0, &ns, &cpu, &state) >= 0)
        add_ullong(params, "cpu.time", 0, ns);
    if (stats & STATS_BALLOON) {
        add_ullong(params, "balloon.current", 0, def->current_memory_kib);
        add_ullong(params, "balloon.maximum", 0, def->memory_kib);
    }
    if (stats & STATS_VCPU) {
        add_uint(params, "vcpu.current", domain_def_online_vcpus(def));
        add_uint(params, "vcpu.maximum", def->n_vcpus_max);
        for (unsigned id = 0; domain_is_active(domain) && id < def->n_vcpus_max; id++)
            if (def->vcpus[id].online)
                add_vcpu(params, domain, id);
    }
}

static int add_record(remote_connect_get_all_domain_stats_ret *ret, const Domain *domain, unsigned stats,
                      Error **reterr) {
    remote_domain_stats_record *record = &ret->retStats.retStats_val[ret->retStats.retStats_len];
    Params params = {0};
    int r = dispatch_make_domain(domain, &record->dom, reterr);

    if (r < 0)
        return r;
    add_stats(&params, domain, stats);
    record->params.params_val = params.list;
    record->params.params_len = params.n;
    ret->retStats.retStats_len++;
    return params.failed ? error_no_memory(reterr) : 0;
}

static int named_stats(RpcSession *session, const remote_connect_get_all_domain_stats_args *args,
                       remote_connect_get_all_domain_stats_ret *ret, unsigned stats, Error **reterr) {
    for (unsigned i = 0; i < args->doms.doms_len; i++) {
        const remote_domain *wire = &args->doms.doms_val[i];
        const Domain *domain =
            driver_find_uuid(driver_of(session), (const uint8_t *)wire->uuid, wire->name, NULL);
        int r = domain ? add_record(ret, domain, stats, reterr) : 0; /* gone meanwhile: left out */

        if (r < 0)
            return r;
    }
    return 0;
}

HANDLER(get_all_domain_stats) {
    remote_connect_get_all_domain_stats_args *args = args_;
    remote_connect_get_all_domain_stats_ret *ret = ret_;
    const Driver *driver = driver_of(session);
    unsigned stats = args->stats ? args->stats : STATS_SUPPORTED;
    size_t room = args->doms.doms_len ? args->doms.doms_len : driver->n_domains;
    int r = dispatch_flags(args->flags, STATS_LIST_BITS | STATS_NOWAIT | STATS_BACKING | STATS_ENFORCE,
                           "qemuConnectGetAllDomainStats", reterr);

    if (r < 0)
        return r;
    if ((args->flags & STATS_ENFORCE) && (stats & ~STATS_SUPPORTED))
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "Stats types bits 0x%x are not supported by this daemon or QEMU",
                            stats & ~STATS_SUPPORTED);
    ret->retStats.retStats_val = calloc(room + 1, sizeof(remote_domain_stats_record));
    if (!ret->retStats.retStats_val)
        return error_no_memory(reterr);
    if (args->doms.doms_len)
        return named_stats(session, args, ret, stats, reterr);
    for (const Domain *domain = driver->domains; domain; domain = domain->next)
        if (dispatch_list_matches(domain, args->flags & STATS_LIST_BITS)) {
            r = add_record(ret, domain, stats, reterr);
            if (r < 0)
                return r;
        }
    return 0;
}

const RpcProc stats_procs[] = {
    {REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, "virConnectGetAllDomainStats", 0, get_all_domain_stats,
     XDR_OF(remote_connect_get_all_domain_stats_args), XDR_OF(remote_connect_get_all_domain_stats_ret)},
};
const size_t stats_n_procs = ARRAY_SIZE(stats_procs);
