/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pins, bandwidth, IO threads and memory nodes: one way for all of them, with a function each for
 * what it edits. */
#include "driver/tune.h"

#include <inttypes.h>
#include <stdio.h>

#include "conf/domain-validate.h"
#include "qemu/command-line.h"
#include "util/file.h"
#include "util/log.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define DEFAULT_PERIOD 100000
#define DEFAULT_SHARES 1024
#define DEFAULT_POOL_MAX 64 /* QEMU's (util/async.c) */
#define CHANGES_MAX (SCHED_KEY_MAX_ + 1)

/* ---- the one way ---- */

typedef struct Change {
    const char *what; /* the job's name */
    unsigned flags;
    const void *arg;
    /* Makes the change in a definition; `live` says in which. Refuses what cannot be. */
    int (*edit)(DomainDef *def, bool live, const void *arg, Error **reterr);
    /* Before a live change is tuned, and its undoing; or NULL. */
    int (*act)(Domain *domain, const void *arg, Error **reterr);
    void (*undo)(Domain *domain, const void *arg);
    LimitsScope scope;
    TunableValue values[CHANGES_MAX]; /* for the event; of live changes */
    size_t n_values;
} Change;

static int edited_copy(const DomainDef *def, const Change *change, bool live, DomainDef **ret,
                       Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *copy = domain_def_copy(def);
    int r = copy ? change->edit(copy, live, change->arg, reterr) : error_no_memory(reterr);

    if (r >= 0 && !live) /* what runs need not be what may be written */
        r = domain_validate(copy, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(copy);
    return r;
}

static void neutral_bandwidth(BandwidthDef *bandwidth, const BandwidthDef *edited) {
    if (!bandwidth->period && edited->period)
        bandwidth->period = DEFAULT_PERIOD;
    if (!bandwidth->quota && edited->quota)
        bandwidth->quota = -1;
}

static void neutral_pin(Bitmap **pin, const Bitmap *edited, const Bitmap *cpus) {
    if (!*pin && edited && cpus)
        *pin = bitmap_copy(cpus);
}

/* What was not asked for before is left alone when it is tuned: to take back what `edited` asked
 * for it has to be said in full, as what a thread has without it. NULL: out of memory. */
static DomainDef *neutral_copy(Domain *domain, const DomainDef *before, const DomainDef *edited) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(before);
    CLEANUP_BITMAP Bitmap *cpus = NULL, *mems = NULL;
    CpuTuneDef *tune = def ? &def->cputune : NULL;

    if (!def || limits_whole(domain, &cpus, &mems, NULL) < 0)
        return NULL;
    if (!tune->shares && edited->cputune.shares)
        tune->shares = DEFAULT_SHARES;
    neutral_bandwidth(&tune->vcpu, &edited->cputune.vcpu);
    neutral_bandwidth(&tune->global, &edited->cputune.global);
    neutral_bandwidth(&tune->emulator, &edited->cputune.emulator);
    neutral_bandwidth(&tune->iothread, &edited->cputune.iothread);
    for (unsigned id = 0; id < def->n_vcpus_max && !def->cpuset; id++)
        neutral_pin(&def->vcpus[id].pin, edited->vcpus[id].pin, cpus);
    if (!def->cpuset)
        neutral_pin(&tune->emulator_pin, edited->cputune.emulator_pin, cpus);
    for (size_t i = 0; i < def->n_iothreads && !def->cpuset; i++) {
        const IothreadDef *other = domain_def_iothread(edited, def->iothreads[i].id);

        neutral_pin(&def->iothreads[i].pin, other ? other->pin : NULL, cpus);
    }
    neutral_pin(&def->numatune.nodes, edited->numatune.nodes, mems);
    return TAKE_PTR(def);
}

/* After a change that could not be tuned whole: first what was not there before, then what was. */
static int take_back(Domain *domain, const Change *change, DomainDef *before,
                     const DomainDef *edited) {
    DomainDef *neutral = neutral_copy(domain, before, edited);
    int r = 0;

    if (neutral) {
        domain->run->live = neutral;
        r = limits_tune(domain, &change->scope, NULL);
        domain_def_free(domain->run->live);
    }
    domain->run->live = before;
    return limits_tune(domain, &change->scope, NULL) < 0 || !neutral ? -EIO : r;
}

