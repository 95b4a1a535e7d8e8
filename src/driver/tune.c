/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pins, scheduler parameters and memory nodes: what each of them changes in a definition. */
#include "driver/tune.h"

#include <stdio.h>

#include "driver/change.h"
#include "driver/run-limits.h"
#include "limits/readings.h"

int driver_affected_def(Domain *domain, unsigned flags, const DomainDef **ret, Error **reterr) {
    bool live, config;
    int r = domain_resolve_affect(domain, flags, &live, &config, reterr);

    if (r >= 0)
        *ret = live ? domain->run->live : domain->config;
    return r;
}

/* ---- pins ---- */

typedef struct Pin {
    unsigned id;
    const Bitmap *cpus;
} Pin;

static int copy_map(const Bitmap *map, Bitmap **ret, Error **reterr) {
    *ret = bitmap_copy(map);
    return *ret ? 0 : error_no_memory(reterr);
}

static void swap_maps(Bitmap **a, Bitmap **b) {
    Bitmap *map = *a;

    *a = *b;
    *b = map;
}

static int check_pin(const Bitmap *cpus, Error **reterr) {
    return bitmap_is_empty(cpus)
               ? error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "Empty cpu list for pinning")
               : 0;
}

/* Before anything is written. libvirt lets the kernel refuse it, and clients know its code. */
static int act_pin(Domain *domain, const void *arg, Error **reterr) {
    int r = limits_check_cpus(domain->run->limits, ((const Pin *)arg)->cpus, reterr);

    if (r < 0 && reterr && *reterr && (*reterr)->code == ERROR_CONFIG_UNSUPPORTED)
        (*reterr)->code = ERROR_SYSTEM;
    return r;
}

static int act_vcpu_pin(Domain *domain, const void *arg, Error **reterr) {
    int r = vcpu_map_check_affinity(&domain->run->vcpus, reterr);

    return r < 0 ? r : act_pin(domain, arg, reterr);
}

static int prepare_vcpu_pin(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                            Error **reterr) {
    const Pin *pin = arg;

    if (pin->id >= def->n_vcpus_max)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "vcpu %u is out of range of %s cpu count %u", pin->id,
                            live ? "live" : "persistent", def->n_vcpus_max);
    ret->id = pin->id;
    return copy_map(pin->cpus, &ret->map, reterr);
}

static void swap_vcpu_pin(DomainDef *def, ChangePiece *piece) {
    swap_maps(&def->vcpus[piece->id].pin, &piece->map);
}

static int prepare_emulator_pin(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                                Error **reterr) {
    return copy_map(((const Pin *)arg)->cpus, &ret->map, reterr);
}

static void swap_emulator_pin(DomainDef *def, ChangePiece *piece) {
    swap_maps(&def->cputune.emulator_pin, &piece->map);
}

static int prepare_iothread_pin(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                                Error **reterr) {
    const Pin *pin = arg;

    if (!domain_def_iothread(def, pin->id))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            live ? "iothread %u not found" : "iothreadid %u not found", pin->id);
    ret->id = pin->id;
    return copy_map(pin->cpus, &ret->map, reterr);
}

static void swap_iothread_pin(DomainDef *def, ChangePiece *piece) {
    swap_maps(&domain_def_iothread(def, piece->id)->pin, &piece->map);
}

/* `change` but for arg, values and the vCPU's scope. */
static int run_pin(Domain *domain, Change *change, const Pin *pin, const char *field,
                   Error **reterr) {
    CLEANUP_FREE char *text = bitmap_format(pin->cpus);
    int r = check_pin(pin->cpus, reterr);

    if (r < 0)
        return r;
    if (!text)
        return error_no_memory(reterr);
    change->arg = pin;
    change->scope.kind = "pin";
    change->n_values = 1;
    change->values[0] = (TunableValue){.type = TUNABLE_TEXT, .text = text};
    snprintf(change->values[0].name, sizeof(change->values[0].name), "%s", field);
    return change_run(domain, change, reterr);
}

int driver_pin_vcpu(Domain *domain, unsigned vcpu, const Bitmap *cpus, unsigned flags,
                    Error **reterr) {
    CLEANUP_BITMAP Bitmap *one = bitmap_new();
    Change change = {.what = "vcpupin",
                     .flags = flags,
                     .pin = STATUS_PIN_VCPU,
                     .prepare = prepare_vcpu_pin,
                     .swap = swap_vcpu_pin,
                     .act = act_vcpu_pin};
    char field[48];

    if (!one)
        return error_no_memory(reterr);
    if (vcpu < BITMAP_MAX_BITS && bitmap_set(one, vcpu) < 0)
        return error_no_memory(reterr);
    change.scope.vcpus = one;
    snprintf(field, sizeof(field), "cputune.vcpupin%u", vcpu);
    return run_pin(domain, &change, &(Pin){vcpu, cpus}, field, reterr);
}

