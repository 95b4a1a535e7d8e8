/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a device can be changed while it is there: the medium of a drive, the link of a card, the
 * password of a display. */
#include "domain/files.h"
#include "driver/device-internal.h"
#include "driver/prepare-owner.h"
#include "util/file.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)

static int run_command(Domain *domain, const char *command, Props *props, Error **reterr) {
    json_object *arguments = props_take(props);

    return arguments ? monitor_run(domain->run->monitor, command, arguments,
                                   deadline_in(COMMAND_USEC), NULL, reterr)
                     : error_no_memory(reterr);
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
static int medium_steps(Domain *domain, const DiskDef *disk, DeviceSteps *steps, char node[96],
                        Error **reterr) {
    static const QemuHostParts no_parts;
    const DomainRun *run = domain->run;
    DeviceContext context = {.def = run->live,
                             .caps = run->caps,
                             .machine = qemu_caps_machine(run->caps, run->live->os.machine),
                             .parts = &no_parts};

    return device_blockdevs(&context, disk, steps, node, reterr);
}

static void remove_nodes(Domain *domain, const DeviceSteps *steps, size_t n) {
    while (n-- > 0) {
        json_object *arguments = NULL;
        const char *command = device_step_undo(&steps->steps[n], &arguments);

        if (command)
            monitor_run(domain->run->monitor, command, arguments, deadline_in(COMMAND_USEC), NULL,
                        NULL);
    }
}

static int add_nodes(Domain *domain, const DeviceSteps *steps, Error **reterr) {
    for (size_t i = 0; i < steps->n; i++) {
        json_object *arguments = NULL;
        const char *command = device_step_command(&steps->steps[i], &arguments);
        int r = command ? monitor_run(domain->run->monitor, command, arguments,
                                      deadline_in(COMMAND_USEC), NULL, reterr)
                        : 0;

        if (r < 0) {
            remove_nodes(domain, steps, i);
            return r;
        }
    }
    return 0;
}

static bool is_empty(const StorageSource *source) {
    return !source->path && source->type != DISK_NETWORK;
}

/* The drawer opens by force; an old medium that cannot be followed by the new one comes back. */
static int swap_medium(Domain *domain, const DiskDef *old, const DiskDef *next, Error **reterr) {
    CLEANUP(device_steps_done) DeviceSteps before = {0}, after = {0};
    char old_node[96] = "", node[96] = "";
    Props open = props_new();
    int r = 0;

    if (!is_empty(&old->source))
        r = medium_steps(domain, old, &before, old_node, reterr);
    if (r >= 0 && !is_empty(&next->source))
        r = medium_steps(domain, next, &after, node, reterr);
    if (r < 0 || before.failed || after.failed) {
        json_object_put(props_take(&open));
        return r < 0 ? r : error_no_memory(reterr);
    }
    props_text(&open, "id", old->info.alias);
    props_bool(&open, "force", true);
    r = run_command(domain, "blockdev-open-tray", &open, reterr);
    if (r >= 0 && !is_empty(&old->source))
        r = named(domain, "blockdev-remove-medium", old->info.alias, reterr);
    if (r < 0)
        return r;
    remove_nodes(domain, &before, before.n);
    r = add_nodes(domain, &after, reterr);
    if (r >= 0 && !is_empty(&next->source))
        r = insert(domain, old->info.alias, node, reterr);
    if (r < 0 && add_nodes(domain, &before, NULL) >= 0 && *old_node)
        insert(domain, old->info.alias, old_node, NULL);
    if (r < 0 || !is_empty(&next->source))
        named(domain, "blockdev-close-tray", old->info.alias, NULL);
    return r;
}

static int update_disk(Domain *domain, DiskDef *disk, DiskDef *next, Error **reterr) {
    StorageSource swap;
    char *alias;
    int r;

    if (disk->device != DISK_DEVICE_CDROM && disk->device != DISK_DEVICE_FLOPPY)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "of disk '%s' nothing can be changed while it is there: detach it and "
                            "attach it again",
                            disk->target);
    alias = next->info.alias;
    next->info.alias = disk->info.alias; /* borrowed: nodes are named by it */
    if (next->source.format == DISK_FORMAT_NONE_)
        next->source.format = DISK_FORMAT_RAW;
    r = prepare_owner_attach(domain, next, reterr);
    if (r >= 0) {
        r = swap_medium(domain, disk, next, reterr);
        prepare_owner_detach(domain, r < 0 ? next : disk);
    }
    next->info.alias = alias;
    if (r < 0)
        return r;
    swap = disk->source;
    disk->source = next->source;
    next->source = swap;
    return 0;
}

/* ---- a card's link, a display's password ---- */

static int update_interface(Domain *domain, InterfaceDef *interface, InterfaceDef *next,
                            Error **reterr) {
    bool up = !streq_ptr(next->link, "down");
    Props props = props_new();
    char *swap;
    int r;

    props_text(&props, "name", interface->info.alias);
    props_bool(&props, "up", up);
    r = run_command(domain, "set_link", &props, reterr);
    if (r < 0)
        return r;
    swap = interface->link;
    interface->link = next->link;
    next->link = swap;
    return 0;
}

static int update_graphics(Domain *domain, GraphicsDef *graphics, GraphicsDef *next,
                           Error **reterr) {
    Props props = props_new();
    char *swap;
    int r;

    props_text(&props, "protocol", words_name(&graphics_types, (int)graphics->type));
    props_text(&props, "password", next->passwd ? next->passwd : "");
    r = run_command(domain, "set_password", &props, reterr);
    if (r < 0)
        return r;
    swap = graphics->passwd;
    graphics->passwd = next->passwd;
    next->passwd = swap;
    return 0;
}

int device_update_live(Domain *domain, DomainDef *one, const DevicePlace *place,
                       const DevicePlace *old, Error **reterr) {
    void *device = device_at(domain->run->live, old), *next = device_at(one, place);
    int r;

    if (place->kind == &disk_kind)
        r = update_disk(domain, device, next, reterr);
    else if (place->kind == &interface_kind)
        r = update_interface(domain, device, next, reterr);
    else if (place->kind == &graphics_kind)
        r = update_graphics(domain, device, next, reterr);
    else
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "a <%s> cannot be changed while it is there", place->kind->name);
    return r < 0 ? r : domain_save_status(domain, reterr);
}