/* The edited definition is the live one from here on, unless the threads cannot follow. */
static int change_live(Domain *domain, const Change *change, DomainDef *edited, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *before = domain->run->live;
    int r = change->act ? change->act(domain, change->arg, reterr) : 0;

    if (r < 0) {
        before = NULL;
        domain_def_free(edited);
        return r;
    }
    domain->run->live = edited;
    r = limits_tune(domain, &change->scope, reterr);
    if (r >= 0 || !domain->run)
        return r;
    if (take_back(domain, change, TAKE_PTR(before), edited) < 0)
        log_warning("domain '%s': what its threads had before %s cannot be restored whole",
                    domain_name(domain), change->what);
    domain_def_free(edited);
    if (change->undo)
        change->undo(domain, change->arg);
    return r;
}

static int change_locked(Domain *domain, const Change *change, Error **reterr) {
    const DriverEvents *events = domain->driver->events;
    CLEANUP_DOMAIN_DEF DomainDef *config_def = NULL;
    DomainDef *live_def = NULL;
    bool live, config;
    int r = driver_resolve_affect(domain, change->flags, &live, &config, reterr);

    if (r >= 0 && live)
        r = domain_check_active(domain, reterr);
    if (r >= 0 && config)
        r = edited_copy(domain->config, change, false, &config_def, reterr);
    if (r >= 0 && live)
        r = edited_copy(domain->run->live, change, true, &live_def, reterr);
    if (r >= 0 && live)
        r = change_live(domain, change, live_def, reterr);
    if (r < 0)
        return r;
    if (live) {
        r = driver_save_status(domain, reterr);
        if (change->n_values && events && events->tunable)
            events->tunable(domain, change->values, change->n_values, domain->driver->userdata);
    }
    if (r >= 0 && config)
        r = driver_save_config(domain, config_def, reterr);
    if (r >= 0 && config) {
        domain_def_free(domain->config);
        domain->config = TAKE_PTR(config_def);
    }
    return r;
}

static int run_change(Domain *domain, const Change *change, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, change->what, reterr);

    if (r < 0)
        return r;
    r = change_locked(domain, change, reterr);
    domain_job_end(domain, &job);
    return r;
}

int driver_affected_def(Domain *domain, unsigned flags, const DomainDef **ret, Error **reterr) {
    bool live, config;
    int r = driver_resolve_affect(domain, flags, &live, &config, reterr);

    if (r >= 0)
        *ret = live ? domain->run->live : domain->config;
    return r;
}

/* ---- pins ---- */

typedef struct Pin {
    unsigned id;
    const Bitmap *cpus;
} Pin;

static int replace(Bitmap **to, const Bitmap *with, Error **reterr) {
    Bitmap *copy = bitmap_copy(with);

    if (!copy)
        return error_no_memory(reterr);
    bitmap_free(*to);
    *to = copy;
    return 0;
}

static int check_pin(const Bitmap *cpus, Error **reterr) {
    return bitmap_is_empty(cpus)
               ? error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "Empty cpu list for pinning")
               : 0;
}

/* Before anything is written. libvirt lets the kernel refuse it, and clients know its code. */
static int act_pin(Domain *domain, const void *arg, Error **reterr) {
    int r = limits_check_cpus(domain, ((const Pin *)arg)->cpus, reterr);

    if (r < 0 && reterr && *reterr && (*reterr)->code == ERROR_CONFIG_UNSUPPORTED)
        (*reterr)->code = ERROR_SYSTEM;
    return r;
}

static int act_vcpu_pin(Domain *domain, const void *arg, Error **reterr) {
    int r = vcpu_map_check_affinity(&domain->run->vcpus, reterr);

    return r < 0 ? r : act_pin(domain, arg, reterr);
}

static int edit_vcpu_pin(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const Pin *pin = arg;

    if (pin->id >= def->n_vcpus_max)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "vcpu %u is out of range of %s cpu count %u", pin->id,
                            live ? "live" : "persistent", def->n_vcpus_max);
    return replace(&def->vcpus[pin->id].pin, pin->cpus, reterr);
}

static int edit_emulator_pin(DomainDef *def, bool live, const void *arg, Error **reterr) {
    return replace(&def->cputune.emulator_pin, ((const Pin *)arg)->cpus, reterr);
}

