/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/pci.h"

#include <fcntl.h>

#include "util/file.h"

#define VFIO "vfio-pci"

static int write_really(const char *path, const char *text, void *userdata) {
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

const PciHost pci_this_host = {.root = "/sys", .write = write_really};

static int put(const PciHost *host, const char *path, const char *text) {
    return path ? host->write(path, text, host->userdata) : -ENOMEM;
}

static char *device_file(const PciHost *host, const char *address, const char *file) {
    return strf("%s/bus/pci/devices/%s/%s", host->root, address, file);
}

int pci_driver(const PciHost *host, const char *address, char ret[PCI_DRIVER_SIZE]) {
    CLEANUP_FREE char *device = device_file(host, address, ""), *link = NULL;
    char target[512];
    const char *name;
    ssize_t n;

    link = device_file(host, address, "driver");
    if (!device || !link)
        return -ENOMEM;
    if (access(device, F_OK) < 0)
        return -ENODEV;
    *ret = '\0';
    n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return errno == ENOENT ? 0 : -errno;
    target[n] = '\0';
    name = strrchr(target, '/');
    name = name ? name + 1 : target;
    if (strlen(name) >= PCI_DRIVER_SIZE)
        return -ENAMETOOLONG;
    memcpy(ret, name, strlen(name) + 1);
    return 0;
}

/* The override decides who takes the device when the kernel looks for a driver; "\n" is none. */
static int rebind(const PciHost *host, const char *address, const char *override) {
    CLEANUP_FREE char *choice = device_file(host, address, "driver_override");
    CLEANUP_FREE char *leave = device_file(host, address, "driver/unbind");
    CLEANUP_FREE char *look = strf("%s/bus/pci/drivers_probe", host->root);
    char driver[PCI_DRIVER_SIZE];
    int r = put(host, choice, override);

    if (r >= 0)
        r = pci_driver(host, address, driver);
    if (r >= 0 && *driver)
        r = put(host, leave, address);
    return r < 0 ? r : put(host, look, address);
}

static int report_step(const char *address, int r, Error **reterr) {
    return error_system(reterr, FROM_NODEDEV, r, "cannot bind the PCI device %s to " VFIO, address);
}

int pci_detach(const PciHost *host, const char *address, Error **reterr) {
    CLEANUP_FREE char *module = strf("%s/bus/pci/drivers/" VFIO, host->root);
    char before[PCI_DRIVER_SIZE], after[PCI_DRIVER_SIZE];
    int r = module ? pci_driver(host, address, before) : -ENOMEM;

    if (r == -ENODEV)
        return error_report(reterr, FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                            "this host has no PCI device %s", address);
    if (r < 0)
        return report_step(address, r, reterr);
    if (streq(before, VFIO))
        return 0;
    if (access(module, F_OK) < 0)
        return error_report(reterr, FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                            "the kernel of this host has no driver " VFIO " for the PCI device %s; "
                            "load it: modprobe " VFIO,
                            address);
    r = rebind(host, address, VFIO);
    if (r >= 0)
        r = pci_driver(host, address, after);
    if (r >= 0 && streq(after, VFIO))
        return 0;
    rebind(host, address, "\n");
    if (r < 0)
        return report_step(address, r, reterr);
    return error_report(reterr, FROM_NODEDEV, ERROR_OPERATION_FAILED,
                        "the PCI device %s was not taken by " VFIO
                        ": is the IOMMU on (intel_iommu=on, amd_iommu=on)?",
                        address);
}

int pci_reattach(const PciHost *host, const char *address, const char *driver) {
    char now[PCI_DRIVER_SIZE];
    int r = pci_driver(host, address, now);

    if (r < 0 || !streq(now, VFIO) || streq(driver, VFIO))
        return r == -ENODEV ? 0 : r;
    return rebind(host, address, "\n");
}
