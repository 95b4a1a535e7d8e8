/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU has in itself, or on a bus that takes and gives nothing, can neither come nor go while
 * the machine runs. libvirt's sentences. */
#include <unistd.h>

#include "driver/device-internal.h"
#include "util/worker.h"

static const char *verb_name(DeviceVerb verb) {
    static const char *const names[] = {[DEVICE_VERB_ATTACH] = "attach",
                                        [DEVICE_VERB_DETACH] = "detach",
                                        [DEVICE_VERB_UPDATE] = "update"};

    return names[verb];
}

int device_check_kind(const DeviceKind *kind, DeviceVerb verb, bool live, Error **reterr) {
    static const DeviceKind *const fixed[] = {&bridge_kind, &hub_kind,   &audio_kind,
                                              &tpm_kind,    &video_kind, &panic_kind};
    static const DeviceKind *const changeable[] = {&disk_kind, &interface_kind, &graphics_kind,
                                                   &memory_kind, &memballoon_kind};
    bool can = kind->array || (kind == &vsock_kind && !live), known = verb != DEVICE_VERB_UPDATE;

    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        can &= kind != fixed[i];
    /* A display is no device of QEMU's: it is there until the end. */
    can &= !live || verb != DEVICE_VERB_DETACH || kind != &graphics_kind;
    for (size_t i = 0; i < ARRAY_SIZE(changeable); i++)
        known |= kind == changeable[i];
    if (verb == DEVICE_VERB_UPDATE && !(can && known))
        return error_report(
            reterr, FROM_QEMU, live ? ERROR_CONFIG_UNSUPPORTED : ERROR_OPERATION_UNSUPPORTED,
            "%s update of device '%s' is not supported", live ? "live" : "persistent", kind->name);
    return can ? 0
               : error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                              "%s %s of device '%s' is not supported: change the definition, it "
                              "takes effect at the next start",
                              live ? "live" : "persistent", verb_name(verb), kind->name);
}

/* One without a bus gets it with its defaults. */
static int check_disk(const DiskDef *disk, DeviceVerb verb, Error **reterr) {
    if (disk->bus == DISK_BUS_NONE_ || disk->bus == DISK_BUS_VIRTIO || disk->bus == DISK_BUS_SCSI ||
        disk->bus == DISK_BUS_USB)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                        "disk bus '%s' cannot be hot%splugged: '%s' can only come and go with "
                        "--config",
                        words_name(&disk_buses, (int)disk->bus),
                        verb == DEVICE_VERB_ATTACH ? "" : "un", disk->target);
}

static int check_input(const InputDef *input, DeviceVerb verb, Error **reterr) {
    if (input->type != INPUT_EVDEV &&
        (input->bus == INPUT_BUS_NONE_ || input->bus == INPUT_BUS_USB ||
         input->bus == INPUT_BUS_VIRTIO))
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "input device on bus '%s' cannot be hot %splugged",
                        input->type == INPUT_EVDEV ? "none"
                                                   : words_name(&input_buses, (int)input->bus),
                        verb == DEVICE_VERB_ATTACH ? "" : "un");
}

/* QEMU's network has it from the start. */
static int check_chardev(const ChardevDef *chardev, DeviceVerb verb, Error **reterr) {
    if (!streq_ptr(chardev->target_type, "guestfwd"))
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                        "a <channel> with target type 'guestfwd' cannot be hot %splugged: it can "
                        "only come and go with --config",
                        verb == DEVICE_VERB_ATTACH ? "" : "un");
}

static bool hangs_on(const DeviceInfo *info, const ControllerDef *controller) {
    return info->address.type == ADDRESS_DRIVE &&
           (int)info->address.controller == controller->index;
}

/* Whether a disk, or a SCSI device of the host, is on this SCSI controller. */
static bool is_busy(const DomainDef *def, const ControllerDef *controller) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].bus == DISK_BUS_SCSI && hangs_on(&def->disks[i].info, controller))
            return true;
    for (size_t i = 0; i < def->n_hostdevs; i++)
        if (hangs_on(&def->hostdevs[i].info, controller))
            return true;
    return false;
}

static int check_controller(const DomainDef *def, const ControllerDef *controller, DeviceVerb verb,
                            Error **reterr) {
    if (controller->type != CONTROLLER_SCSI)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "'%s' controller cannot be hot %splugged.",
                            words_name(&controller_types, (int)controller->type),
                            verb == DEVICE_VERB_ATTACH ? "" : "un");
    if (verb == DEVICE_VERB_DETACH && is_busy(def, controller))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "device cannot be detached: device is busy: the SCSI controller %d has "
                            "devices, detach them first",
                            controller->index);
    return 0;
}

/* The slots of a PCI Express root are the machine's own. */
static int check_bus(const DomainDef *def, const DeviceInfo *info, const char *name,
                     Error **reterr) {
    const ControllerDef *root = device_controller(def, CONTROLLER_PCI, 0);

    if (!info || info->address.type != ADDRESS_PCI || info->address.pci.bus != 0 || !root ||
        !streq_ptr(root->model, "pcie-root"))
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "a <%s> cannot be hot plugged into PCI bus 0, whose model is 'pcie-root': "
                        "it needs a free pcie-root-port or a pcie-to-pci-bridge",
                        name);
}

int device_check_live(const DomainDef *def, const DevicePlace *place, DeviceVerb verb,
                      Error **reterr) {
    const void *device = device_at(def, place);
    int r = 0;

    if (place->kind == &disk_kind)
        r = check_disk(device, verb, reterr);
    if (place->kind == &input_kind)
        r = check_input(device, verb, reterr);
    if (place->kind == &chardev_kind)
        r = check_chardev(device, verb, reterr);
    if (place->kind == &controller_kind)
        r = check_controller(def, device, verb, reterr);
    return r < 0 || verb != DEVICE_VERB_ATTACH
               ? r
               : check_bus(def, device_info_at(def, place), place->kind->name, reterr);
}

typedef struct Source {
    const char *path;
    int error;
} Source;

static int run_look(void *arg) {
    Source *source = arg;

    source->error = access(source->path, F_OK) < 0 ? errno : 0;
    return 0;
}

int device_check_source(const DiskDef *disk, Error **reterr) {
    const StorageSource *of = &disk->source;
    CLEANUP_FREE char *path = NULL;
    Source source = {0};

    if (!storage_is_local(of) && of->type != DISK_VHOSTUSER)
        return 0;
    source.path = path = strdup(of->path);
    if (!path)
        return error_no_memory(reterr);
    worker_run(run_look, &source);
    return source.error ? error_system(reterr, FROM_QEMU, source.error,
                                       "Cannot access storage file '%s'", path)
                        : 0;
}
