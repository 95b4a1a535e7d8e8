/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of a running QEMU: plugged in steps that are taken back when one fails; unplugged by
 * asking the guest, whose evidence (DEVICE_DELETED, a refusal, silence) is counted before it is
 * asked. What has gone is settled by whoever holds the job: the waiter, or a fiber of its own. */
#include "conf/domain-fill.h"
#include "domain/events.h"
#include "domain/files.h"
#include "domain/removal.h"
#include "driver/device-internal.h"
#include "driver/prepare-owner.h"
#include "qemu/fill.h"
#include "util/file.h"
#include "util/log.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)

static const QemuHostParts no_parts;

static DeviceContext context_of(const DomainRun *run, const DomainDef *def) {
    return (DeviceContext){.def = def,
                           .caps = run->caps,
                           .machine = qemu_caps_machine(run->caps, def->os.machine),
                           .parts = &no_parts};
}

static int run_command(Domain *domain, const char *command, json_object *arguments,
                       Error **reterr) {
    return monitor_run(domain->run->monitor, command, arguments, deadline_in(COMMAND_USEC), NULL,
                       reterr);
}

/* Takes back the first n steps, the last one first; the device itself only when `and_device`. */
static void undo_steps(Domain *domain, const DeviceSteps *steps, size_t n, bool and_device) {
    while (n-- > 0) {
        CLEANUP_ERROR Error *error = NULL;
        json_object *arguments = NULL;
        const char *command = steps->steps[n].kind == STEP_DEVICE && !and_device
                                  ? NULL
                                  : device_step_undo(&steps->steps[n], &arguments);

        if (command && domain->run && run_command(domain, command, arguments, &error) < 0)
            log_warning("domain '%s': %s after a device, ignoring: %s", domain_name(domain),
                        command, error_message(error));
    }
}

static int run_steps(Domain *domain, const DeviceSteps *steps, Error **reterr) {
    for (size_t i = 0; i < steps->n; i++) {
        json_object *arguments = NULL;
        const char *command = device_step_command(&steps->steps[i], &arguments);
        int r = command ? run_command(domain, command, arguments, reterr) : 0;

        if (r < 0) {
            undo_steps(domain, steps, i, true);
            return r;
        }
    }
    return 0;
}

/* ---- attach ---- */

static bool alias_is_taken(const DomainDef *def, const DevicePlace *mine, const char *alias) {
    for (size_t k = 0; k < n_device_kinds; k++) {
        const DeviceKind *kind = device_kinds[k];
        size_t n = kind->array ? *(const size_t *)((const char *)def + kind->count) : 0;

        for (size_t i = 0; i < n; i++) {
            DevicePlace at = {kind, i};
            const DeviceInfo *info = device_info_at(def, &at);

            if (info && (kind != mine->kind || i != mine->index) && streq_ptr(info->alias, alias))
                return true;
        }
    }
    return false;
}

/* Generated ones count; the first number that no other device has. */
static int make_alias_unique(const DomainDef *def, const DevicePlace *place, Error **reterr) {
    DeviceInfo *info = device_info_at(def, place);
    CLEANUP_FREE char *stem = info->alias ? strdup(info->alias) : NULL;
    size_t len = stem ? strlen(stem) : 0;

    if (!stem)
        return error_no_memory(reterr);
    while (len > 0 && stem[len - 1] >= '0' && stem[len - 1] <= '9')
        stem[--len] = '\0';
    for (unsigned n = 0; alias_is_taken(def, place, info->alias); n++) {
        if (device_alias_is_users(info->alias))
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "the alias '%s' is another device's", info->alias);
        free(info->alias);
        info->alias = strf("%s%u", stem, n);
        if (!info->alias)
            return error_no_memory(reterr);
    }
    return 0;
}

/* Defaults, address and alias of the device that was added last. A controller that would be needed
 * cannot be plugged. */
static int complete(Domain *domain, DomainDef *def, DevicePlace *place, Error **reterr) {
    CLEANUP_FREE char *channels = domain_channel_directory(&domain->services->paths);
    CLEANUP_FREE char *target = place->kind == &disk_kind
                                    ? strdup(((DiskDef *)device_at(def, place))->target)
                                    : NULL;
    const size_t n_controllers = def->n_controllers, n_hubs = def->n_hubs;
    int r = domain_fill(def, &(DomainFillParams){0}, reterr);

    if (r < 0)
        return r;
    if (def->n_controllers != n_controllers || def->n_hubs != n_hubs)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "no free place for a <%s>: it takes another controller or hub, which "
                            "can only be there from the start; use --config",
                            place->kind->name);
    for (size_t i = 0; target && i < def->n_disks; i++)
        if (streq(def->disks[i].target, target))
            place->index = i;
    if (!channels || qemu_assign_aliases(def, channels) < 0)
        return error_no_memory(reterr);
    return make_alias_unique(def, place, reterr);
}

