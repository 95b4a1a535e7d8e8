/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a device can be changed while it is there: the medium of a drive, the link of a card, the
 * password of a display. */
#include "domain/files.h"
#include "driver/block-job-check.h"
#include "driver/device-internal.h"
#include "driver/prepare-owner.h"
#include "driver/prepare-secret.h"
#include "driver/start-shown.h"
#include "driver/volume-source.h"
#include "qemu/fill.h"
#include "util/file.h"

static int run_command(Domain *domain, const char *command, Props *props, Error **reterr) {
    json_object *arguments = props_take(props);

    return arguments ? device_tell(domain, command, arguments, reterr) : error_no_memory(reterr);
}

static int named(Domain *domain, const char *command, const char *id, Error **reterr) {
    Props props = props_new();

    props_text(&props, "id", id);
    return run_command(domain, command, &props, reterr);
}

/* ---- a drive's medium ---- */

static int insert(Domain *domain, const char *id, const char *node, Error **reterr) {
    Props props = props_new();

    props_text(&props, "id", id);
    props_text(&props, "node-name", node);
    return run_command(domain, "blockdev-insert-medium", &props, reterr);
}

/* The nodes of a drive's medium in steps without the drive itself. */
static int medium_steps(Domain *domain, const DiskDef *disk, const StartParts *parts,
                        DeviceSteps *steps, char node[96], Error **reterr) {
    const DomainRun *run = domain->run;
    const DeviceContext context = device_context(run, run->live, parts);

    return device_blockdevs(&context, disk, steps, node, reterr);
}

static void remove_nodes(Domain *domain, const DeviceSteps *steps, size_t n) {
    while (n-- > 0) {
        json_object *arguments = NULL;
        const char *command = device_step_undo(&steps->steps[n], &arguments);

        if (command)
            device_tell(domain, command, arguments, NULL);
    }
}

static int add_nodes(Domain *domain, const DeviceSteps *steps, Error **reterr) {
    for (size_t i = 0; i < steps->n; i++) {
        json_object *arguments = NULL;
        const char *command = device_step_command(&steps->steps[i], &arguments);
        int r = command ? device_tell(domain, command, arguments, reterr) : 0;

        if (r < 0) {
            remove_nodes(domain, steps, i);
            return r;
        }
    }
    return 0;
}

/* What a change of a medium takes away and adds. */
typedef struct MediumSwap {
    StartParts old_parts, parts; /* of their secrets */
    DeviceSteps before, after;
    char old_node[96], node[96];
} MediumSwap;

static void medium_swap_done(MediumSwap *swap) {
    device_steps_done(&swap->before);
    device_steps_done(&swap->after);
    start_parts_done(&swap->old_parts);
    start_parts_done(&swap->parts);
}

static int plan_swap(Domain *domain, const DiskDef *old, const DiskDef *next, MediumSwap *swap,
                     Error **reterr) {
    int r = 0;

    if (storage_is_there(&next->source))
        r = prepare_disk_secrets(domain, next, &swap->parts, reterr);
    if (r >= 0 && storage_is_there(&old->source)) /* without it the old one does not come back */
        prepare_disk_secrets(domain, old, &swap->old_parts, NULL);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0 && storage_is_there(&old->source))
        r = medium_steps(domain, old, &swap->old_parts, &swap->before, swap->old_node, reterr);
    if (r >= 0 && storage_is_there(&next->source))
        r = medium_steps(domain, next, &swap->parts, &swap->after, swap->node, reterr);
    return r >= 0 && (swap->before.failed || swap->after.failed) ? error_no_memory(reterr) : r;
}

/* `empty`: whatever is in the drive leaves it. */
static int open_tray(Domain *domain, const DiskDef *old, bool empty, Error **reterr) {
    Props props = props_new();
    int r;

    props_text(&props, "id", old->info.alias);
    props_bool(&props, "force", true);
    r = run_command(domain, "blockdev-open-tray", &props, reterr);
    return r >= 0 && empty ? named(domain, "blockdev-remove-medium", old->info.alias, reterr) : r;
}

/* The drawer opens by force; an old medium that cannot be followed by the new one comes back, or
 * *ret_lost. Once QEMU does not answer it is told nothing more: all of it is done again. */
