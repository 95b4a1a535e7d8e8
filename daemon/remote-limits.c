/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain may use of memory, disks and interfaces, and which of its events are counted. A
 * getter that is asked for no parameters says how many there are. */
#include "daemon.h"
#include "driver/disk-tune.h"
#include "driver/memory.h"
#include "driver/nic-speed.h"
#include "driver/perf.h"
#include "driver/tune.h"
#include "params.h"

enum { CHANGE_BOTH = AFFECT_LIVE | AFFECT_CONFIG, BLOCK_RESIZE_BYTES = 1 };

/* The first `max` of a list; the others are freed with it. */
static int hand_over(Params *params, int max, remote_typed_param **ret, u_int *ret_n,
                     Error **reterr) {
    int r = params_hand_over(params, ret, ret_n, reterr);

    for (; r >= 0 && *ret_n > (u_int)max; --*ret_n)
        xdr_free((xdrproc_t)xdr_remote_typed_param, (char *)&(*ret)[*ret_n - 1]);
    return r;
}

static int check_nparams(int nparams, int most, Error **reterr) {
    return nparams < 0 || nparams > most
               ? error_report(reterr, FROM_RPC, ERROR_INTERNAL, "nparams too large")
               : 0;
}

/* ---- memory ---- */

DOMAIN_FUNC(set_memory, remote_domain_set_memory_args, void) {
    return driver_set_memory(domain, args->memory, AFFECT_LIVE, reterr);
}

DOMAIN_FUNC(set_max_memory, remote_domain_set_max_memory_args, void) {
    return driver_set_memory(domain, args->memory, MEMORY_MAXIMUM, reterr);
}

DOMAIN_FUNC(set_memory_flags, remote_domain_set_memory_flags_args, void) {
    return driver_set_memory(domain, args->memory, args->flags, reterr);
}

static const char *const memory_names[MEMORY_LIMIT_MAX_] = {"hard_limit", "soft_limit",
                                                            "swap_hard_limit"};

DOMAIN_FUNC(set_memory_parameters, remote_domain_set_memory_parameters_args, void) {
    ParamRule rules[MEMORY_LIMIT_MAX_];
    const remote_typed_param *at[MEMORY_LIMIT_MAX_];
    MemoryLimits limits = {0};
    int r;

    for (int i = 0; i < MEMORY_LIMIT_MAX_; i++)
        rules[i] = (ParamRule){memory_names[i], PARAM_ULLONG};
    r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules), at,
                     reterr);
    for (int i = 0; r >= 0 && i < MEMORY_LIMIT_MAX_; i++) {
        limits.given[i] = at[i] != NULL;
        limits.value[i] = at[i] ? at[i]->value.remote_param_value_u.ul : 0;
    }
    return r < 0 ? r : driver_set_memory_limits(domain, &limits, args->flags, reterr);
}

DOMAIN_FUNC(get_memory_parameters, remote_domain_get_memory_parameters_args,
            remote_domain_get_memory_parameters_ret) {
    CLEANUP_PARAMS Params params = {0};
    MemoryLimits limits;
    int r = check_nparams(args->nparams, REMOTE_FEW_PARAMS_MAX, reterr);

    if (r >= 0 && args->nparams == 0) {
        ret->nparams = MEMORY_LIMIT_MAX_;
        return 0;
    }
    if (r >= 0)
        r = driver_get_memory_limits(domain, args->flags & CHANGE_BOTH, &limits, reterr);
    for (int i = 0; r >= 0 && i < MEMORY_LIMIT_MAX_; i++)
        params_add_ullong(&params, memory_names[i], limits.value[i]);
    return r < 0 ? r
                 : hand_over(&params, args->nparams, &ret->params.params_val,
                             &ret->params.params_len, reterr);
}

/* ---- weights and speeds of the host's disks ---- */

static const char *const blkio_names[BLKIO_FIELD_MAX_] = {
    "device_weight", "device_read_iops_sec", "device_write_iops_sec", "device_read_bytes_sec",
    "device_write_bytes_sec"};