static int edit_iothread_pin(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const Pin *pin = arg;
    IothreadDef *iothread = domain_def_iothread(def, pin->id);

    if (!iothread)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "iothread %u not found", pin->id);
    return replace(&iothread->pin, pin->cpus, reterr);
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
    change->n_values = 1;
    change->values[0] = (TunableValue){.type = TUNABLE_TEXT, .text = text};
    snprintf(change->values[0].name, sizeof(change->values[0].name), "%s", field);
    return run_change(domain, change, reterr);
}

int driver_pin_vcpu(Domain *domain, unsigned vcpu, const Bitmap *cpus, unsigned flags,
                    Error **reterr) {
    CLEANUP_BITMAP Bitmap *one = bitmap_new();
    Change change = {.what = "vcpupin", .flags = flags, .edit = edit_vcpu_pin, .act = act_vcpu_pin};
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
                     .edit = edit_emulator_pin,
                     .act = act_pin,
                     .scope = {.emulator = true}};

    return run_pin(domain, &change, &(Pin){0, cpus}, "cputune.emulatorpin", reterr);
}

int driver_pin_iothread(Domain *domain, unsigned id, const Bitmap *cpus, unsigned flags,
                        Error **reterr) {
    Change change = {.what = "iothreadpin",
                     .flags = flags,
                     .edit = edit_iothread_pin,
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

static const char *const sched_names[SCHED_KEY_MAX_] = {
    "cpu_shares",    "vcpu_period",  "vcpu_quota",      "emulator_period", "emulator_quota",
    "global_period", "global_quota", "iothread_period", "iothread_quota"};

const char *sched_key_name(SchedKey key) {
    return sched_names[key];
}

bool sched_key_is_quota(SchedKey key) {
    return key != SCHED_CPU_SHARES && (key - SCHED_VCPU_PERIOD) % 2 == 1;
}

static BandwidthDef *bandwidth_of(CpuTuneDef *tune, SchedKey key) {
    BandwidthDef *all[] = {&tune->vcpu, &tune->emulator, &tune->global, &tune->iothread};

    return all[(key - SCHED_VCPU_PERIOD) / 2];
}

int driver_get_sched(Domain *domain, unsigned flags, SchedValues *ret, Error **reterr) {
    const DomainDef *def = NULL;
    CpuTuneDef tune;
    uint64_t shares = 0;
    int r = driver_affected_def(domain, flags, &def, reterr);

    if (r < 0)
        return r;
    tune = def->cputune; /* shallow: only numbers are looked at */
    if (domain->run && def == domain->run->live && !tune.shares) {
        r = limits_shares(domain, &shares, reterr);
        if (r < 0)
            return r;
    }
    for (SchedKey key = 0; key < SCHED_KEY_MAX_; key++) {
        int64_t value = key == SCHED_CPU_SHARES   ? (int64_t)(tune.shares ? tune.shares : shares)
                        : sched_key_is_quota(key) ? bandwidth_of(&tune, key)->quota
                                                  : (int64_t)bandwidth_of(&tune, key)->period;

        if (value == 0 && domain->run && def == domain->run->live && key != SCHED_CPU_SHARES)
            value = sched_key_is_quota(key) ? -1 : DEFAULT_PERIOD;
        ret->given[key] = true;
        ret->value[key] = value;
    }
    return 0;
}

static int check_sched(const SchedValues *values, Error **reterr) {
    int r = 0;

    for (SchedKey key = 0; key < SCHED_KEY_MAX_ && r >= 0; key++) {
        if (!values->given[key])
            continue;
        if (key == SCHED_CPU_SHARES)
            r = shares_check(sched_names[key], (uint64_t)values->value[key], reterr);
        else if (sched_key_is_quota(key))
            r = bandwidth_check_quota(sched_names[key], values->value[key], reterr);
        else
            r = bandwidth_check_period(sched_names[key], (uint64_t)values->value[key], reterr);
    }
    return r;
}

/* Zero takes a value out of a definition; of what runs it means: as it is. */
static int edit_sched(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const SchedValues *values = arg;

    for (SchedKey key = 0; key < SCHED_KEY_MAX_; key++) {
        if (!values->given[key] || (live && !values->value[key]))
            continue;
        if (key == SCHED_CPU_SHARES)
            def->cputune.shares = (uint64_t)values->value[key];
        else if (sched_key_is_quota(key))
            bandwidth_of(&def->cputune, key)->quota = values->value[key];
        else
            bandwidth_of(&def->cputune, key)->period = (uint64_t)values->value[key];
    }
    return 0;
}

static int act_sched(Domain *domain, const void *arg, Error **reterr) {
    return limits_require(domain, CGROUP_CPU, reterr);
}

int driver_set_sched(Domain *domain, const SchedValues *values, unsigned flags, Error **reterr) {
    Change change = {
        .what = "schedinfo", .flags = flags, .arg = values, .edit = edit_sched, .act = act_sched};
    int r = check_sched(values, reterr);

    for (SchedKey key = 0; key < SCHED_KEY_MAX_; key++) {
        TunableValue *value = &change.values[change.n_values];

        if (!values->given[key] || !values->value[key])
            continue;
        change.n_values++;
        value->type = sched_key_is_quota(key) ? TUNABLE_LLONG : TUNABLE_ULLONG;
        value->number = values->value[key];
        snprintf(value->name, sizeof(value->name), "cputune.%s", sched_names[key]);
        change.scope.all_vcpus |= key == SCHED_VCPU_PERIOD || key == SCHED_VCPU_QUOTA;
        change.scope.emulator |= key == SCHED_EMULATOR_PERIOD || key == SCHED_EMULATOR_QUOTA;
        change.scope.all_iothreads |= key == SCHED_IOTHREAD_PERIOD || key == SCHED_IOTHREAD_QUOTA;
        change.scope.group |= key == SCHED_CPU_SHARES || key == SCHED_GLOBAL_PERIOD ||
                              key == SCHED_GLOBAL_QUOTA;
    }
    return r < 0 ? r : run_change(domain, &change, reterr);
}

/* ---- IO threads ---- */

static json_object *object_name(unsigned id) {
    json_object *arguments = json_object_new_object();
    char name[32];

    if (!arguments)
        return NULL;
    snprintf(name, sizeof(name), "iothread%u", id);
    json_object_object_add(arguments, "id", json_object_new_string(name));
    return arguments;
}

static int delete_object(Domain *domain, unsigned id, Error **reterr) {
    json_object *arguments = object_name(id);

    return arguments ? monitor_run(domain->run->monitor, "object-del", arguments,
                                   deadline_in(COMMAND_USEC), NULL, reterr)
                     : error_no_memory(reterr);
}

static void undo_add(Domain *domain, const void *arg) {
    unsigned id = *(const unsigned *)arg;

    delete_object(domain, id, NULL);
    limits_drop_iothread(domain, id);
    domain_refresh_iothreads(domain, true, NULL);
}

static int act_add(Domain *domain, const void *arg, Error **reterr) {
    IothreadDef iothread = {.id = *(const unsigned *)arg, .pool_min = -1, .pool_max = -1};
    json_object *arguments = qemu_iothread_object(&iothread), *reply = NULL;
    IothreadList list;
    int r;

    if (!arguments)
        return error_no_memory(reterr);
    r = monitor_run(domain->run->monitor, "object-add", arguments, deadline_in(COMMAND_USEC), NULL,
                    reterr);
    if (r < 0)
        return r;
    r = monitor_run(domain->run->monitor, "query-iothreads", NULL, deadline_in(COMMAND_USEC),
                    &reply, reterr);
    if (r >= 0)
        r = iothread_list_parse(reply, &list, reterr);
    json_object_put(reply);
    if (r < 0) {
        delete_object(domain, iothread.id, NULL);
        return r;
    }
    iothread_list_done(&domain->run->iothreads);
    domain->run->iothreads = list;
    return 0;
}

static int edit_add(DomainDef *def, bool live, const void *arg, Error **reterr) {
    unsigned id = *(const unsigned *)arg;

    if (domain_def_iothread(def, id))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "an IOThread is already using iothread_id '%u'", id);
    return domain_def_add_iothread(def, id) ? 0 : error_no_memory(reterr);
}

static int check_iothread_id(const char *api, unsigned id, Error **reterr) {
    if (id == 0)
        return error_argument(reterr, api, "iothread_id", "invalid value of 0 for iothread_id");
    if (id > IOTHREAD_ID_MAX)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "iothread_id '%u' is beyond the limit of %u", id, IOTHREAD_ID_MAX);
    return 0;
}

