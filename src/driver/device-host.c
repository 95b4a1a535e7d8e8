/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host has to have before a device can be plugged, and its way back. */
#include "domain/files.h"
#include "driver/confine-devices.h"
#include "driver/device-internal.h"
#include "driver/label.h"
#include "driver/prepare-helper.h"
#include "driver/prepare-host.h"
#include "driver/prepare-net.h"
#include "driver/prepare-overlay.h"
#include "driver/prepare-owner.h"
#include "driver/prepare-secret.h"
#include "driver/prepare-undo.h"
#include "driver/prepare-usb.h"
#include "util/file.h"
#include "util/worker.h"

/* ---- made ---- */

static int make_arrays(const DomainDef *def, StartParts *parts, Error **reterr) {
    parts->taps = calloc(def->n_interfaces + 1, sizeof(QemuTap));
    parts->filesystems = calloc(def->n_filesystems + 1, sizeof(char *));
    if (!parts->taps || !parts->filesystems)
        return error_no_memory(reterr);
    parts->n_filesystems = def->n_filesystems;
    parts->parts.taps = parts->taps;
    parts->parts.filesystems = (const char *const *)parts->filesystems;
    return 0;
}

static int make_interface(Domain *domain, InterfaceDef *interface, StartParts *parts, QemuTap *tap,
                          Error **reterr) {
    if (interface->type == INTERFACE_HOSTDEV && interface->hostdev.type == ADDRESS_PCI)
        return prepare_pci(domain, &interface->hostdev.pci, interface->managed == TRISTATE_YES,
                           reterr);
    tap->named = true;
    return prepare_interface(domain, interface, parts, tap, reterr);
}

