/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-host.h"

#include "host/dmi.h"
#include "host/pci.h"
#include "host/vsock.h"
#include "util/worker.h"

/* ---- PCI ---- */

typedef struct Detach {
    const char *address;
    Error **reterr;
} Detach;

static int run_detach(void *arg) {
    const Detach *detach = arg;

    return pci_detach(&pci_this_host, detach->address, detach->reterr);
}

int prepare_pci(Domain *domain, const PciAddress *pci, bool managed, Error **reterr) {
    char address[PCI_ADDRESS_TEXT_SIZE], driver[PCI_DRIVER_SIZE];
    const Made made = {.kind = MADE_PCI, .name = address, .detail = driver};
    int r;

    pci_address_format(pci, address);
    r = pci_driver(&pci_this_host, address, driver);
    if (r == -ENODEV)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': this host has no PCI device %s", domain_name(domain),
                            address);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot read the driver of the PCI device %s",
                            address);
    if (streq(driver, "vfio-pci"))
        return 0;
    if (!managed)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s': Unmanaged PCI device %s must be manually detached from "
                            "the host (bound to vfio-pci), or be managed='yes'",
                            domain_name(domain), address);
    r = start_parts_note(domain, &made, reterr);
    if (r >= 0)
        r = worker_run(run_detach, &(Detach){.address = address, .reterr = reterr});
    if (r < 0)
        error_prefix(reterr, "domain '%s'", domain_name(domain));
    return r;
}

static int prepare_nvme(Domain *domain, const StorageSource *source, Error **reterr) {
    return source->type == DISK_NVME
               ? prepare_pci(domain, &source->nvme_address, source->managed == TRISTATE_YES, reterr)
               : 0;
}

int prepare_nvme_disk(Domain *domain, const DiskDef *disk, Error **reterr) {
    int r = prepare_nvme(domain, &disk->source, reterr);

    for (const BackingStore *at = disk->backing; r >= 0 && at; at = at->next)
        r = prepare_nvme(domain, &at->source, reterr);
    return r;
}

int prepare_pci_devices(Domain *domain, Error **reterr) {
    const DomainDef *live = domain->run->live;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < live->n_disks; i++)
        r = prepare_nvme_disk(domain, &live->disks[i], reterr);

    for (size_t i = 0; r >= 0 && i < live->n_hostdevs; i++) {
        const HostdevDef *hostdev = &live->hostdevs[i];

        if (hostdev->type == HOSTDEV_PCI)
            r = prepare_pci(domain, &hostdev->pci, hostdev->managed == TRISTATE_YES, reterr);
    }
    for (size_t i = 0; r >= 0 && i < live->n_interfaces; i++) {
        const InterfaceDef *interface = &live->interfaces[i];

        if (interface->type == INTERFACE_HOSTDEV && interface->hostdev.type == ADDRESS_PCI)
            r = prepare_pci(domain, &interface->hostdev.pci, interface->managed == TRISTATE_YES,
                            reterr);
    }
    return r;
}

/* ---- vsock ---- */

int prepare_vsock(Domain *domain, StartParts *parts, Error **reterr) {
    VsockDef *vsock = domain->run->live->vsock;
    int fd = -1, r;

    if (!vsock)
        return 0;
    r = vsock_open(vsock->automatic == TRISTATE_YES ? 0 : vsock->cid, &vsock->cid, &fd);
    if (r == -ENOENT)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': the kernel of this host has no vhost-vsock for its "
                            "<vsock>; load it: modprobe vhost_vsock",
                            domain_name(domain));
    if (r == -EADDRINUSE)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "domain '%s': the address of its <vsock>, %u, is another guest's",
                            domain_name(domain), vsock->cid);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot take an address for the <vsock> of '%s'",
                            domain_name(domain));
    parts->parts.vsock_fd = start_parts_add_fd(parts, fd);
    return parts->parts.vsock_fd < 0 ? error_no_memory(reterr) : 0;
}

/* ---- SMBIOS ---- */

static const struct {
    const char *file, *entry;
    unsigned block; /* 0: bios, 1: system, 2: board */
} dmi_rows[] = {{"bios_vendor", "vendor", 0},
                {"bios_version", "version", 0},
                {"bios_date", "date", 0},
                {"bios_release", "release", 0},
                {"sys_vendor", "manufacturer", 1},
                {"product_name", "product", 1},
                {"product_version", "version", 1},
                {"product_serial", "serial", 1},
                {"product_sku", "sku", 1},
                {"product_family", "family", 1},
                {"board_vendor", "manufacturer", 2},
                {"board_name", "product", 2},
                {"board_version", "version", 2},
                {"board_serial", "serial", 2},
                {"board_asset_tag", "asset", 2}};

static int add_entry(SysinfoBlock *block, const char *name, char *value_consume) {
    SysinfoEntry *entry = array_append(&block->entries, &block->n_entries, sizeof(SysinfoEntry));

    if (!entry) {
        free(value_consume);
        return -ENOMEM;
    }
    entry->name = strdup(name);
    entry->value = value_consume;
    return entry->name ? 0 : -ENOMEM;
}

static int run_read_dmi(void *arg) {
    SysinfoDef *sysinfo = arg;
    SysinfoBlock *blocks[] = {sysinfo->bios, sysinfo->system, sysinfo->boards};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(dmi_rows); i++) {
        char *value = NULL;

        r = dmi_read(DMI_DIRECTORY, dmi_rows[i].file, &value);
        if (r >= 0)
            r = add_entry(blocks[dmi_rows[i].block], dmi_rows[i].entry, value);
        else if (r != -ENOMEM)
            r = 0; /* not every firmware says everything */
    }
    return r;
}

static SysinfoDef *new_sysinfo(void) {
    SysinfoDef *sysinfo = calloc(1, sizeof(SysinfoDef));

    if (!sysinfo)
        return NULL;
    sysinfo->bios = calloc(1, sizeof(SysinfoBlock));
    sysinfo->system = calloc(1, sizeof(SysinfoBlock));
    sysinfo->boards = calloc(1, sizeof(SysinfoBlock));
    sysinfo->n_boards = sysinfo->boards != NULL;
    return sysinfo;
}

int prepare_sysinfo(Domain *domain, StartParts *parts, Error **reterr) {
    int r;

    if (!streq_ptr(domain->run->live->os.smbios, "host"))
        return 0;
    if (access(DMI_DIRECTORY, F_OK) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': <smbios mode='host'> cannot be had: the firmware of this "
                            "host says nothing in " DMI_DIRECTORY "; use 'sysinfo'",
                            domain_name(domain));
    parts->sysinfo = new_sysinfo();
    parts->parts.sysinfo = parts->sysinfo;
    if (!parts->sysinfo || !parts->sysinfo->bios || !parts->sysinfo->system ||
        !parts->sysinfo->boards)
        return error_no_memory(reterr);
    r = worker_run(run_read_dmi, parts->sysinfo);
    return r < 0 ? error_no_memory(reterr) : 0;
}