int driver_add_iothread(Domain *domain, unsigned id, unsigned flags, Error **reterr) {
    Change change = {.what = "iothreadadd",
                     .flags = flags,
                     .arg = &id,
                     .edit = edit_add,
                     .act = act_add,
                     .undo = undo_add,
                     .scope = {.iothread = id}};
    int r = check_iothread_id("virDomainAddIOThread", id, reterr);

    return r < 0 ? r : run_change(domain, &change, reterr);
}

static int edit_delete(DomainDef *def, bool live, const void *arg, Error **reterr) {
    unsigned id = *(const unsigned *)arg;

    if (!domain_def_iothread(def, id))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "cannot find IOThread '%u' in iothreadids list", id);
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].iothread == id)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "cannot remove IOThread '%u' since it is being used by disk '%s'",
                                id, def->disks[i].target);
    domain_def_remove_iothread(def, id);
    return 0;
}

static int act_delete(Domain *domain, const void *arg, Error **reterr) {
    unsigned id = *(const unsigned *)arg;
    CLEANUP_ERROR Error *error = NULL;
    int r = delete_object(domain, id, &error);

    if (domain_refresh_iothreads(domain, true, NULL) < 0 ||
        iothread_list_find(&domain->run->iothreads, id))
        return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
    limits_drop_iothread(domain, id); /* gone, by us or before */
    return 0;
}

