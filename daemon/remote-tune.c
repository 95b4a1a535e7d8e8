/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pins, IO threads, scheduler and NUMA parameters, CPU statistics. */
#include <stdio.h>

#include "daemon.h"
#include "params.h"
#include "driver/tune.h"
#include "limits/readings.h"

#define CPU_STATS_NCPUS_MAX 128u

enum { N_TOTAL_STATS = 3, N_PERCPU_STATS = 2 };

/* ---- maps ---- */

static int read_map(const char *bytes, unsigned len, const char *api, Bitmap **ret,
                    Error **reterr) {
    int r;

    if (len == 0)
        return error_argument(reterr, api, "cpumap", "cpumap in %s must not be NULL", api);
    r = bitmap_from_bytes((const uint8_t *)bytes, len, ret);
    return r < 0 ? error_no_memory(reterr) : 0;
}

/* What a thread was asked to run on, cut to the CPUs the host has. */
static void write_map(const DomainDef *def, const Bitmap *pin, const Bitmap *all, uint8_t *bytes,
                      size_t len) {
    bitmap_to_bytes(pin ? pin : def->cpuset ? def->cpuset : all, bytes, len);
}

static int check_maplen(const char *api, int n, int maplen, Error **reterr) {
    if (n <= 0)
        return error_argument(reterr, api, "ncpumaps", "ncpumaps in %s must be greater than zero",
                              api);
    if (maplen <= 0)
        return error_argument(reterr, api, "maplen", "maplen in %s must be greater than zero", api);
    if (n > REMOTE_VCPUINFO_MAX)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "ncpumaps > REMOTE_VCPUINFO_MAX");
    if ((uint64_t)n * (uint64_t)maplen > REMOTE_CPUMAPS_MAX)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "maxinfo > REMOTE_CPUMAPS_MAX");
    return 0;
}

/* The definition a getter looks at. */
static int find_def(Domain *domain, unsigned flags, const DomainDef **ret, Error **reterr) {
    return driver_affected_def(domain, flags & (AFFECT_LIVE | AFFECT_CONFIG), ret, reterr);
}

/* ---- pins ---- */

static int pin_vcpu(Domain *domain, unsigned vcpu, const char *bytes, unsigned len, unsigned flags,
                    Error **reterr) {
    CLEANUP_BITMAP Bitmap *cpus = NULL;
    int r = read_map(bytes, len, "virDomainPinVcpuFlags", &cpus, reterr);

    return r < 0 ? r : driver_pin_vcpu(domain, vcpu, cpus, flags, reterr);
}

DOMAIN_FUNC(pin_vcpu_live, remote_domain_pin_vcpu_args, void) {
    return pin_vcpu(domain, args->vcpu, args->cpumap.cpumap_val, args->cpumap.cpumap_len,
                    AFFECT_LIVE, reterr);
}

DOMAIN_FUNC(pin_vcpu_flags, remote_domain_pin_vcpu_flags_args, void) {
    return pin_vcpu(domain, args->vcpu, args->cpumap.cpumap_val, args->cpumap.cpumap_len,
                    args->flags, reterr);
}

DOMAIN_FUNC(get_vcpu_pin_info, remote_domain_get_vcpu_pin_info_args,
            remote_domain_get_vcpu_pin_info_ret) {
    CLEANUP_BITMAP Bitmap *all = bitmap_new_range(dispatch_host_cpus());
    const DomainDef *def = NULL;
    int r = check_maplen("virDomainGetVcpuPinInfo", args->ncpumaps, args->maplen, reterr);

    if (r >= 0)
        r = find_def(domain, args->flags, &def, reterr);
    if (r < 0)
        return r;
    ret->cpumaps.cpumaps_len = args->ncpumaps * args->maplen;
    ret->cpumaps.cpumaps_val = calloc(1, ret->cpumaps.cpumaps_len + 1);
    if (!ret->cpumaps.cpumaps_val || !all)
        return error_no_memory(reterr);
    ret->num = MIN_OF(args->ncpumaps, (int)def->n_vcpus_max);
    for (int id = 0; id < ret->num; id++)
        write_map(def, def->vcpus[id].pin, all,
                  (uint8_t *)ret->cpumaps.cpumaps_val + (size_t)id * args->maplen, args->maplen);
    return 0;
}