static int refuse_host_parts(const DomainDef *def, const DevicePlace *place, Error **reterr) {
    const InterfaceDef *interface = device_at(def, place);
    const HostdevDef *hostdev = device_at(def, place);

    if (place->kind == &interface_kind && interface->type != INTERFACE_USER &&
        interface->type != INTERFACE_VHOSTUSER && interface->type != INTERFACE_UDP &&
        interface->type != INTERFACE_MCAST && interface->type != INTERFACE_SERVER &&
        interface->type != INTERFACE_CLIENT)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "an interface of type '%s' takes a device of the host that is made at "
                            "the start only; use --config",
                            words_name(&interface_types, (int)interface->type));
    if (place->kind == &filesystem_kind)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "a <filesystem> takes a program of the host that is started with the "
                            "domain only; use --config");
    if (place->kind == &hostdev_kind && hostdev->type == HOSTDEV_PCI)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "a PCI device of the host can only be given at the start; use "
                            "--config");
    return 0;
}

/* The images of a disk become its QEMU's before that opens them. */
static int give_and_plug(Domain *domain, const DeviceSteps *steps, const DevicePlace *at,
                         const DomainDef *def, Error **reterr) {
    const DiskDef *disk = at->kind == &disk_kind ? device_at(def, at) : NULL;
    int r = disk ? prepare_owner_attach(domain, disk, reterr) : 0;

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = run_steps(domain, steps, reterr);
    if (r < 0 && disk)
        prepare_owner_detach(domain, disk);
    return r;
}

int device_attach_live(Domain *domain, DomainDef *one, const DevicePlace *place, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->run->live);
    CLEANUP(device_steps_done) DeviceSteps steps = {0};
    DevicePlace at = {place->kind, 0};
    DeviceContext context;
    const char *alias;
    int r;

    if (!def)
        return error_no_memory(reterr);
    at.index = *(size_t *)((char *)def + place->kind->count);
    r = refuse_host_parts(one, place, reterr);
    if (r >= 0)
        r = device_move(def, one, place, reterr);
    if (r >= 0)
        r = complete(domain, def, &at, reterr);
    if (r < 0)
        return r;
    context = context_of(domain->run, def);
    r = at.kind->build(&context, device_at(def, &at), &steps, reterr);
    if (r >= 0)
        r = device_steps_check_live(&steps, at.kind->name, reterr);
    if (r >= 0)
        r = give_and_plug(domain, &steps, &at, def, reterr);
    if (r < 0)
        return r;
    alias = device_info_at(def, &at)->alias;
    domain_def_free(domain->run->live);
    domain->run->live = TAKE_PTR(def);
    r = domain_save_status(domain, reterr);
    if (r < 0) { /* a daemon that comes after would not know of it */
        undo_steps(domain, &steps, steps.n, true);
        if (at.kind == &disk_kind)
            prepare_owner_detach(domain, device_at(domain->run->live, &at));
        device_remove(domain->run->live, &at, NULL);
        return r;
    }
    events_device_added(domain, alias);
    return 0;
}

/* ---- what has gone ---- */

static bool note(char ***list, size_t *n, const char *alias) {
    char **at = array_append(list, n, sizeof(char *));

    if (at)
        *at = strdup(alias);
    return at != NULL;
}

static bool list_has(char *const *list, size_t n, const char *alias) {
    for (size_t i = 0; i < n; i++)
        if (streq_ptr(list[i], alias))
            return true;
    return false;
}

static void settle_one(Domain *domain, const char *alias) {
    CLEANUP(device_steps_done) DeviceSteps steps = {0};
    CLEANUP_ERROR Error *error = NULL;
    DevicePlace place = device_by_alias(domain->run->live, alias);
    CLEANUP_DOMAIN_DEF DomainDef *was = place.kind == &disk_kind
                                            ? domain_def_copy(domain->run->live)
                                            : NULL;
    DeviceContext context = context_of(domain->run, domain->run->live);

    if (!place.kind)
        return;
    if (place.kind->build(&context, device_at(domain->run->live, &place), &steps, &error) >= 0)
        undo_steps(domain, &steps, steps.n, false);
    if (was)
        prepare_owner_detach(domain, device_at(was, &place));
    if (!domain->run)
        return;
    place = device_by_alias(domain->run->live, alias); /* looked up again: that waited */
    if (!place.kind || device_remove(domain->run->live, &place, &error) < 0 ||
        domain_save_status(domain, &error) < 0)
        log_warning("domain '%s': after '%s' has gone, ignoring: %s", domain_name(domain), alias,
                    error_message(error));
    events_device_removed(domain, alias);
}

/* Job held. */
static void settle(Domain *domain) {
    while (domain->run && domain->run->devices.n_gone) {
        DeviceNews *news = &domain->run->devices;
        CLEANUP_FREE char *alias = news->gone[--news->n_gone];

        if (alias)
            settle_one(domain, alias);
    }
}

static void settle_late(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;

    if (domain_job_begin(domain, &job, "device removal", &error) < 0) {
        log_warning("domain '%s': %s", domain_name(domain), error_message(error));
        return;
    }
    settle(domain);
    domain_job_end(domain, &job);
}