int driver_delete_iothread(Domain *domain, unsigned id, unsigned flags, Error **reterr) {
    Change change = {
        .what = "iothreaddel", .flags = flags, .arg = &id, .edit = edit_delete, .act = act_delete};
    int r = check_iothread_id("virDomainDelIOThread", id, reterr);

    return r < 0 ? r : run_change(domain, &change, reterr);
}

static int edit_iothread(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const IothreadDef *values = arg;
    IothreadDef *iothread = domain_def_iothread(def, values->id);

    if (!iothread)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "cannot find IOThread '%u' in iothreadids list", values->id);
    if (values->has_poll_max) {
        iothread->has_poll_max = true;
        iothread->poll_max_ns = values->poll_max_ns;
    }
    if (values->has_poll_grow) {
        iothread->has_poll_grow = true;
        iothread->poll_grow = values->poll_grow;
    }
    if (values->has_poll_shrink) {
        iothread->has_poll_shrink = true;
        iothread->poll_shrink = values->poll_shrink;
    }
    if (values->pool_min >= 0)
        iothread->pool_min = values->pool_min;
    if (values->pool_max >= 0)
        iothread->pool_max = values->pool_max;
    return iothread_check_pool(iothread, reterr);
}

static int set_property(Domain *domain, unsigned id, const char *property, json_object *value,
                        Error **reterr) {
    json_object *arguments = json_object_new_object();
    CLEANUP_FREE char *path = strf("/objects/iothread%u", id);

    if (!arguments || !value || !path) {
        json_object_put(arguments);
        json_object_put(value);
        return error_no_memory(reterr);
    }
    json_object_object_add(arguments, "path", json_object_new_string(path));
    json_object_object_add(arguments, "property", json_object_new_string(property));
    json_object_object_add(arguments, "value", value);
    return monitor_run(domain->run->monitor, "qom-set", arguments, deadline_in(COMMAND_USEC), NULL,
                       reterr);
}

/* QEMU holds the pool's minimum to its maximum at each step: what widens goes first. */
static int set_properties(Domain *domain, const IothreadDef *values, Error **reterr) {
    int r = 0;

    if (values->has_poll_max)
        r = set_property(domain, values->id, "poll-max-ns",
                         json_object_new_uint64(values->poll_max_ns), reterr);
    if (r >= 0 && values->has_poll_grow)
        r = set_property(domain, values->id, "poll-grow", json_object_new_uint64(values->poll_grow),
                         reterr);
    if (r >= 0 && values->has_poll_shrink)
        r = set_property(domain, values->id, "poll-shrink",
                         json_object_new_uint64(values->poll_shrink), reterr);
    if (r >= 0 && values->pool_min >= 0 && values->pool_max >= 0)
        r = set_property(domain, values->id, "thread-pool-min", json_object_new_int(0), reterr);
    if (r >= 0 && values->pool_max >= 0)
        r = set_property(domain, values->id, "thread-pool-max",
                         json_object_new_int(values->pool_max), reterr);
    if (r >= 0 && values->pool_min >= 0)
        r = set_property(domain, values->id, "thread-pool-min",
                         json_object_new_int(values->pool_min), reterr);
    return r;
}