int driver_pin_emulator(Domain *domain, const Bitmap *cpus, unsigned flags, Error **reterr) {
    Change change = {.what = "emulatorpin",
                     .flags = flags,
                     .pin = STATUS_PIN_EMULATOR,
                     .prepare = prepare_emulator_pin,
                     .swap = swap_emulator_pin,
                     .act = act_pin,
                     .scope = {.emulator = true}};

    return run_pin(domain, &change, &(Pin){0, cpus}, "cputune.emulatorpin", reterr);
}

int driver_pin_iothread(Domain *domain, unsigned id, const Bitmap *cpus, unsigned flags,
                        Error **reterr) {
    Change change = {.what = "iothreadpin",
                     .flags = flags,
                     .pin = STATUS_PIN_IOTHREAD,
                     .prepare = prepare_iothread_pin,
                     .swap = swap_iothread_pin,
                     .act = act_pin,
                     .scope = {.iothread = id}};
    char field[48];

    if (id == 0)
        return error_argument(reterr, "virDomainPinIOThread", "iothread_id",
                              "invalid value of 0 for iothread_id");
    snprintf(field, sizeof(field), "cputune.iothreadpin%u", id);
    return run_pin(domain, &change, &(Pin){id, cpus}, field, reterr);
}

/* ---- scheduler parameters ---- */

/* The shares of what runs are asked of the kernel, which takes a while: what was looked up before
 * is looked up again. */
static int affected_def(Domain *domain, unsigned flags, uint64_t *ret_shares, const DomainDef **ret,
                        Error **reterr) {
    int r = driver_affected_def(domain, flags, ret, reterr);

    *ret_shares = 0;
    if (r < 0 || !domain->run || *ret != domain->run->live)
        return r;
    r = limits_shares(domain->run->limits, ret_shares, reterr);
    return r < 0 ? r : driver_affected_def(domain, flags, ret, reterr);
}

int driver_get_sched(Domain *domain, unsigned flags, SchedValues *ret, Error **reterr) {
    const LimitParam *param;
    const DomainDef *def = NULL;
    uint64_t shares;
    bool live;
    int r = affected_def(domain, flags, &shares, &def, reterr);

    if (r < 0)
        return r;
    live = domain->run && def == domain->run->live;
    for (size_t i = 0; (param = limit_param(i)); i++) {
        int64_t value = limit_param_get(param, def);

        if (value == 0 && live)
            value = param->unset ? param->unset : (int64_t)shares;
        ret->given[i] = true;
        ret->value[i] = value;
    }
    return 0;
}

static int check_sched(const SchedValues *values, Error **reterr) {
    const LimitParam *param;
    int r = 0;

    for (size_t i = 0; (param = limit_param(i)) && r >= 0; i++)
        if (values->given[i])
            r = param->check(param->name, values->value[i], reterr);
    return r;
}

/* Zero takes a value out of a definition; of what runs it means: as it is. */
static int prepare_sched(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                         Error **reterr) {
    const SchedValues *values = arg;
    const LimitParam *param;

    for (size_t i = 0; (param = limit_param(i)); i++)
        ret->numbers[i] = values->given[i] && !(live && !values->value[i])
                              ? values->value[i]
                              : limit_param_get(param, def);
    return 0;
}

static void swap_sched(DomainDef *def, ChangePiece *piece) {
    const LimitParam *param;

    for (size_t i = 0; (param = limit_param(i)); i++) {
        int64_t value = limit_param_get(param, def);

        limit_param_set(param, def, piece->numbers[i]);
        piece->numbers[i] = value;
    }
}

static int act_sched(Domain *domain, const void *arg, Error **reterr) {
    return limits_require(domain->run->limits, domain_name(domain), CGROUP_CPU, reterr);
}

static void widen_scope(LimitsScope *scope, LimitRole role) {
    scope->group |= role == LIMIT_ROLE_DOMAIN;
    scope->emulator |= role == LIMIT_ROLE_EMULATOR;
    scope->all_vcpus |= role == LIMIT_ROLE_VCPU;
    scope->all_iothreads |= role == LIMIT_ROLE_IOTHREAD;
}

