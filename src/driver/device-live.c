/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that come into a running QEMU: the journal, what the host has to make, then steps that
 * are taken back when one fails. */
#include "conf/domain-fill.h"
#include "domain/events.h"
#include "domain/files.h"
#include "driver/block-job-check.h"
#include "driver/device-internal.h"
#include "driver/news.h"
#include "driver/prepare-again.h"
#include "driver/prepare-net.h"
#include "driver/prepare-secret.h"
#include "driver/start-shown.h"
#include "driver/volume-source.h"
#include "qemu/fill.h"
#include "util/file.h"
#include "util/log.h"

static bool alias_is_taken(const DomainDef *def, const DevicePlace *mine, const char *alias) {
    for (size_t k = 0; k < n_device_kinds; k++) {
        const DeviceKind *kind = device_kinds[k];
        size_t n = kind->array ? *(const size_t *)((const char *)def + kind->count) : 0;

        for (size_t i = 0; i < n; i++) {
            DevicePlace at = {kind, i};
            const DeviceInfo *info = device_info_at(def, &at);

            if (info && kind != &bridge_kind && (kind != mine->kind || i != mine->index) &&
                streq_ptr(info->alias, alias))
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

/* Filling sorts disks and controllers; where the new one has come to. */
static size_t sorted_place(const DomainDef *live, const DomainDef *def, const DevicePlace *place,
                           const char *target) {
    size_t at = place->index;

    for (size_t i = 0; target && i < def->n_disks; i++)
        if (streq(def->disks[i].target, target))
            at = i;
    for (size_t i = 0; place->kind == &controller_kind && i < def->n_controllers; i++)
        if (!device_controller(live, def->controllers[i].type, def->controllers[i].index))
            at = i;
    return at;
}

/* Defaults, address and alias of the device that was added last. A controller that is needed and
 * not there by then cannot be plugged. */
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
    place->index = sorted_place(domain->run->live, def, place, target);
    if (!channels || qemu_assign_aliases(def, channels) < 0)
        return error_no_memory(reterr);
    return make_alias_unique(def, place, reterr);
}

/* QEMU has it, or nothing of it, or the operation knows that something is left. */
static int plug(Domain *domain, DomainDef *def, const DevicePlace *at, const StartParts *parts,
                Operation *operation, Error **reterr) {
    CLEANUP(device_steps_done) DeviceSteps steps = {0};
    DeviceContext context = device_context(domain->run, def, parts);
    bool undone = true;
    int r = device_kind_build(&context, at->kind, device_at(def, at), &steps, reterr);

    if (r >= 0)
        r = device_steps_check_live(&steps, at->kind->name, reterr);
    if (r < 0)
        return r;
    r = device_host_give_fds(domain, parts, reterr);
    operation_step(operation, STEP_SENT);
    if (r >= 0)
        r = device_steps_run(domain, &steps, &undone, reterr);
    if (r < 0 && !device_is_cut_off(domain))
        device_host_take_fds(domain, parts);
    if (!undone)
        operation->device.fails_as = OPERATION_FAILED;
    return r;
}

/* The run gets the definition that has the device. */
static void take(Domain *domain, DomainDef *def_consume) {
    news_carry(domain->run->live, def_consume);
    domain_def_free(domain->run->live);
    domain->run->live = def_consume;
}

static int adopt(Domain *domain, DomainDef *def_consume, const char *alias, Error **reterr) {
    int r;

    take(domain, def_consume);
    r = domain_save_status(domain, reterr);
    if (r >= 0)
        events_device_added(domain, alias);
    return r;
}

/* One that QEMU had when nobody waited for it any more. A status that cannot be written is written
 * with the next change. */
static void adopt_late(Domain *domain, DomainDef *def_consume, const char *alias) {
    CLEANUP_ERROR Error *error = NULL;

    take(domain, def_consume);
    if (domain_save_status(domain, &error) < 0)
        log_warning("domain '%s': its status with '%s' cannot be saved, ignoring: %s",
                    domain_name(domain), alias, error_message(error));
    events_device_added(domain, alias);
    device_host_settle(domain);
}

/* A daemon that comes after this one would not know of the device: the guest gives it back. What it
 * keeps stays in the XML, as it is there. */
static void give_up(Domain *domain, const char *alias, Operation *operation) {
    CLEANUP_ERROR Error *error = NULL;

    if (domain->run && device_detach_asked(domain, alias, 0, NULL, &error) < 0)
        log_warning("domain '%s': '%s' whose attach failed is not taken back: %s",
                    domain_name(domain), alias, error_message(error));
    if (domain->run && device_by_alias(domain->run->live, alias).kind)
        operation->device.fails_as = OPERATION_FAILED;
}

static int begin(Domain *domain, DomainDef *one, DomainDef *def, const DevicePlace *at,
                 const DeviceRequest *request, bool config, Operation **ret, Error **reterr) {
    char *whole = device_whole(one, def, at);

    return whole ? device_operation_begin(domain, request, config, device_info_at(def, at)->alias,
                                          whole, ret, reterr)
                 : error_no_memory(reterr);
}

static bool is_named_by_host(const DomainDef *def, const DevicePlace *at) {
    return at->kind == &interface_kind ||
           (at->kind == &disk_kind && ((const DiskDef *)device_at(def, at))->transient);
}

/* What the host makes may get a name of its own: a tap, an overlay. */
static int make_host_parts(Domain *domain, DomainDef *one, DomainDef *def, const DevicePlace *at,
                           StartParts *parts, Operation *operation, Error **reterr) {
    int r = device_host_make(domain, def, at, parts, reterr);

    return r < 0 || !is_named_by_host(def, at)
               ? r
               : device_operation_note_whole(operation, device_whole(one, def, at), reterr);
}

static int keep(Domain *domain, DomainDef *def_consume, Operation *operation, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = def_consume;
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    r = adopt(domain, TAKE_PTR(def), operation->device.alias, reterr);
    if (r < 0)
        give_up(domain, operation->device.alias, operation);
    else
        operation_step(operation, STEP_SAVED);
    if (r >= 0 && domain->run)
        prepare_again_watch(domain);
    return r;
}

/* Nothing of it is in QEMU. */
static void release(Domain *domain, DomainDef *def, const DevicePlace *at, bool files) {
    device_host_release(domain, def, at, files);
    device_host_settle(domain);
}

static int attach(Domain *domain, DomainDef *one, DomainDef *def_consume, const DevicePlace *at,
                  Operation *operation, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_DOMAIN_DEF DomainDef *def = def_consume;
    CLEANUP(start_parts_done) StartParts parts = {0};
    DiskDef *disk = at->kind == &disk_kind ? device_at(def, at) : NULL;
    int r = disk ? start_show_disk(disk) : 0;

    if (disk) /* it comes with its tray closed */
        free(TAKE_PTR(disk->tray));
    r = r < 0 ? error_no_memory(&error)
              : make_host_parts(domain, one, def, at, &parts, operation, &error);
    if (r >= 0)
        r = domain_check_active(domain, &error);
    if (r >= 0)
        r = plug(domain, def, at, &parts, operation, &error);
    if (r < 0)
        device_give_up(domain, error);
    prepare_secrets_close(domain, &parts);
    if (r < 0) {
        if (!device_is_cut_off(domain)) /* else QEMU may have it yet: the reconnection looks */
            release(domain, def, at, parts.files_given);
        return error_propagate(reterr, TAKE_PTR(error));
    }
    operation_step(operation, STEP_ANSWERED);
    return keep(domain, TAKE_PTR(def), operation, reterr);
}

int device_attach_live(Domain *domain, DomainDef *one, const DevicePlace *place,
                       const DeviceRequest *request, bool config, Operation **ret_operation,
                       Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->run->live);
    DevicePlace at = {place->kind, 0};
    int r;

    assert(domain_job_is_mine(domain));
    if (!def)
        return error_no_memory(reterr);
    at.index = *(size_t *)((char *)def + place->kind->count);
    r = device_move(def, one, place, reterr);
    if (r >= 0)
        r = device_check_live(def, &at, DEVICE_VERB_ATTACH, reterr);
    if (r >= 0 && at.kind == &disk_kind)
        r = volume_source_resolve_disk(domain->services->storage, device_at(def, &at), reterr);
    if (r >= 0 && at.kind == &disk_kind)
        r = device_check_source(device_at(def, &at), reterr);
    if (r >= 0 && at.kind == &interface_kind)
        r = prepare_check_network(domain, device_at(def, &at), reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = complete(domain, def, &at, reterr);
    if (r >= 0)
        r = device_check_live(def, &at, DEVICE_VERB_ATTACH, reterr);
    if (r >= 0 && at.kind == &disk_kind)
        r = block_check_snapshot(domain, reterr);
    if (r >= 0)
        r = begin(domain, one, def, &at, request, config, ret_operation, reterr);
    return r < 0 ? r : attach(domain, one, TAKE_PTR(def), &at, *ret_operation, reterr);
}

int device_attach_go_on(Domain *domain, DomainDef *one, const DevicePlace *place, bool there,
                        const char *alias, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->run->live);
    DevicePlace at = {place->kind, 0};
    int r = def ? 0 : error_no_memory(reterr);

    assert(domain_job_is_mine(domain));
    if (r < 0)
        return r;
    at.index = *(size_t *)((char *)def + place->kind->count);
    r = device_move(def, one, place, reterr);
    if (r < 0)
        return r;
    if (there) {
        adopt_late(domain, TAKE_PTR(def), alias);
        return 0;
    }
    device_host_forget_fds(domain);
    r = domain_check_active(domain, reterr);
    if (r >= 0) {
        device_undo_backends(domain, def, &at);
        r = domain_check_active(domain, reterr);
    }
    if (r < 0)
        return r;
    release(domain, def, &at, true);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "QEMU did not come to the device, or vireod ended before; nothing of it is "
                        "left");
}
