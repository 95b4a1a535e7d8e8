/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attach-device, detach-device, update-device: the definition and what runs. */
#include "conf/device-parse.h"
#include "conf/domain-fill.h"
#include "conf/domain-validate-define.h"
#include "conf/domain-validate.h"
#include "domain/files.h"
#include "driver/definition-fill.h"
#include "driver/device-internal.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"

typedef struct DeviceChange {
    Domain *domain;
    const DeviceRequest *request;
    bool mac_given;
    DomainDef *config; /* as it will be; or NULL */
    bool has_config;
    Operation *operation; /* of what runs; or NULL */
    Error **reterr;
} DeviceChange;

static int parse(const DeviceChange *change, const DomainDef *like, DomainDef **ret,
                 DevicePlace *ret_place) {
    const DomainRun *run = change->domain->run;
    int r = device_parse(change->request->xml, like, ret, change->reterr);

    if (r >= 0)
        r = device_only(*ret, ret_place, change->reterr);
    return r < 0 ? r
                 : device_check_kind(ret_place->kind, change->request->verb,
                                     run && like == run->live, change->reterr);
}

static int find(const DeviceChange *change, const DomainDef *def, DevicePlace *ret) {
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    DevicePlace wanted;
    int r;

    if (change->request->alias) {
        *ret = device_by_alias(def, change->request->alias);
        return ret->kind ? 0
                         : error_report(change->reterr, FROM_QEMU, ERROR_INTERNAL,
                                        "no device found with alias %s", change->request->alias);
    }
    r = parse(change, def, &one, &wanted);
    return r < 0 ? r : device_find(def, one, &wanted, change->mac_given, ret, change->reterr);
}

static const char *source_of(const DiskDef *disk) {
    return disk->source.path ? disk->source.path : "";
}

/* A machine has one of these. */
static int refuse_second_of(const DeviceChange *change, const DomainDef *def,
                            const DeviceKind *kind) {
    const bool there = (kind == &watchdog_kind && def->n_watchdogs > 0) ||
                       (kind == &vsock_kind && def->vsock);

    return there ? error_report(change->reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                "the domain has a <%s> already", kind->name)
                 : 0;
}

/* One that is there already; those that have no name may be there twice. */
static int refuse_second(const DeviceChange *change, const DomainDef *def, const DomainDef *one,
                         const DevicePlace *place) {
    DevicePlace old;
    CLEANUP_ERROR Error *error = NULL;

    if (place->kind == &disk_kind && device_find(def, one, place, false, &old, &error) >= 0)
        return def == change->config
                   ? error_report(change->reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                  "target %s already exists", def->disks[old.index].target)
                   : error_report(change->reterr, FROM_DOMAIN, ERROR_XML,
                                  "target '%s' duplicated for disk sources '%s' and '%s'",
                                  def->disks[old.index].target, source_of(&def->disks[old.index]),
                                  source_of(device_at(one, place)));
    if (place->kind == &interface_kind && change->mac_given &&
        device_find(def, one, place, true, &old, &error) >= 0)
        return error_report(change->reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "an interface with MAC address %s is there already",
                            def->interfaces[old.index].mac);
    if (place->kind == &controller_kind) {
        const ControllerDef *controller = device_at(one, place);

        /* An USB controller and its companions have one index. */
        if (controller->type != CONTROLLER_USB && controller->index >= 0 &&
            device_find(def, one, place, false, &old, &error) >= 0)
            return error_report(
                change->reterr, FROM_QEMU, ERROR_OPERATION_FAILED, "target %s:%d already exists",
                words_name(&controller_types, (int)controller->type), controller->index);
    }
    return refuse_second_of(change, def, place->kind);
}

/* ---- the definition ---- */

/* As at define, unless what is stored already would be refused there. */
static int validate(const DeviceChange *change, const DomainDef *def) {
    int r = domain_validate(def, change->reterr);

    if (r < 0 || domain_validate_define(change->domain->config, NULL) < 0)
        return r;
    return domain_validate_define(def, change->reterr);
}

static int attach_config(DeviceChange *change, DomainDef *def) {
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    DevicePlace place;
    int r = parse(change, def, &one, &place);

    if (r >= 0)
        r = refuse_second(change, def, one, &place);
    if (r >= 0)
        r = device_move(def, one, &place, change->reterr);
    if (r >= 0)
        r = definition_fill(change->domain->services, def, change->reterr);
    return r < 0 ? r : validate(change, def);
}