int driver_set_sched(Domain *domain, const SchedValues *values, unsigned flags, Error **reterr) {
    Change change = {.what = "schedinfo",
                     .flags = flags,
                     .arg = values,
                     .prepare = prepare_sched,
                     .swap = swap_sched,
                     .act = act_sched};
    const LimitParam *param;
    int r = check_sched(values, reterr);

    for (size_t i = 0; (param = limit_param(i)); i++) {
        TunableValue *value = &change.values[change.n_values];

        if (!values->given[i] || !values->value[i])
            continue;
        change.n_values++;
        value->type = param->is_signed ? TUNABLE_LLONG : TUNABLE_ULLONG;
        value->number = values->value[i];
        snprintf(value->name, sizeof(value->name), "cputune.%s", param->name);
        widen_scope(&change.scope, param->role);
    }
    return r < 0 ? r : change_run(domain, &change, reterr);
}

/* ---- memory nodes ---- */

typedef struct Numa {
    NumaMode mode;
    const Bitmap *nodes;
} Numa;

/* Nothing says where QEMU's memory comes from: then its cgroup alone can, as of "restrictive". */
static bool is_unbound(const NumaTuneDef *tune) {
    return !tune->given && tune->n_memnodes == 0;
}

static NumaMode live_mode(const NumaTuneDef *tune) {
    return is_unbound(tune) ? NUMA_RESTRICTIVE : tune->mode;
}

/* A strict nodeset is also the policy of QEMU's memory, which stays where it is. */
static int check_live_nodes(const NumaTuneDef *tune, const Numa *numa, Error **reterr) {
    const NumaMode mode = live_mode(tune);

    if (numa->mode != NUMA_MODE_MAX_ && numa->mode != mode)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "can't change numatune mode for running domain");
    if (!numa->nodes || mode == NUMA_RESTRICTIVE ||
        (mode == NUMA_STRICT && tune->nodes && bitmap_equal(tune->nodes, numa->nodes)))
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "change of nodeset for running domain requires restrictive numa mode");
}

static int prepare_numa(const DomainDef *def, bool live, const void *arg, ChangePiece *ret,
                        Error **reterr) {
    const Numa *numa = arg;
    const NumaTuneDef *tune = &def->numatune;
    const NumaMode kept = live ? live_mode(tune) : tune->mode;
    int r = live ? check_live_nodes(tune, numa, reterr) : 0;

    if (r < 0)
        return r;
    if (!numa->nodes && !tune->nodes)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "numa_mode alone says nothing: name the nodes with numa_nodeset");
    ret->numa = (NumaTuneDef){.given = true,
                              .automatic = numa->nodes ? false : tune->automatic,
                              .mode = numa->mode == NUMA_MODE_MAX_ ? kept : numa->mode};
    return copy_map(numa->nodes ? numa->nodes : tune->nodes, &ret->numa.nodes, reterr);
}

static void swap_numa(DomainDef *def, ChangePiece *piece) {
    NumaTuneDef *tune = &def->numatune, old = *tune;

    tune->given = piece->numa.given;
    tune->automatic = piece->numa.automatic;
    tune->mode = piece->numa.mode;
    tune->nodes = piece->numa.nodes;
    piece->numa = (NumaTuneDef){
        .given = old.given, .automatic = old.automatic, .mode = old.mode, .nodes = old.nodes};
}

static int act_numa(Domain *domain, const void *arg, Error **reterr) {
    const Numa *numa = arg;

    return numa->nodes ? limits_check_nodes(numa->nodes, reterr) : 0;
}

static int check_numa(Domain *domain, Error **reterr) {
    return limits_require(domain->run->limits, domain_name(domain), CGROUP_CPUSET, reterr);
}

int driver_set_numa(Domain *domain, NumaMode mode, const Bitmap *nodes, unsigned flags,
                    Error **reterr) {
    Numa numa = {mode, nodes};
    Change change = {.what = "numatune",
                     .flags = flags,
                     .arg = &numa,
                     .check = check_numa,
                     .prepare = prepare_numa,
                     .swap = swap_numa,
                     .act = act_numa,
                     .scope = LIMITS_EVERYTHING};

    change.scope.kind = "memory";
    if (nodes && bitmap_is_empty(nodes))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "the numa_nodeset is empty");
    return change_run(domain, &change, reterr);
}

/* ---- drift ---- */

static int reconcile(Domain *domain, char **ret_text, Error **reterr) {
    LimitsSubject subject = domain_subject(domain);

    return limits_reconcile(domain->run->limits, &subject, ret_text, reterr);
}

int driver_reconcile(Domain *domain, char **ret_text, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    DomainJob job;
    int r = domain_job_begin(domain, &job, "reconcile", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = reconcile(domain, &text, reterr);
    if (r > 0)
        run_limits_tell_drift(domain, (unsigned)r, text);
    domain_job_end(domain, &job);
    if (r >= 0 && ret_text)
        *ret_text = TAKE_PTR(text);
    return r;
}