DOMAIN_FUNC(pin_emulator, remote_domain_pin_emulator_args, void) {
    CLEANUP_BITMAP Bitmap *cpus = NULL;
    int r = read_map(args->cpumap.cpumap_val, args->cpumap.cpumap_len, "virDomainPinEmulator",
                     &cpus, reterr);

    return r < 0 ? r : driver_pin_emulator(domain, cpus, args->flags, reterr);
}

DOMAIN_FUNC(get_emulator_pin_info, remote_domain_get_emulator_pin_info_args,
            remote_domain_get_emulator_pin_info_ret) {
    CLEANUP_BITMAP Bitmap *all = bitmap_new_range(dispatch_host_cpus());
    const DomainDef *def = NULL;
    int r = check_maplen("virDomainGetEmulatorPinInfo", 1, args->maplen, reterr);

    if (r >= 0)
        r = find_def(domain, args->flags, &def, reterr);
    if (r < 0)
        return r;
    ret->cpumaps.cpumaps_val = calloc(1, args->maplen);
    if (!ret->cpumaps.cpumaps_val || !all)
        return error_no_memory(reterr);
    ret->cpumaps.cpumaps_len = args->maplen;
    write_map(def, def->cputune.emulator_pin, all, (uint8_t *)ret->cpumaps.cpumaps_val,
              args->maplen);
    ret->ret = 1;
    return 0;
}

/* ---- IO threads ---- */

DOMAIN_FUNC(get_iothread_info, remote_domain_flags_args, remote_domain_get_iothread_info_ret) {
    CLEANUP_BITMAP Bitmap *all = bitmap_new_range(dispatch_host_cpus());
    unsigned len = (dispatch_host_cpus() + 7) / 8;
    const DomainDef *def = NULL;
    int r = find_def(domain, args->flags, &def, reterr);

    if (r < 0)
        return r;
    ret->info.info_val = calloc(def->n_iothreads + 1, sizeof(remote_iothread_info));
    if (!ret->info.info_val || !all)
        return error_no_memory(reterr);
    for (size_t i = 0; i < def->n_iothreads; i++) {
        remote_iothread_info *info = &ret->info.info_val[ret->info.info_len++];

        info->iothread_id = def->iothreads[i].id;
        info->cpumap.cpumap_val = calloc(1, len);
        if (!info->cpumap.cpumap_val)
            return error_no_memory(reterr);
        info->cpumap.cpumap_len = len;
        write_map(def, def->iothreads[i].pin, all, (uint8_t *)info->cpumap.cpumap_val, len);
    }
    ret->ret = ret->info.info_len;
    return 0;
}

/* The same on the wire as a vCPU's. */
DOMAIN_FUNC(pin_iothread, remote_domain_pin_vcpu_flags_args, void) {
    CLEANUP_BITMAP Bitmap *cpus = NULL;
    int r = read_map(args->cpumap.cpumap_val, args->cpumap.cpumap_len, "virDomainPinIOThread",
                     &cpus, reterr);

    return r < 0 ? r : driver_pin_iothread(domain, args->vcpu, cpus, args->flags, reterr);
}

DOMAIN_FUNC(add_iothread, remote_domain_iothread_args, void) {
    return driver_add_iothread(domain, args->iothread_id, args->flags, reterr);
}

DOMAIN_FUNC(del_iothread, remote_domain_iothread_args, void) {
    return driver_delete_iothread(domain, args->iothread_id, args->flags, reterr);
}

/* What libvirt lets QEMU have of each. */
static int check_polling(const IothreadDef *values, Error **reterr) {
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"poll-max-ns", values->poll_max_ns},
                {"poll-grow", values->poll_grow},
                {"poll-shrink", values->poll_shrink}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].value > INT32_MAX)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "%s (%llu) must be less than or equal to %d", rows[i].name,
                                (unsigned long long)rows[i].value, INT32_MAX);
    return 0;
}