DOMAIN_FUNC(set_blkio_parameters, remote_domain_set_blkio_parameters_args, void) {
    ParamRule rules[BLKIO_FIELD_MAX_ + 1] = {{"weight", PARAM_UINT}};
    const remote_typed_param *at[BLKIO_FIELD_MAX_ + 1];
    BlkioChange change = {0};
    int r;

    for (int i = 0; i < BLKIO_FIELD_MAX_; i++)
        rules[i + 1] = (ParamRule){blkio_names[i], PARAM_STRING};
    r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules), at,
                     reterr);
    if (r < 0)
        return r;
    change.has_weight = at[0] != NULL;
    change.weight = at[0] ? at[0]->value.remote_param_value_u.ui : 0;
    for (int i = 0; i < BLKIO_FIELD_MAX_; i++)
        change.lists[i] = at[i + 1] ? at[i + 1]->value.remote_param_value_u.s : NULL;
    return driver_set_blkio(domain, &change, args->flags, reterr);
}

static int add_blkio(Params *params, const DomainDef *def) {
    params_add_uint(params, "weight", def->blkiotune.weight);
    for (int i = 0; i < BLKIO_FIELD_MAX_; i++) {
        CLEANUP_FREE char *list = blkio_list(def, (BlkioField)i);

        if (!list)
            return -ENOMEM;
        params_add_string(params, blkio_names[i], list);
    }
    return 0;
}

DOMAIN_FUNC(get_blkio_parameters, remote_domain_get_blkio_parameters_args,
            remote_domain_get_blkio_parameters_ret) {
    CLEANUP_PARAMS Params params = {0};
    const DomainDef *def = NULL;
    int r = check_nparams(args->nparams, REMOTE_FEW_PARAMS_MAX, reterr);

    if (r >= 0 && args->nparams == 0) {
        ret->nparams = BLKIO_FIELD_MAX_ + 1;
        return 0;
    }
    if (r >= 0)
        r = driver_blkio_def(domain, args->flags & CHANGE_BOTH, &def, reterr);
    if (r >= 0 && add_blkio(&params, def) < 0)
        r = error_no_memory(reterr);
    return r < 0 ? r
                 : hand_over(&params, args->nparams, &ret->params.params_val,
                             &ret->params.params_len, reterr);
}

/* ---- speeds and sizes of the domain's disks ---- */

DOMAIN_FUNC(set_block_io_tune, remote_domain_set_block_io_tune_args, void) {
    ParamRule rules[IOTUNE_PARAMS + 1] = {{"group_name", PARAM_STRING}};
    const remote_typed_param *at[IOTUNE_PARAMS + 1];
    IotuneChange change = {.disk = args->disk};
    int r;

    for (size_t i = 0; i < IOTUNE_PARAMS; i++)
        rules[i + 1] = (ParamRule){iotune_params[i].name, PARAM_ULLONG};
    r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules), at,
                     reterr);
    if (r < 0)
        return r;
    change.group = at[0] ? at[0]->value.remote_param_value_u.s : NULL;
    for (size_t i = 0; i < IOTUNE_PARAMS; i++) {
        change.given[i] = at[i + 1] != NULL;
        change.value[i] = at[i + 1] ? at[i + 1]->value.remote_param_value_u.ul : 0;
    }
    return driver_set_iotune(domain, &change, args->flags, reterr);
}

DOMAIN_FUNC(get_block_io_tune, remote_domain_get_block_io_tune_args,
            remote_domain_get_block_io_tune_ret) {
    enum { MOST = 32 };
    CLEANUP_PARAMS Params params = {0};
    const DiskDef *disk = NULL;
    int r = check_nparams(args->nparams, MOST, reterr);

    if (r >= 0 && args->nparams == 0) {
        ret->nparams = IOTUNE_PARAMS + 1;
        return 0;
    }
    if (r >= 0 && !args->disk)
        r = error_argument(reterr, "virDomainGetBlockIoTune", "disk",
                           "disk in virDomainGetBlockIoTune must not be NULL");
    if (r >= 0)
        r = driver_find_disk(domain, *args->disk, args->flags & CHANGE_BOTH, &disk, reterr);
    for (size_t i = 0; r >= 0 && i < IOTUNE_PARAMS; i++) {
        params_add_ullong(&params, iotune_params[i].name, iotune_value(&disk->iotune, i));
        if (iotune_params[i].kind == IOTUNE_SIZE)
            params_add_string(&params, "group_name",
                              disk->iotune.group_name ? disk->iotune.group_name : "");
    }
    return r < 0 ? r
                 : hand_over(&params, args->nparams, &ret->params.params_val,
                             &ret->params.params_len, reterr);
}