/* One that is refused takes the ones before it back. */
static int act_iothread(Domain *domain, const void *arg, Error **reterr) {
    const IothreadDef *values = arg, *before = domain_def_iothread(domain->run->live, values->id);
    const Iothread *now = iothread_list_find(&domain->run->iothreads, values->id);
    int r = set_properties(domain, values, reterr);

    if (r < 0 && now && before) {
        IothreadDef old = {.id = values->id,
                           .has_poll_max = values->has_poll_max,
                           .poll_max_ns = now->poll_max_ns,
                           .has_poll_grow = values->has_poll_grow,
                           .poll_grow = now->poll_grow,
                           .has_poll_shrink = values->has_poll_shrink,
                           .poll_shrink = now->poll_shrink,
                           .pool_min = values->pool_min < 0 ? -1 : MAX_OF(before->pool_min, 0),
                           .pool_max = values->pool_max < 0    ? -1
                                       : before->pool_max >= 0 ? before->pool_max
                                                               : DEFAULT_POOL_MAX};

        set_properties(domain, &old, NULL);
    }
    return r < 0 ? r : domain_refresh_iothreads(domain, false, reterr);
}

int driver_set_iothread(Domain *domain, const IothreadDef *values, unsigned flags, Error **reterr) {
    Change change = {.what = "iothreadset",
                     .flags = flags,
                     .arg = values,
                     .edit = edit_iothread,
                     .act = act_iothread};
    int r = check_iothread_id("virDomainSetIOThreadParams", values->id, reterr);

    return r < 0 ? r : run_change(domain, &change, reterr);
}

/* ---- memory nodes ---- */

typedef struct Numa {
    NumaMode mode;
    const Bitmap *nodes;
} Numa;

static int edit_numa(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const Numa *numa = arg;
    NumaTuneDef *tune = &def->numatune;
    NumaMode mode = numa->mode == NUMA_MODE_MAX_ ? tune->mode : numa->mode;

    if (live && mode != tune->mode)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "can't change numatune mode for running domain");
    if (live && numa->nodes && mode != NUMA_STRICT && mode != NUMA_RESTRICTIVE)
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
            "change of nodeset for running domain requires strict or restrictive numa mode");
    if (!numa->nodes && !tune->nodes)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "numa_mode alone says nothing: name the nodes with numa_nodeset");
    tune->given = true;
    tune->mode = mode;
    if (!numa->nodes)
        return 0;
    tune->automatic = false;
    return replace(&tune->nodes, numa->nodes, reterr);
}

static int act_numa(Domain *domain, const void *arg, Error **reterr) {
    return limits_require(domain, CGROUP_CPUSET, reterr);
}

int driver_set_numa(Domain *domain, NumaMode mode, const Bitmap *nodes, unsigned flags,
                    Error **reterr) {
    Numa numa = {mode, nodes};
    Change change = {.what = "numatune",
                     .flags = flags,
                     .arg = &numa,
                     .edit = edit_numa,
                     .act = act_numa,
                     .scope = LIMITS_EVERYTHING};

    if (nodes && bitmap_is_empty(nodes))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "the numa_nodeset is empty");
    return run_change(domain, &change, reterr);
}

/* ---- drift ---- */

int driver_reconcile(Domain *domain, char **ret_text, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    DomainJob job;
    int r = domain_job_begin(domain, &job, "reconcile", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = limits_reconcile(domain, &text, reterr);
    if (r > 0)
        driver_tell_drift(domain, (unsigned)r, text);
    domain_job_end(domain, &job);
    if (r >= 0 && ret_text)
        *ret_text = TAKE_PTR(text);
    return r;
}