DOMAIN_FUNC(set_iothread_params, remote_domain_set_iothread_params_args, void) {
    static const ParamRule rules[] = {{"poll_max_ns", PARAM_ULLONG},
                                      {"poll_grow", PARAM_UINT},
                                      {"poll_shrink", PARAM_UINT},
                                      {"thread_pool_min", PARAM_INT},
                                      {"thread_pool_max", PARAM_INT}};
    const remote_typed_param *at[ARRAY_SIZE(rules)];
    IothreadDef values = {
        .id = args->iothread_id, .pool_min = IOTHREAD_POOL_KEEP, .pool_max = IOTHREAD_POOL_KEEP};
    int r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules),
                         at, reterr);

    if (r < 0)
        return r;
    values.has_poll_max = at[0] != NULL;
    values.has_poll_grow = at[1] != NULL;
    values.has_poll_shrink = at[2] != NULL;
    values.poll_max_ns = at[0] ? at[0]->value.remote_param_value_u.ul : 0;
    values.poll_grow = at[1] ? at[1]->value.remote_param_value_u.ui : 0;
    values.poll_shrink = at[2] ? at[2]->value.remote_param_value_u.ui : 0;
    if (at[3])
        values.pool_min = at[3]->value.remote_param_value_u.i;
    if (at[4])
        values.pool_max = at[4]->value.remote_param_value_u.i;
    r = check_polling(&values, reterr);
    if (r < 0)
        return r;
    if ((at[3] && values.pool_min < -1) ||
        (at[4] && (values.pool_max < -1 || values.pool_max == 0)))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "iothread %u: thread_pool_min is at least 0 and thread_pool_max at "
                            "least 1; -1 leaves them to QEMU",
                            args->iothread_id);
    return driver_set_iothread(domain, &values, args->flags & (AFFECT_LIVE | AFFECT_CONFIG),
                               reterr);
}

/* ---- scheduler parameters ---- */

static size_t n_sched_params(void) {
    size_t n = 0;

    while (limit_param(n))
        n++;
    return n;
}

/* A running domain that is in no cgroup has no scheduler. */
DOMAIN_FUNC(get_scheduler_type, void, remote_domain_get_scheduler_type_ret) {
    int r = domain_is_active(domain)
                ? limits_require(domain->run->limits, domain_name(domain), CGROUP_CPU, reterr)
                : 0;

    if (r < 0)
        return r;
    ret->nparams = (int)n_sched_params();
    return dispatch_string(&ret->type, "posix", reterr);
}

static int get_scheduler(Domain *domain, int nparams, unsigned flags,
                         remote_domain_get_scheduler_parameters_ret *ret, Error **reterr) {
    const LimitParam *param;
    SchedValues values;
    Params params = {0};
    int r;

    if (nparams <= 0)
        return error_argument(
            reterr, "virDomainGetSchedulerParametersFlags", "nparams",
            "nparams in virDomainGetSchedulerParametersFlags must be greater than zero");
    if (nparams > REMOTE_FEW_PARAMS_MAX)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "nparams too large");
    r = driver_get_sched(domain, flags & (AFFECT_LIVE | AFFECT_CONFIG), &values, reterr);
    if (r < 0)
        return r;
    for (int i = 0; (param = limit_param((size_t)i)) && i < nparams; i++)
        if (param->is_signed)
            params_add_llong(&params, param->name, values.value[i]);
        else
            params_add_ullong(&params, param->name, (uint64_t)values.value[i]);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

DOMAIN_FUNC(get_scheduler_parameters, remote_domain_get_scheduler_parameters_args,
            remote_domain_get_scheduler_parameters_ret) {
    return get_scheduler(domain, args->nparams, AFFECT_CURRENT, ret, reterr);
}

DOMAIN_FUNC(get_scheduler_parameters_flags, remote_domain_get_scheduler_parameters_flags_args,
            remote_domain_get_scheduler_parameters_ret) {
    return get_scheduler(domain, args->nparams, args->flags, ret, reterr);
}