DOMAIN_FUNC(block_resize, remote_domain_block_resize_args, void) {
    const bool bytes = args->flags & BLOCK_RESIZE_BYTES;

    if (!bytes && args->size > UINT64_MAX / 1024)
        return error_report(reterr, FROM_QEMU, ERROR_OVERFLOW, "a disk cannot have %llu KiB",
                            (unsigned long long)args->size);
    return driver_resize_disk(domain, args->disk, bytes ? args->size : args->size * 1024, reterr);
}

/* ---- speeds of its interfaces ---- */

DOMAIN_FUNC(set_interface_parameters, remote_domain_set_interface_parameters_args, void) {
    ParamRule rules[NIC_SPEEDS];
    const remote_typed_param *at[NIC_SPEEDS];
    NicSpeedChange change = {.device = args->device};
    int r;

    for (size_t i = 0; i < NIC_SPEEDS; i++)
        rules[i] = (ParamRule){nic_speeds[i].name, PARAM_UINT};
    r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules), at,
                     reterr);
    for (size_t i = 0; r >= 0 && i < NIC_SPEEDS; i++) {
        change.given[i] = at[i] != NULL;
        change.value[i] = at[i] ? at[i]->value.remote_param_value_u.ui : 0;
    }
    return r < 0 ? r : driver_set_nic_speed(domain, &change, args->flags, reterr);
}

DOMAIN_FUNC(get_interface_parameters, remote_domain_get_interface_parameters_args,
            remote_domain_get_interface_parameters_ret) {
    CLEANUP_PARAMS Params params = {0};
    const InterfaceDef *nic = NULL;
    const DomainDef *def = NULL;
    int r = check_nparams(args->nparams, REMOTE_FEW_PARAMS_MAX, reterr);

    if (r >= 0)
        r = driver_affected_def(domain, args->flags & CHANGE_BOTH, &def, reterr);
    if (r >= 0 && args->nparams == 0) {
        ret->nparams = NIC_SPEEDS;
        return 0;
    }
    if (r >= 0)
        r = driver_find_nic(domain, args->device, args->flags & CHANGE_BOTH, &nic, reterr);
    for (size_t i = 0; r >= 0 && i < NIC_SPEEDS; i++)
        params_add_uint(&params, nic_speeds[i].name,
                        (unsigned)MIN_OF(nic_speed(nic, i), (uint64_t)UINT32_MAX));
    return r < 0 ? r
                 : hand_over(&params, args->nparams, &ret->params.params_val,
                             &ret->params.params_len, reterr);
}

/* ---- perf events ---- */

DOMAIN_FUNC(get_perf_events, remote_domain_flags_args, remote_domain_get_perf_events_ret) {
    CLEANUP_PARAMS Params params = {0};
    const DomainDef *def = NULL;
    int r = driver_affected_def(domain, args->flags & CHANGE_BOTH, &def, reterr);

    for (size_t i = 0; r >= 0 && i < PERF_EVENTS; i++)
        params_add_bool(&params, perf_events[i],
                        def == domain->config && perf_event_enabled(def, perf_events[i]));
    return r < 0 ? r
                 : params_hand_over(&params, &ret->params.params_val, &ret->params.params_len,
                                    reterr);
}

DOMAIN_FUNC(set_perf_events, remote_domain_set_perf_events_args, void) {
    ParamRule rules[PERF_EVENTS];
    const remote_typed_param *at[PERF_EVENTS];
    PerfChange change = {0};
    int r;

    for (size_t i = 0; i < PERF_EVENTS; i++)
        rules[i] = (ParamRule){perf_events[i], PARAM_BOOLEAN};
    r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules), at,
                     reterr);
    for (size_t i = 0; r >= 0 && i < PERF_EVENTS; i++) {
        change.given[i] = at[i] != NULL;
        change.enabled[i] = at[i] && at[i]->value.remote_param_value_u.b;
    }
    return r < 0 ? r : driver_set_perf(domain, &change, args->flags, reterr);
}