static int run_swap(Domain *domain, const DiskDef *old, const DiskDef *next, const MediumSwap *swap,
                    bool again, bool *ret_lost, Error **reterr) {
    int r = open_tray(domain, old, again || storage_is_there(&old->source), reterr);

    if (r < 0)
        return r;
    remove_nodes(domain, &swap->before, swap->before.n);
    if (again) /* some of them may be there */
        remove_nodes(domain, &swap->after, swap->after.n);
    r = add_nodes(domain, &swap->after, reterr);
    if (r >= 0 && storage_is_there(&next->source)) {
        r = insert(domain, old->info.alias, swap->node, reterr);
        if (r < 0)
            remove_nodes(domain, &swap->after, swap->after.n);
    }
    if (r < 0 && !device_is_cut_off(domain))
        *ret_lost = add_nodes(domain, &swap->before, NULL) < 0 ||
                    (*swap->old_node && insert(domain, old->info.alias, swap->old_node, NULL) < 0);
    if (r < 0 || storage_is_there(&next->source))
        named(domain, "blockdev-close-tray", old->info.alias, NULL);
    return r;
}

static int swap_medium(Domain *domain, const DiskDef *old, const DiskDef *next, bool again,
                       bool *ret_lost, Error **reterr) {
    CLEANUP(medium_swap_done) MediumSwap swap = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = plan_swap(domain, old, next, &swap, &error);

    if (r >= 0)
        r = run_swap(domain, old, next, &swap, again, ret_lost, &error);
    if (r >= 0)
        r = domain_check_active(domain, &error);
    if (r < 0)
        device_give_up(domain, error);
    prepare_secrets_close(domain, &swap.parts);
    prepare_secrets_close(domain, &swap.old_parts);
    return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
}

/* The new medium becomes QEMU's, which may be another user; `next` in the place of the old. */
static int admit(Domain *domain, DomainDef *def, const DevicePlace *old, const DiskDef *next,
                 Error **reterr) {
    CLEANUP(start_parts_done) StartParts parts = {0};
    DiskDef *disk = device_at(def, old), kept = *disk;
    int r;

    *disk = *next; /* borrowed */
    r = device_host_admit(domain, def, old, &parts, reterr);
    *disk = kept;
    return r;
}

/* Of the two media the one that is not in the drive goes back to whose it was, unless they are one
 * file or another device has it. */
static void take_back(Domain *domain, DomainDef *def, const DevicePlace *old, const DiskDef *next,
                      bool changed) {
    DiskDef *disk = device_at(def, old), kept = *disk;

    if (changed)
        *disk = *next; /* borrowed */
    prepare_owner_detach(domain, def, &disk_kind, changed ? &kept : next);
    *disk = kept;
}

/* `def` is a copy of the live definition: that may go while QEMU is asked. */
static int change_medium(Domain *domain, DomainDef *def, const DevicePlace *old, DiskDef *next,
                         bool again, bool *ret_lost, Error **reterr) {
    const DiskDef *disk = device_at(def, old);
    char *alias = next->info.alias;
    int r = 0;

    next->info.alias = disk->info.alias; /* borrowed: nodes are named by it */
    if (next->source.format == DISK_FORMAT_NONE_)
        next->source.format = DISK_FORMAT_RAW;
    if (again) /* it may have been given before: once for each time that it is named */
        take_back(domain, def, old, next, false);
    if (storage_is_there(&next->source)) {
        r = start_show_disk(next) < 0 ? error_no_memory(reterr) : 0;
        if (r >= 0)
            r = admit(domain, def, old, next, reterr);
    }
    if (r >= 0) {
        r = swap_medium(domain, disk, next, again, ret_lost, reterr);
        if (!device_is_cut_off(domain)) /* else it may have either */
            take_back(domain, def, old, next, r >= 0);
    }
    next->info.alias = alias;
    return r;
}

static int swap_back(Domain *domain, const DiskDef *disk, const DiskDef *next) {
    CLEANUP(medium_swap_done) MediumSwap swap = {0};
    bool lost = false;
    int r = plan_swap(domain, next, disk, &swap, NULL);

    if (r >= 0)
        r = run_swap(domain, disk, disk, &swap, true, &lost, NULL);
    prepare_secrets_close(domain, &swap.parts);
    prepare_secrets_close(domain, &swap.old_parts);
    return r;
}

/* The drive gets the medium that the live definition has, whatever a change that was cut short has
 * left of it, and of the next one. False: it does not. */
static bool put_back(Domain *domain, const DevicePlace *old, DiskDef *next) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->run->live);
    DiskDef *disk = def ? device_at(def, old) : NULL;
    char *alias = next->info.alias;
    int r;

    if (!disk || !disk_is_removable(disk))
        return disk != NULL;
    next->info.alias = disk->info.alias; /* borrowed: nodes are named by it */
    r = swap_back(domain, disk, next);
    next->info.alias = alias;
    return r >= 0;
}