static int set_scheduler(Domain *domain, const remote_typed_param *list, unsigned n, unsigned flags,
                         Error **reterr) {
    const remote_typed_param *at[LIMIT_PARAMS_MAX];
    ParamRule rules[LIMIT_PARAMS_MAX];
    const LimitParam *param;
    SchedValues values = {0};
    int r;

    for (size_t i = 0; (param = limit_param(i)); i++)
        rules[i] = (ParamRule){param->name, param->is_signed ? PARAM_LLONG : PARAM_ULLONG};
    r = params_check(list, n, rules, n_sched_params(), at, reterr);
    if (r < 0)
        return r;
    for (size_t i = 0; (param = limit_param(i)); i++) {
        if (!at[i])
            continue;
        values.given[i] = true;
        if (param->is_signed)
            values.value[i] = at[i]->value.remote_param_value_u.l;
        else /* beyond any limit, whatever it is */
            values.value[i] = (int64_t)MIN_OF(at[i]->value.remote_param_value_u.ul,
                                              (uint64_t)INT64_MAX);
    }
    return driver_set_sched(domain, &values, flags & (AFFECT_LIVE | AFFECT_CONFIG), reterr);
}

DOMAIN_FUNC(set_scheduler_parameters, remote_domain_set_scheduler_parameters_args, void) {
    return set_scheduler(domain, args->params.params_val, args->params.params_len, AFFECT_CURRENT,
                         reterr);
}

DOMAIN_FUNC(set_scheduler_parameters_flags, remote_domain_set_parameters_flags_args, void) {
    return set_scheduler(domain, args->params.params_val, args->params.params_len, args->flags,
                         reterr);
}

/* ---- numatune ---- */

/* Asked like the scheduler's on the wire. */
DOMAIN_FUNC(get_numa_parameters, remote_domain_get_scheduler_parameters_flags_args,
            remote_domain_get_numa_parameters_ret) {
    CLEANUP_FREE char *nodes = NULL;
    const DomainDef *def = NULL;
    Params params = {0};
    int r = find_def(domain, args->flags, &def, reterr);

    if (r < 0)
        return r;
    if (args->nparams < 0 || args->nparams > REMOTE_FEW_PARAMS_MAX)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "nparams too large");
    if (args->nparams == 0) {
        ret->nparams = 2;
        return 0;
    }
    nodes = def->numatune.nodes ? bitmap_format(def->numatune.nodes) : strdup("");
    if (!nodes)
        return error_no_memory(reterr);
    params_add_int(&params, "numa_mode", def->numatune.mode);
    if (args->nparams > 1)
        params_add_string(&params, "numa_nodeset", nodes);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

DOMAIN_FUNC(set_numa_parameters, remote_domain_set_parameters_flags_args, void) {
    static const ParamRule rules[] = {{"numa_mode", PARAM_INT}, {"numa_nodeset", PARAM_STRING}};
    const remote_typed_param *at[ARRAY_SIZE(rules)];
    CLEANUP_BITMAP Bitmap *nodes = NULL;
    int mode = NUMA_MODE_MAX_;
    int r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules),
                         at, reterr);

    if (r < 0)
        return r;
    if (at[0]) {
        mode = at[0]->value.remote_param_value_u.i;
        if (mode < 0 || mode >= NUMA_MODE_MAX_)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "unsupported numatune mode: '%d'", mode);
    }
    if (at[1] && bitmap_parse(at[1]->value.remote_param_value_u.s, BITMAP_MAX_BITS, &nodes) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "Invalid nodeset of 'numatune': %.200s",
                            at[1]->value.remote_param_value_u.s);
    return driver_set_numa(domain, (NumaMode)mode, nodes,
                           args->flags & (AFFECT_LIVE | AFFECT_CONFIG), reterr);
}

/* ---- CPU statistics ---- */

static int total_stats(Domain *domain, Params *params, Error **reterr) {
    CgroupUsage usage;
    int r = limits_usage(domain->run->limits, domain_name(domain), NULL, &usage, reterr);

    if (r < 0)
        return r;
    params_add_ullong(params, "cpu_time", usage.usage_ns);
    params_add_ullong(params, "user_time", usage.user_ns);
    params_add_ullong(params, "system_time", usage.system_ns);
    return 0;
}