static int make_disk(Domain *domain, DomainDef *def, DiskDef *disk, StartParts *parts,
                     Error **reterr) {
    int r = prepare_overlay(domain, def, disk, reterr);

    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = prepare_nvme_disk(domain, disk, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = prepare_reservations(domain, disk, parts, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    return r < 0 ? r : prepare_disk_secrets(domain, disk, parts, reterr);
}

static int make(Domain *domain, DomainDef *def, const DevicePlace *place, StartParts *parts,
                Error **reterr) {
    void *device = device_at(def, place);
    HostdevDef *hostdev = device;

    if (place->kind == &disk_kind)
        return make_disk(domain, def, device, parts, reterr);
    if (place->kind == &interface_kind)
        return make_interface(domain, device, parts, &parts->taps[place->index], reterr);
    if (place->kind == &filesystem_kind)
        return prepare_filesystem(domain, device, &parts->filesystems[place->index], reterr);
    if (place->kind == &hostdev_kind && hostdev->type == HOSTDEV_PCI)
        return prepare_pci(domain, &hostdev->pci, hostdev->managed == TRISTATE_YES, reterr);
    if (place->kind == &hostdev_kind && hostdev->type == HOSTDEV_USB)
        return prepare_usb(domain, hostdev, reterr);
    return 0;
}

typedef struct Admit {
    pid_t pid;
    const QemuConfine *confine;
} Admit;

static int run_admit(void *arg) {
    const Admit *admit = arg;

    return qemu_confine_add(admit->pid, admit->confine);
}

/* What the settings say of a new QEMU, for the user and the /dev that this one has. */
static int plan_admission(Domain *domain, const DomainDef *def, ConfinePlan *plan, Error **reterr) {
    int r = confinement_plan(domain->services->confinement, def, domain->run->caps, plan, reterr);

    if (r >= 0)
        r = domain_check_active(domain, reterr);
    return r < 0 ? r : prepare_owner_running(domain, plan, reterr);
}

/* All but the owners of files. */
static int admit(Domain *domain, const DomainDef *def, const char *what, StartParts *parts,
                 Error **reterr) {
    int r;

    assert(domain_job_is_mine(domain));
    r = plan_admission(domain, def, &parts->confine, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    r = worker_run(run_admit, &(Admit){domain->run->pid.pid, &parts->confine.confine});
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r,
                            "cannot make the nodes of a <%s> in the /dev of domain '%s'", what,
                            domain_name(domain));
    parts->confine.confine.private_dev = r > 0;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = confine_devices_add(domain, &parts->confine, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = label_admit(domain, def, reterr);
    return r < 0 ? r : domain_check_active(domain, reterr);
}

int device_host_admit(Domain *domain, const DomainDef *def, const DevicePlace *place,
                      StartParts *parts, Error **reterr) {
    int r = admit(domain, def, place->kind->name, parts, reterr);

    if (r >= 0)
        r = prepare_owner_attach(domain, place->kind, device_at(def, place), parts, reterr);
    parts->files_given = r >= 0;
    return r;
}

int device_host_admit_jobs(Domain *domain, Error **reterr) {
    CLEANUP(start_parts_done) StartParts parts = {0};
    CLEANUP_DOMAIN_DEF DomainDef *live = domain_def_copy(domain->run->live);
    int r = live ? admit(domain, live, disk_kind.name, &parts, reterr) : error_no_memory(reterr);

    return r < 0 ? r : prepare_owner_jobs(domain, &parts, reterr);
}

int device_host_make(Domain *domain, DomainDef *def, const DevicePlace *place, StartParts *parts,
                     Error **reterr) {
    int r = make_arrays(def, parts, reterr);

    assert(domain_job_is_mine(domain));
    if (r >= 0)
        r = make(domain, def, place, parts, reterr);
    return r < 0 ? r : device_host_admit(domain, def, place, parts, reterr);
}

int device_host_pretend(const DomainDef *def, StartParts *parts, Error **reterr) {
    int r = make_arrays(def, parts, reterr);

    for (size_t i = 0; r >= 0 && i < def->n_interfaces; i++)
        parts->taps[i].n_fds = 1;
    for (size_t i = 0; r >= 0 && i < def->n_filesystems; i++) {
        parts->filesystems[i] = strdup("");
        r = parts->filesystems[i] ? 0 : error_no_memory(reterr);
    }
    return r;
}

void device_host_settle(Domain *domain) {
    assert(domain_job_is_mine(domain));
    confine_devices_settle(domain);
    label_settle(domain);
}

void device_host_settle_jobs(Domain *domain) {
    assert(domain_job_is_mine(domain));
    prepare_owner_settle_jobs(domain);
    device_host_settle(domain);
}

/* ---- descriptors ---- */

static json_object *fd_name(unsigned i) {
    Props props = props_new();

    props_textf(&props, "fdname", QEMU_FD_NAME "%u", QEMU_FIRST_FD + i);
    return props_take(&props);
}

int device_host_give_fds(Domain *domain, const StartParts *parts, Error **reterr) {
    assert(domain_job_is_mine(domain));
    for (unsigned i = 0; i < parts->n_fds; i++) {
        json_object *arguments = fd_name(i);
        int r = arguments ? monitor_give_fds(domain->run->monitor, &parts->fds[i], 1,
                                             device_command_deadline(domain))
                          : -ENOMEM;

        if (r < 0) {
            json_object_put(arguments);
            return error_system(reterr, FROM_QEMU, r,
                                "cannot hand a descriptor to the QEMU of domain '%s'",
                                domain_name(domain));
        }
        r = device_tell(domain, "getfd", arguments, reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

void device_host_take_fds(Domain *domain, const StartParts *parts) {
    for (unsigned i = 0; i < parts->n_fds && domain->run; i++) {
        json_object *arguments = fd_name(i);

        if (arguments)
            device_tell(domain, "closefd", arguments, NULL);
    }
}

void device_host_forget_fds(Domain *domain) {
    assert(domain_job_is_mine(domain));
    for (unsigned i = 0; i < QEMU_FDS_MAX && domain->run; i++) {
        json_object *arguments = fd_name(i);

        if (!arguments || device_tell(domain, "closefd", arguments, NULL) < 0)
            return;
    }
}

/* ---- the way back ---- */

static void release_pci(Domain *domain, const PciAddress *pci) {
    char address[PCI_ADDRESS_TEXT_SIZE];

    pci_address_format(pci, address);
    prepare_undo_one(&domain->services->paths, domain->run->live->uuid, MADE_PCI, address);
}

static bool is_on(const StorageSource *source, const PciAddress *pci) {
    return source->type == DISK_NVME && pci_address_equal(&source->nvme_address, pci);
}

static bool uses_pci(const DiskDef *disk, const PciAddress *pci) {
    bool uses = is_on(&disk->source, pci);

    for (const BackingStore *at = disk->backing; at; at = at->next)
        uses |= is_on(&at->source, pci);
    return uses;
}

/* Another disk may be another namespace of it. */
static void release_nvme(Domain *domain, const DomainDef *def, const DiskDef *disk,
                         const StorageSource *source) {
    if (source->type != DISK_NVME || !domain->run)
        return;
    for (size_t i = 0; i < def->n_disks; i++)
        if (&def->disks[i] != disk && uses_pci(&def->disks[i], &source->nvme_address))
            return;
    release_pci(domain, &source->nvme_address);
}

static void release_reservations(Domain *domain, const DiskDef *disk) {
    const StorageReservations *reservations = disk->source.reservations;
    CLEANUP_FREE char *socket = NULL;

    if (!reservations || reservations->managed != TRISTATE_YES || !domain->run)
        return;
    socket = prepare_reservations_socket(domain, disk);
    prepare_undo_one(&domain->services->paths, domain->run->live->uuid, MADE_PROCESS, socket);
}

/* It is noted twice: before it was there, and as it was then. */
static void release_overlay(Domain *domain, const DomainDef *def, const DiskDef *disk) {
    CLEANUP_FREE char *path = prepare_overlay_path(domain, def, disk);

    for (int i = 0; i < 2 && domain->run; i++)
        prepare_undo_one(&domain->services->paths, domain->run->live->uuid, MADE_OVERLAY, path);
}

static void release_disk(Domain *domain, const DomainDef *def, const DiskDef *disk) {
    release_overlay(domain, def, disk);
    release_reservations(domain, disk);
    release_nvme(domain, def, disk, &disk->source);
    for (const BackingStore *at = disk->backing; at; at = at->next)
        release_nvme(domain, def, disk, &at->source);
}

static void release_interface(Domain *domain, const InterfaceDef *interface) {
    const ServicePaths *paths = &domain->services->paths;
    const uint8_t *uuid = domain->run->live->uuid;

    if (interface->type == INTERFACE_HOSTDEV && interface->hostdev.type == ADDRESS_PCI)
        release_pci(domain, &interface->hostdev.pci);
    prepare_undo_one(paths, uuid, MADE_SWITCH_PORT, interface->target);
    if (interface->type == INTERFACE_DIRECT)
        prepare_undo_one(paths, uuid, MADE_MACVTAP, interface->target);
}

void device_host_release(Domain *domain, DomainDef *def, const DevicePlace *place, bool files) {
    const ServicePaths *paths = &domain->services->paths;
    const void *device = device_at(def, place);
    CLEANUP_FREE char *socket = NULL;

    assert(domain_job_is_mine(domain));
    if (!domain->run)
        return; /* its end has taken everything back */
    if (files)
        prepare_owner_detach(domain, def, place->kind, device);
    if (place->kind == &disk_kind)
        release_disk(domain, def, device);
    if (place->kind == &interface_kind)
        release_interface(domain, device);
    if (place->kind == &hostdev_kind && ((const HostdevDef *)device)->type == HOSTDEV_PCI)
        release_pci(domain, &((const HostdevDef *)device)->pci);
    if (place->kind == &filesystem_kind) {
        socket = domain_helper_socket(domain, ((const FilesystemDef *)device)->info.alias);
        prepare_undo_one(paths, def->uuid, MADE_PROCESS, socket);
    }
}