/* What is not said stays: the address, the boot order of the device that was there. */
static int update_config(DeviceChange *change, DomainDef *def) {
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    DevicePlace place, old;
    DeviceAddress swap;
    int r = parse(change, def, &one, &place);

    if (r >= 0)
        r = device_find(def, one, &place, change->mac_given, &old, change->reterr);
    if (r < 0)
        return r;
    if (device_info_at(one, &place)->address.type == ADDRESS_NONE) {
        swap = device_info_at(one, &place)->address;
        device_info_at(one, &place)->address = device_info_at(def, &old)->address;
        device_info_at(def, &old)->address = swap;
    }
    r = device_remove(def, &old, change->reterr);
    if (r >= 0)
        r = device_move(def, one, &place, change->reterr);
    if (r >= 0)
        r = definition_fill(change->domain->services, def, change->reterr);
    return r < 0 ? r : validate(change, def);
}

static int detach_config(DeviceChange *change, DomainDef *def) {
    DevicePlace place;
    int r = find(change, def, &place);

    if (r >= 0)
        r = device_remove(def, &place, change->reterr);
    /* A controller that others need comes back. */
    return r < 0 || place.kind != &controller_kind
               ? r
               : definition_fill(change->domain->services, def, change->reterr);
}

static int change_config(DeviceChange *change) {
    static int (*const verbs[])(DeviceChange *,
                                DomainDef *) = {[DEVICE_VERB_ATTACH] = attach_config,
                                                [DEVICE_VERB_DETACH] = detach_config,
                                                [DEVICE_VERB_UPDATE] = update_config};

    change->config = domain_def_copy(change->domain->config);
    return change->config ? verbs[change->request->verb](change, change->config)
                          : error_no_memory(change->reterr);
}

/* ---- what runs ---- */

/* A drive that is there is attached once more to get a medium. */
static bool is_medium(const DomainDef *live, const DomainDef *one, const DevicePlace *place,
                      DevicePlace *ret_drive) {
    const DiskDef *disk = device_at(one, place);
    CLEANUP_ERROR Error *error = NULL;

    return place->kind == &disk_kind && disk_is_removable(disk) &&
           device_find(live, one, place, false, ret_drive, &error) >= 0;
}

static int insert_medium(DeviceChange *change, DomainDef *one, const DevicePlace *place,
                         const DevicePlace *drive) {
    DeviceRequest request = *change->request;

    request.verb = DEVICE_VERB_UPDATE;
    return device_update_live(change->domain, one, place, drive, &request, change->has_config,
                              &change->operation, change->reterr);
}

/* As an operation of its own: it stays when the device that it is for does not come. */
static int attach_controller(Domain *domain, int index, const char *model, Error **reterr) {
    CLEANUP_FREE char *xml = strf("<controller type='scsi' index='%d' model='%s'/>", index, model);
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    const DeviceRequest request = {.verb = DEVICE_VERB_ATTACH, .xml = xml, .flags = AFFECT_LIVE};
    Operation *operation = NULL;
    DevicePlace place;
    Error *error = NULL;
    int r = xml ? device_parse(xml, domain->run->live, &one, &error) : error_no_memory(&error);

    if (r >= 0)
        r = device_only(one, &place, &error);
    if (r >= 0)
        r = device_attach_live(domain, one, &place, &request, false, &operation, &error);
    if (operation)
        device_operation_end(domain, operation, r, error);
    operation_unref(operation);
    return r < 0 ? error_propagate(reterr, error) : 0;
}

/* The SCSI controllers that the device needs. */
static int attach_missing(DeviceChange *change, const DomainDef *one, const DevicePlace *place) {
    Domain *domain = change->domain;
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->run->live);
    CLEANUP_DOMAIN_DEF DomainDef *device = domain_def_copy(one);
    DevicePlace at = {.kind = place->kind};
    int r;

    if (!def || !device)
        return error_no_memory(change->reterr);
    at.index = *(size_t *)((char *)def + place->kind->count);
    r = device_move(def, device, place, change->reterr);
    if (r >= 0) /* what is refused anyway needs none */
        r = device_check_live(def, &at, DEVICE_VERB_ATTACH, change->reterr);
    if (r >= 0)
        r = domain_fill(def, &(DomainFillParams){0}, change->reterr);
    for (size_t i = 0; r >= 0 && i < def->n_controllers; i++) {
        const ControllerDef *controller = &def->controllers[i];

        if (controller->type == CONTROLLER_SCSI && controller->model &&
            !device_controller(domain->run->live, controller->type, controller->index))
            r = attach_controller(domain, controller->index, controller->model, change->reterr);
        if (r >= 0)
            r = domain_check_active(domain, change->reterr);
    }
    return r;
}

