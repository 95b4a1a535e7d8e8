/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/node-device.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-device.h>
#include <unistd.h>

#include "util/file.h"

#define ATTRIBUTE_MAX (64u << 10)
#define DEVICES_MAX 65536u /* as many as a reply holds */

const char *const node_device_kinds[NODE_DEVICE_KIND_MAX] = {
    "system",      "pci",        "usb_device", "usb",     "net",    "scsi_host",
    "scsi_target", "scsi",       "storage",    "fc_host", "vports", "scsi_generic",
    "drm",         "mdev_types", "mdev",       "ccw",     "css",    "vdpa",
    "ap_card",     "ap_queue",   "ap_matrix",  "vpd"};

/* ---- what a device says ---- */

static char *read_text(const char *path) {
    char *text = NULL;
    size_t len = 0;

    if (!path || file_read(path, ATTRIBUTE_MAX, &text, &len) < 0)
        return NULL;
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

char *node_device_attribute(const NodeDevice *device, const char *name) {
    CLEANUP_FREE char *path = strf("%s/%s", device->path, name);

    return read_text(path);
}

char *node_device_link(const NodeDevice *device, const char *name) {
    CLEANUP_FREE char *path = strf("%s/%s", device->path, name), *to = NULL;

    to = path ? realpath(path, NULL) : NULL;
    return to ? strdup(strrchr(to, '/') + 1) : NULL;
}

/* The value behind "KEY=" at the beginning of a line. */
static char *line_value(const char *text, const char *key) {
    const size_t len = strlen(key);

    for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
        if (strncmp(at, key, len) == 0 && at[len] == '=')
            return strndup(at + len + 1, strcspn(at + len + 1, "\n"));
    return NULL;
}

char *node_device_property(const NodeDevice *device, const char *key) {
    CLEANUP_FREE char *uevent = node_device_attribute(device, "uevent");
    char *found = uevent ? line_value(uevent, key) : NULL;
    sd_device *udev = NULL;
    const char *value = NULL;

    if (found || sd_device_new_from_syspath(&udev, device->path) < 0)
        return found;
    if (sd_device_get_property_value(udev, key, &value) >= 0)
        found = strdup(value);
    sd_device_unref(udev);
    return found;
}

/* ---- names ---- */

typedef struct Source {
    const char *directory; /* below the root */
    const char *prefix;    /* of the names: a subsystem */
    NodeDeviceKind kind;   /* of most */
} Source;

static const Source sources[] = {
    {"sys/bus/pci/devices", "pci", NODE_DEVICE_PCI},
    {"sys/bus/usb/devices", "usb", NODE_DEVICE_USB},
    {"sys/class/net", "net", NODE_DEVICE_NET},
    {"sys/bus/scsi/devices", "scsi", NODE_DEVICE_SCSI},
    {"sys/class/block", "block", NODE_DEVICE_STORAGE},
    {"sys/class/scsi_generic", "scsi_generic", NODE_DEVICE_SCSI_GENERIC},
    {"sys/class/drm", "drm", NODE_DEVICE_DRM},
};

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* A disk of its own: no partition, and none that the kernel makes of others (loop, dm, ram). */
static bool is_disk(const NodeDevice *device, const char *name) {
    static const char *const disks[] = {"sd",     "vd", "hd", "xvd", "nvme",
                                        "mmcblk", "sr", "fd", "pmem"};
    CLEANUP_FREE char *partition = strf("%s/partition", device->path);
    bool known = false;

    for (size_t i = 0; i < ARRAY_SIZE(disks); i++)
        known = known || begins(name, disks[i]);
    return known && partition && access(partition, F_OK) != 0;
}

/* Narrows the kind; false: not one of those that are shown. */
static bool is_shown(NodeDevice *device, const char *name) {
    if (device->kind == NODE_DEVICE_USB && strchr(name, ':'))
        device->kind = NODE_DEVICE_USB_INTERFACE;
    if (device->kind == NODE_DEVICE_SCSI && begins(name, "host"))
        device->kind = NODE_DEVICE_SCSI_HOST;
    if (device->kind == NODE_DEVICE_SCSI && begins(name, "target"))
        device->kind = NODE_DEVICE_SCSI_TARGET;
    if (device->kind == NODE_DEVICE_STORAGE)
        return is_disk(device, name);
    return device->kind != NODE_DEVICE_DRM ||
           ((begins(name, "card") || begins(name, "renderD")) && !strchr(name, '-'));
}

/* What follows the kernel's name in ours: a card's address, a disk's serial; "" or NULL: nothing.
 */
static char *suffix_of(const NodeDevice *device) {
    if (device->kind == NODE_DEVICE_NET)
        return node_device_attribute(device, "address");
    return device->kind == NODE_DEVICE_STORAGE ? node_device_property(device, "ID_SERIAL") : NULL;
}

static char *name_of(const char *prefix, const char *name, const NodeDevice *device) {
    CLEANUP_FREE char *suffix = suffix_of(device);
    const bool more = suffix && *suffix;
    char *text = strf("%s_%s%s%s", prefix, name, more ? "_" : "", more ? suffix : "");

    for (char *at = text; at && *at; at++)
        if (!isalnum((unsigned char)*at))
            *at = '_';
    return text;
}

/* ---- the list ---- */

void node_devices_done(NodeDevices *devices) {
    for (size_t i = 0; i < devices->n; i++) {
        free(devices->list[i].name);
        free(devices->list[i].path);
    }
    free(devices->list);
    *devices = (NodeDevices){0};
}

static int add(NodeDevices *devices, const NodeDevice *device) {
    NodeDevice *bigger;

    if (!device->name)
        return -ENOMEM;
    if ((devices->n & (devices->n - 1)) == 0) { /* a power of two is full */
        bigger = reallocarray(devices->list, devices->n ? devices->n * 2 : 1, sizeof(NodeDevice));
        if (!bigger)
            return -ENOMEM;
        devices->list = bigger;
    }
    devices->list[devices->n++] = *device;
    return 0;
}

/* One that goes meanwhile is left out. */
static int add_found(NodeDevices *devices, const Source *source, const char *directory,
                     const char *name) {
    CLEANUP_FREE char *link = strf("%s/%s", directory, name), *path = NULL, *full = NULL;
    NodeDevice device = {.kind = source->kind};
    int r;

    if (!link)
        return -ENOMEM;
    device.path = path = realpath(link, NULL);
    if (!path)
        return errno == ENOMEM ? -ENOMEM : 0;
    if (!is_shown(&device, name))
        return 0;
    device.name = full = name_of(source->prefix, name, &device);
    r = add(devices, &device);
    if (r >= 0) {
        TAKE_PTR(path);
        TAKE_PTR(full);
    }
    return r;
}

static int add_source(NodeDevices *devices, const char *root, const Source *source) {
    CLEANUP_FREE char *directory = strf("%s/%s", root, source->directory);
    struct dirent *entry;
    DIR *d = directory ? opendir(directory) : NULL;
    int r = directory ? 0 : -ENOMEM;

    while (d && r >= 0 && devices->n < DEVICES_MAX && (entry = readdir(d)))
        if (entry->d_name[0] != '.')
            r = add_found(devices, source, directory, entry->d_name);
    if (d)
        closedir(d);
    return r;
}

static int add_computer(NodeDevices *devices) {
    NodeDevice computer = {
        .name = strdup("computer"), .path = strdup(""), .kind = NODE_DEVICE_SYSTEM};
    int r = computer.path ? add(devices, &computer) : -ENOMEM;

    if (r < 0) {
        free(computer.name);
        free(computer.path);
    }
    return r;
}

static int compare(const void *a, const void *b) {
    return strcmp(((const NodeDevice *)a)->name, ((const NodeDevice *)b)->name);
}

int node_devices_read(const char *root, NodeDevices *ret) {
    CLEANUP_NODE_DEVICES NodeDevices devices = {0};
    int r = add_computer(&devices);

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(sources); i++)
        r = add_source(&devices, root, &sources[i]);
    if (r < 0)
        return r;
    qsort(devices.list, devices.n, sizeof(NodeDevice), compare);
    *ret = devices;
    devices = (NodeDevices){0};
    return 0;
}

const NodeDevice *node_devices_find(const NodeDevices *devices, const char *name) {
    const NodeDevice wanted = {.name = (char *)name};

    return bsearch(&wanted, devices->list, devices->n, sizeof(NodeDevice), compare);
}

const NodeDevice *node_devices_parent(const NodeDevices *devices, const NodeDevice *device) {
    const NodeDevice *best = NULL;
    size_t best_len = 0;

    for (size_t i = 0; device->kind != NODE_DEVICE_SYSTEM && i < devices->n; i++) {
        const NodeDevice *at = &devices->list[i];
        const size_t len = strlen(at->path);

        if (at != device && (!best || len > best_len) && begins(device->path, at->path) &&
            (len == 0 || device->path[len] == '/')) {
            best = at;
            best_len = len;
        }
    }
    return best;
}