bool device_event(Domain *domain, const char *name, json_object *data) {
    const char *alias = json_member_string(data, "device");
    DeviceNews *news = &domain->run->devices;
    const bool deleted = streq(name, "DEVICE_DELETED");

    if (!alias ||
        (!deleted && !streq(name, "DEVICE_UNPLUG_GUEST_ERROR") && !streq(name, "MEM_UNPLUG_ERROR")))
        return false;
    if (!device_by_alias(domain->run->live, alias).kind)
        return false;
    if (!(deleted ? note(&news->gone, &news->n_gone, alias)
                  : note(&news->refused, &news->n_refused, alias)))
        return true;
    if (!deleted)
        events_device_removal_failed(domain, alias);
    news->count++;
    fiber_cond_broadcast(&news->cond);
    if (deleted && !news->n_waiting &&
        fiber_start("device-gone", settle_late, domain_ref(domain)) < 0)
        domain_unref(domain);
    return true;
}

/* ---- detach ---- */

static json_object *device_id(const char *alias) {
    Props props = props_new();

    props_text(&props, "id", alias);
    return props_take(&props);
}

/* Until it has gone, or the guest has refused, or the deadline has come: 0, 0 or -ETIMEDOUT. */
static int wait_for(Domain *domain, const char *alias, uint64_t seen, uint64_t deadline) {
    int r = 0;

    while (domain->run && r >= 0) {
        DeviceNews *news = &domain->run->devices;

        if (list_has(news->gone, news->n_gone, alias) ||
            list_has(news->refused, news->n_refused, alias) ||
            !monitor_is_open(domain->run->monitor))
            return 0;
        if (news->count != seen) {
            seen = news->count;
            continue;
        }
        news->n_waiting++;
        r = fiber_cond_wait(&news->cond, deadline);
        if (domain->run)
            domain->run->devices.n_waiting--;
    }
    return r;
}

static void forget_refusals(DeviceNews *news) {
    while (news->n_refused)
        free(news->refused[--news->n_refused]);
}

int device_detach_live(Domain *domain, const DevicePlace *place, Error **reterr) {
    const DeviceInfo *info = device_info_at(domain->run->live, place);
    CLEANUP_FREE char *alias = info && info->alias ? strdup(info->alias) : NULL;
    uint64_t seen = domain->run->devices.count;
    bool refused;
    int r;

    if (!alias)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "a <%s> cannot be taken from a running domain", place->kind->name);
    forget_refusals(&domain->run->devices);
    r = run_command(domain, "device_del", device_id(alias), reterr);
    if (r < 0)
        return r;
    r = wait_for(domain, alias, seen, deadline_in(removal_timeout(domain, 0)));
    if (domain_check_active(domain, reterr) < 0)
        return -EINVAL;
    refused = list_has(domain->run->devices.refused, domain->run->devices.n_refused, alias);
    settle(domain);
    if (refused)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "detach of device '%s' was rejected by the guest", alias);
    if (r < 0)
        log_info("domain '%s': the guest has been asked to release '%s' and has not answered yet",
                 domain_name(domain), alias);
    return 0;
}

/* ---- after a reconnect ---- */

static bool is_listed(json_object *list, const char *alias) {
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (streq_ptr(json_member_string(json_object_array_get_idx(list, i), "name"), alias))
            return true;
    return false;
}

/* Those that could have been unplugged: their kinds can be attached. */
static bool could_go(const DeviceKind *kind) {
    return kind == &disk_kind || kind == &interface_kind || kind == &input_kind ||
           kind == &rng_kind || kind == &hostdev_kind || kind == &redirdev_kind ||
           kind == &shmem_kind || kind == &watchdog_kind;
}

typedef struct Reconcile {
    Domain *domain;
    json_object *list;
} Reconcile;

static int note_gone(const DeviceKind *kind, void *device, size_t index, void *userdata) {
    Reconcile *reconcile = userdata;
    DeviceNews *news = &reconcile->domain->run->devices;
    const DeviceInfo *info = could_go(kind) ? (const DeviceInfo *)((char *)device + kind->info)
                                            : NULL;

    if (info && info->alias && !is_listed(reconcile->list, info->alias) &&
        !(kind == &input_kind && ((const InputDef *)device)->bus == INPUT_BUS_PS2) &&
        !(kind == &disk_kind && ((const DiskDef *)device)->bus == DISK_BUS_FDC))
        note(&news->gone, &news->n_gone, info->alias);
    return 0;
}

void device_reconcile(Domain *domain) {
    Props props = props_new();
    json_object *list = NULL;
    Reconcile reconcile = {.domain = domain};

    props_text(&props, "path", "/machine/peripheral");
    if (monitor_run(domain->run->monitor, "qom-list", props_take(&props), deadline_in(COMMAND_USEC),
                    &list, NULL) < 0)
        return;
    reconcile.list = list;
    if (domain->run && json_object_is_type(list, json_type_array) &&
        json_object_array_length(list) > 1)
        devices_each(domain->run->live, note_gone, &reconcile);
    json_object_put(list);
    settle(domain);
}