/* The domain may have ended since it was last looked at. */
static int vcpu_times(Domain *domain, uint64_t **ret, size_t *ret_n, Error **reterr) {
    LimitsSubject subject;

    if (!domain_is_active(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    subject = domain_subject(domain);
    return limits_vcpu_times(domain->run->limits, &subject, ret, ret_n, reterr);
}

static int percpu_stats(Domain *domain, const remote_domain_get_cpu_stats_args *args,
                        Params *params, Error **reterr) {
    CLEANUP_FREE uint64_t *all = NULL, *vcpus = NULL;
    size_t n = 0, n_vcpus = 0;
    int r = limits_usage_percpu(domain->run->limits, domain_name(domain), &all, &n, reterr);

    if (r < 0)
        return r;
    if (args->start_cpu >= (int)n)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "start_cpu %d larger than maximum of %zu", args->start_cpu, n - 1);
    r = vcpu_times(domain, &vcpus, &n_vcpus, reterr);
    for (size_t i = (size_t)args->start_cpu;
         r >= 0 && i < n && i < (size_t)args->start_cpu + args->ncpus; i++) {
        params_add_ullong(params, "cpu_time", all[i]);
        if (args->nparams > 1)
            params_add_ullong(params, "vcpu_time", i < n_vcpus ? vcpus[i] : 0);
    }
    return r;
}

/* Four questions in one call: how many CPUs (ncpus 0), how many parameters (nparams 0), of the
 * total (start_cpu -1), of each CPU. */
DOMAIN_FUNC(get_cpu_stats, remote_domain_get_cpu_stats_args, remote_domain_get_cpu_stats_ret) {
    Params params = {0};
    bool total = args->start_cpu == -1;
    int r = 0;

    if (args->start_cpu < -1 || args->ncpus > CPU_STATS_NCPUS_MAX ||
        args->nparams > REMOTE_FEW_PARAMS_MAX)
        r = error_report(reterr, FROM_RPC, ERROR_INTERNAL,
                         "start_cpu, ncpus or nparams is out of range");
    if (r >= 0 && !domain_is_active(domain))
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    if (r >= 0)
        r = limits_require(domain->run->limits, domain_name(domain), CGROUP_CPUACCT, reterr);
    if (r < 0)
        return r;
    if (args->ncpus == 0) {
        ret->nparams = (int)dispatch_host_cpus();
        return 0;
    }
    if (args->nparams == 0) {
        ret->nparams = total ? N_TOTAL_STATS : N_PERCPU_STATS;
        return 0;
    }
    r = total ? total_stats(domain, &params, reterr) : percpu_stats(domain, args, &params, reterr);
    if (r < 0) {
        params_done(&params);
        return r;
    }
    if (total && params.n > args->nparams)
        while (params.n > args->nparams)
            xdr_free((xdrproc_t)xdr_remote_typed_param, (char *)&params.list[--params.n]);
    ret->nparams = total ? (int)params.n : (int)MIN_OF(args->nparams, (unsigned)N_PERCPU_STATS);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

const RpcProc tune_procs[] = {
    PLAIN_ROW(DOMAIN_PIN_VCPU, "DomainPinVcpu", RPC_PROC_WRITE, pin_vcpu_live,
              remote_domain_pin_vcpu_args, NO_XDR),
    FLAGS_ROW(DOMAIN_PIN_VCPU_FLAGS, "DomainPinVcpuFlags", RPC_PROC_WRITE, pin_vcpu_flags,
              AFFECT_LIVE | AFFECT_CONFIG, remote_domain_pin_vcpu_flags_args, NO_XDR),
    EITHER_ROW(DOMAIN_GET_VCPU_PIN_INFO, "DomainGetVcpuPinInfo", 0, get_vcpu_pin_info,
               AFFECT_LIVE | AFFECT_CONFIG, remote_domain_get_vcpu_pin_info_args,
               XDR_OF(remote_domain_get_vcpu_pin_info_ret)),
    FLAGS_ROW(DOMAIN_PIN_EMULATOR, "DomainPinEmulator", RPC_PROC_WRITE, pin_emulator,
              AFFECT_LIVE | AFFECT_CONFIG, remote_domain_pin_emulator_args, NO_XDR),
    EITHER_ROW(DOMAIN_GET_EMULATOR_PIN_INFO, "DomainGetEmulatorPinInfo", 0, get_emulator_pin_info,
               AFFECT_LIVE | AFFECT_CONFIG, remote_domain_get_emulator_pin_info_args,
               XDR_OF(remote_domain_get_emulator_pin_info_ret)),
    EITHER_ROW(DOMAIN_GET_IOTHREAD_INFO, "DomainGetIOThreadInfo", 0, get_iothread_info,
               AFFECT_LIVE | AFFECT_CONFIG, remote_domain_flags_args,
               XDR_OF(remote_domain_get_iothread_info_ret)),
    FLAGS_ROW(DOMAIN_PIN_IOTHREAD, "DomainPinIOThread", RPC_PROC_WRITE, pin_iothread,
              AFFECT_LIVE | AFFECT_CONFIG, remote_domain_pin_vcpu_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_ADD_IOTHREAD, "DomainAddIOThread", RPC_PROC_WRITE, add_iothread,
              AFFECT_LIVE | AFFECT_CONFIG, remote_domain_iothread_args, NO_XDR),
    FLAGS_ROW(DOMAIN_DEL_IOTHREAD, "DomainDelIOThread", RPC_PROC_WRITE, del_iothread,
              AFFECT_LIVE | AFFECT_CONFIG, remote_domain_iothread_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SET_IOTHREAD_PARAMS, "DomainSetIOThreadParams", RPC_PROC_WRITE,
              set_iothread_params, AFFECT_LIVE | AFFECT_CONFIG | TYPED_PARAM_STRING_OKAY,
              remote_domain_set_iothread_params_args, NO_XDR),
    PLAIN_ROW(DOMAIN_GET_SCHEDULER_TYPE, "DomainGetSchedulerType", 0, get_scheduler_type,
              remote_domain_args, XDR_OF(remote_domain_get_scheduler_type_ret)),
    PLAIN_ROW(DOMAIN_GET_SCHEDULER_PARAMETERS, "DomainGetSchedulerParameters", 0,
              get_scheduler_parameters, remote_domain_get_scheduler_parameters_args,
              XDR_OF(remote_domain_get_scheduler_parameters_ret)),
    EITHER_ROW(DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS, "DomainGetSchedulerParametersFlags", 0,
               get_scheduler_parameters_flags,
               AFFECT_LIVE | AFFECT_CONFIG | TYPED_PARAM_STRING_OKAY,
               remote_domain_get_scheduler_parameters_flags_args,
               XDR_OF(remote_domain_get_scheduler_parameters_ret)),
    PLAIN_ROW(DOMAIN_SET_SCHEDULER_PARAMETERS, "DomainSetSchedulerParameters", RPC_PROC_WRITE,
              set_scheduler_parameters, remote_domain_set_scheduler_parameters_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, "DomainSetSchedulerParametersFlags",
              RPC_PROC_WRITE, set_scheduler_parameters_flags,
              AFFECT_LIVE | AFFECT_CONFIG | TYPED_PARAM_STRING_OKAY,
              remote_domain_set_parameters_flags_args, NO_XDR),
    EITHER_ROW(DOMAIN_GET_NUMA_PARAMETERS, "DomainGetNumaParameters", 0, get_numa_parameters,
               AFFECT_LIVE | AFFECT_CONFIG | TYPED_PARAM_STRING_OKAY,
               remote_domain_get_scheduler_parameters_flags_args,
               XDR_OF(remote_domain_get_numa_parameters_ret)),
    FLAGS_ROW(DOMAIN_SET_NUMA_PARAMETERS, "DomainSetNumaParameters", RPC_PROC_WRITE,
              set_numa_parameters, AFFECT_LIVE | AFFECT_CONFIG | TYPED_PARAM_STRING_OKAY,
              remote_domain_set_parameters_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_GET_CPU_STATS, "DomainGetCPUStats", 0, get_cpu_stats, TYPED_PARAM_STRING_OKAY,
              remote_domain_get_cpu_stats_args, XDR_OF(remote_domain_get_cpu_stats_ret)),
};
const size_t tune_n_procs = ARRAY_SIZE(tune_procs);