const RpcProc limit_procs[] = {
    PLAIN_ROW(DOMAIN_SET_MEMORY, "DomainSetMemory", RPC_PROC_WRITE, set_memory,
              remote_domain_set_memory_args, NO_XDR),
    PLAIN_ROW(DOMAIN_SET_MAX_MEMORY, "DomainSetMaxMemory", RPC_PROC_WRITE, set_max_memory,
              remote_domain_set_max_memory_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SET_MEMORY_FLAGS, "DomainSetMemoryFlags", RPC_PROC_WRITE, set_memory_flags,
              CHANGE_BOTH | MEMORY_MAXIMUM, remote_domain_set_memory_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SET_MEMORY_PARAMETERS, "DomainSetMemoryParameters", RPC_PROC_WRITE,
              set_memory_parameters, CHANGE_BOTH, remote_domain_set_memory_parameters_args, NO_XDR),
    EITHER_ROW(DOMAIN_GET_MEMORY_PARAMETERS, "DomainGetMemoryParameters", 0, get_memory_parameters,
               CHANGE_BOTH | TYPED_PARAM_STRING_OKAY, remote_domain_get_memory_parameters_args,
               XDR_OF(remote_domain_get_memory_parameters_ret)),
    FLAGS_ROW(DOMAIN_SET_BLKIO_PARAMETERS, "DomainSetBlkioParameters", RPC_PROC_WRITE,
              set_blkio_parameters, CHANGE_BOTH, remote_domain_set_blkio_parameters_args, NO_XDR),
    EITHER_ROW(DOMAIN_GET_BLKIO_PARAMETERS, "DomainGetBlkioParameters", 0, get_blkio_parameters,
               CHANGE_BOTH | TYPED_PARAM_STRING_OKAY, remote_domain_get_blkio_parameters_args,
               XDR_OF(remote_domain_get_blkio_parameters_ret)),
    FLAGS_ROW(DOMAIN_SET_BLOCK_IO_TUNE, "DomainSetBlockIoTune", RPC_PROC_WRITE, set_block_io_tune,
              CHANGE_BOTH, remote_domain_set_block_io_tune_args, NO_XDR),
    EITHER_ROW(DOMAIN_GET_BLOCK_IO_TUNE, "DomainGetBlockIoTune", 0, get_block_io_tune,
               CHANGE_BOTH | TYPED_PARAM_STRING_OKAY, remote_domain_get_block_io_tune_args,
               XDR_OF(remote_domain_get_block_io_tune_ret)),
    FLAGS_ROW(DOMAIN_BLOCK_RESIZE, "DomainBlockResize", RPC_PROC_WRITE, block_resize,
              BLOCK_RESIZE_BYTES, remote_domain_block_resize_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SET_INTERFACE_PARAMETERS, "DomainSetInterfaceParameters", RPC_PROC_WRITE,
              set_interface_parameters, CHANGE_BOTH, remote_domain_set_interface_parameters_args,
              NO_XDR),
    EITHER_ROW(DOMAIN_GET_INTERFACE_PARAMETERS, "DomainGetInterfaceParameters", 0,
               get_interface_parameters, CHANGE_BOTH | TYPED_PARAM_STRING_OKAY,
               remote_domain_get_interface_parameters_args,
               XDR_OF(remote_domain_get_interface_parameters_ret)),
    EITHER_ROW(DOMAIN_GET_PERF_EVENTS, "DomainGetPerfEvents", 0, get_perf_events,
               CHANGE_BOTH | TYPED_PARAM_STRING_OKAY, remote_domain_flags_args,
               XDR_OF(remote_domain_get_perf_events_ret)),
    FLAGS_ROW(DOMAIN_SET_PERF_EVENTS, "DomainSetPerfEvents", RPC_PROC_WRITE, set_perf_events,
              CHANGE_BOTH, remote_domain_set_perf_events_args, NO_XDR),
};
const size_t limit_n_procs = ARRAY_SIZE(limit_procs);