static int attach_live(DeviceChange *change) {
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    const DomainDef *live = change->domain->run->live;
    DevicePlace place, drive;
    int r = parse(change, live, &one, &place);

    if (r >= 0 && is_medium(live, one, &place, &drive))
        return insert_medium(change, one, &place, &drive);
    if (r >= 0)
        r = refuse_second(change, live, one, &place);
    if (r >= 0 && (place.kind == &disk_kind || place.kind == &hostdev_kind))
        r = attach_missing(change, one, &place);
    return r < 0 ? r
                 : device_attach_live(change->domain, one, &place, change->request,
                                      change->has_config, &change->operation, change->reterr);
}

static int update_live(DeviceChange *change) {
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    const DomainDef *live = change->domain->run->live;
    DevicePlace place, old;
    int r = parse(change, live, &one, &place);

    if (r >= 0)
        r = device_find(live, one, &place, change->mac_given, &old, change->reterr);
    return r < 0 ? r
                 : device_update_live(change->domain, one, &place, &old, change->request,
                                      change->has_config, &change->operation, change->reterr);
}

static int detach_live(DeviceChange *change) {
    DevicePlace place;
    int r = find(change, change->domain->run->live, &place);

    if (r >= 0) /* by its alias it may be of any kind */
        r = device_check_kind(place.kind, DEVICE_VERB_DETACH, true, change->reterr);
    if (r >= 0)
        r = device_check_live(change->domain->run->live, &place, DEVICE_VERB_DETACH,
                              change->reterr);
    return r < 0 ? r
                 : device_detach_live(change->domain, &place, change->request, change->has_config,
                                      &change->operation, change->reterr);
}

static int change_live(DeviceChange *change) {
    static int (*const verbs[])(DeviceChange *) = {[DEVICE_VERB_ATTACH] = attach_live,
                                                   [DEVICE_VERB_DETACH] = detach_live,
                                                   [DEVICE_VERB_UPDATE] = update_live};

    return verbs[change->request->verb](change);
}

static int save_config(DeviceChange *change) {
    Domain *domain = change->domain;
    int r = domain_save_config(domain, change->config, change->reterr);

    if (r < 0)
        return r;
    domain_def_free(domain->config);
    domain->config = TAKE_PTR(change->config);
    operation_step(change->operation, STEP_CONFIG);
    return 0;
}

/* The definition is tried first, what runs is changed next, then the definition is written. */
static int change_locked(DeviceChange *change) {
    Domain *domain = change->domain;
    bool live = false, config = false;
    int r = domain_resolve_affect(domain, change->request->flags, &live, &config, change->reterr);

    change->has_config = config;
    if (r >= 0 && live)
        r = domain_check_active(domain, change->reterr);
    if (r >= 0 && config)
        r = change_config(change);
    if (r >= 0 && live)
        r = change_live(change);
    if (r < 0 || !config)
        return r;
    if (change->operation)
        change->operation->device.fails_as = OPERATION_FAILED;
    return save_config(change);
}

static bool is_given_mac(const DeviceRequest *request) {
    return request->xml && strstr(request->xml, "<mac");
}

/* Whoever asked is told where it stands. */
static void note_left_open(const Domain *domain, const Operation *operation, Error **error) {
    if (operation && operation->state == OPERATION_ACTING && domain_outlives_monitor(domain))
        error_prefix(error, "operation %llu goes on when QEMU answers",
                     (unsigned long long)operation->id);
}

int driver_change_device(Domain *domain, const DeviceRequest *request, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    DeviceChange change = {
        .domain = domain, .request = request, .mac_given = is_given_mac(request), .reterr = &error};
    DomainJob job;
    int r = domain_job_begin(domain, &job, "device change", reterr);

    if (r < 0)
        return r;
    r = change_locked(&change);
    if (change.operation)
        device_operation_end(domain, change.operation, r, error);
    note_left_open(domain, change.operation, &error);
    operation_unref(change.operation);
    domain_def_free(change.config);
    domain_job_end(domain, &job);
    return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
}

static bool is_made_already(const DeviceRequest *request, const Error *error) {
    const ErrorCode code = error->code;

    return (request->verb == DEVICE_VERB_DETACH && code == ERROR_DEVICE_MISSING) ||
           (request->verb == DEVICE_VERB_ATTACH && strstr(error_message(error), "already"));
}

int device_change_config(Domain *domain, const DeviceRequest *request, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    DeviceChange change = {
        .domain = domain, .request = request, .mac_given = is_given_mac(request), .reterr = &error};
    int r = domain->config ? change_config(&change) : 0;

    if (r >= 0 && change.config)
        r = save_config(&change);
    domain_def_free(change.config);
    return r < 0 && !is_made_already(request, error) ? error_propagate(reterr, TAKE_PTR(error)) : 0;
}