static int update_disk(Domain *domain, const DevicePlace *old, DiskDef *next, bool again,
                       bool *ret_lost, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->run->live);
    DiskDef *disk, swap;
    int r;

    if (!def)
        return error_no_memory(reterr);
    disk = device_at(def, old);
    if (!disk_is_removable(disk))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "of disk '%s' nothing can be changed while it is there: detach it and "
                            "attach it again",
                            disk->target);
    r = block_check_snapshot(domain, reterr);
    if (r >= 0)
        r = change_medium(domain, def, old, next, again, ret_lost, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    disk = device_at(domain->run->live, old);
    swap = *disk; /* what is below the medium, and opens it, goes with it */
    disk->source = next->source;
    disk->backing = next->backing;
    disk->auth = next->auth;
    disk->encryption = next->encryption;
    next->source = swap.source;
    next->backing = swap.backing;
    next->auth = swap.auth;
    next->encryption = swap.encryption;
    qemu_number_sources(domain->run->live);
    return 0;
}

static int update_medium(Domain *domain, const DevicePlace *old, DiskDef *next, bool again,
                         bool *ret_lost, Error **reterr) {
    int r = update_disk(domain, old, next, again, ret_lost, reterr);

    if (!device_is_cut_off(domain))
        device_host_settle(domain);
    return r;
}

/* ---- a card's link, a display's password ---- */

static int update_interface(Domain *domain, const DevicePlace *old, InterfaceDef *next,
                            Error **reterr) {
    InterfaceDef *interface = device_at(domain->run->live, old);
    bool up = !streq_ptr(next->link, "down");
    Props props = props_new();
    char *swap;
    int r;

    props_text(&props, "name", interface->info.alias);
    props_bool(&props, "up", up);
    r = run_command(domain, "set_link", &props, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    interface = device_at(domain->run->live, old);
    swap = interface->link;
    interface->link = next->link;
    next->link = swap;
    return 0;
}

static int update_graphics(Domain *domain, const DevicePlace *old, GraphicsDef *next,
                           Error **reterr) {
    GraphicsDef *graphics = device_at(domain->run->live, old);
    Props props = props_new();
    char *swap;
    int r;

    props_text(&props, "protocol", words_name(&graphics_types, (int)graphics->type));
    props_text(&props, "password", next->passwd ? next->passwd : "");
    r = run_command(domain, "set_password", &props, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    graphics = device_at(domain->run->live, old);
    swap = graphics->passwd;
    graphics->passwd = next->passwd;
    next->passwd = swap;
    return 0;
}

/* After an error nothing has changed, or *ret_half. */
static int update(Domain *domain, DomainDef *one, const DevicePlace *place, const DevicePlace *old,
                  bool again, bool *ret_half, Error **reterr) {
    void *next = device_at(one, place);
    int r;

    if (place->kind == &disk_kind) {
        r = volume_source_resolve_disk(domain->services->storage, next, reterr);
        if (r >= 0 && !again)
            r = device_check_source(next, reterr);
        if (r >= 0)
            r = domain_check_active(domain, reterr);
        if (r >= 0)
            r = update_medium(domain, old, next, again, ret_half, reterr);
    } else if (place->kind == &interface_kind)
        r = update_interface(domain, old, next, reterr);
    else if (place->kind == &graphics_kind)
        r = update_graphics(domain, old, next, reterr);
    else
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "a <%s> cannot be changed while it is there", place->kind->name);
    if (r < 0)
        return r;
    *ret_half = true;
    return domain_save_status(domain, reterr);
}

int device_update_again(Domain *domain, DomainDef *one, const DevicePlace *place,
                        const DevicePlace *old, Operation *operation, Error **reterr) {
    bool half = false;
    int r;

    assert(domain_job_is_mine(domain));
    r = update(domain, one, place, old, true, &half, reterr);
    if (r < 0 && !half && place->kind == &disk_kind && domain_check_active(domain, NULL) >= 0)
        half = !put_back(domain, old, device_at(one, place));
    if (half)
        operation->device.fails_as = OPERATION_FAILED;
    return r;
}

int device_update_live(Domain *domain, DomainDef *one, const DevicePlace *place,
                       const DevicePlace *old, const DeviceRequest *request, bool config,
                       Operation **ret_operation, Error **reterr) {
    const DeviceInfo *info = device_info_at(domain->run->live, old);
    bool half = false;
    int r = device_operation_begin(domain, request, config,
                                   info && info->alias ? info->alias : place->kind->name, NULL,
                                   ret_operation, reterr);

    if (r < 0)
        return r;
    operation_step(*ret_operation, STEP_SENT);
    r = update(domain, one, place, old, false, &half, reterr);
    if (half)
        (*ret_operation)->device.fails_as = OPERATION_FAILED;
    if (r >= 0)
        operation_step(*ret_operation, STEP_SAVED);
    return r;
}
