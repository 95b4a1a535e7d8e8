/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "node-device-xml.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

#include "conf/element.h"
#include "host/dmi.h"
#include "host/link-features.h"
#include "pci-names.h"
#include "util/file.h"

/* ---- elements ---- */

/* An attribute of the device as an element. */
static void put_attribute(ElementWriter *w, const NodeDevice *device, const char *tag,
                          const char *name) {
    CLEANUP_FREE char *text = node_device_attribute(device, name);

    writer_element(w, tag, text);
}

static void put_number(ElementWriter *w, const NodeDevice *device, const char *tag,
                       const char *name, int base) {
    CLEANUP_FREE char *text = node_device_attribute(device, name);

    if (text)
        writer_elementf(w, tag, "%lu", strtoul(text, NULL, base));
}

/* `<product id='0x1042'>name</product>`. */
static void put_id(ElementWriter *w, const char *tag, const char *id, const char *name) {
    if (!id)
        return;
    writer_open(w, tag);
    writer_attributef(w, "id", "%s%s", strncmp(id, "0x", 2) == 0 ? "" : "0x", id);
    if (name)
        writer_text(w, name);
    writer_close(w, true);
}

/* An element with that attribute and nothing inside. */
static void put_word(ElementWriter *w, const char *tag, const char *name, const char *word) {
    writer_open(w, tag);
    writer_attribute(w, name, word);
    writer_close(w, true);
}

static void open_capability(ElementWriter *w, const char *type) {
    writer_open(w, "capability");
    writer_attribute(w, "type", type);
}

/* ---- the computer ---- */

static bool put_dmi(ElementWriter *w, const char *tag, const char *name) {
    CLEANUP_FREE char *text = NULL;

    if (dmi_read(DMI_DIRECTORY, name, &text) < 0)
        return false;
    writer_element(w, tag, text);
    return true;
}

static void put_system(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *uuid = NULL;
    bool any;

    put_dmi(w, "product", "product_name");
    writer_open(w, "hardware");
    put_dmi(w, "vendor", "sys_vendor");
    put_dmi(w, "version", "product_version");
    put_dmi(w, "serial", "product_serial");
    if (dmi_read(DMI_DIRECTORY, "product_uuid", &uuid) < 0)
        writer_element(w, "uuid", "00000000-0000-0000-0000-000000000000");
    else
        writer_element(w, "uuid", uuid);
    writer_close(w, true);
    writer_open(w, "firmware");
    any = put_dmi(w, "vendor", "bios_vendor");
    any |= put_dmi(w, "version", "bios_version");
    any |= put_dmi(w, "release_date", "bios_date");
    if (!any)
        writer_text(w, "\n    "); /* libvirt's form of an empty one */
    writer_close(w, true);
}

/* ---- PCI ---- */

typedef struct PciAddress {
    unsigned domain, bus, slot, function;
} PciAddress;

static bool parse_address(const char *text, PciAddress *ret) {
    return text &&
           sscanf(text, "%x:%x:%x.%x", &ret->domain, &ret->bus, &ret->slot, &ret->function) == 4;
}

static void put_address(ElementWriter *w, const char *text) {
    PciAddress at;

    if (!parse_address(text, &at))
        return;
    writer_open(w, "address");
    writer_attributef(w, "domain", "0x%04x", at.domain);
    writer_attributef(w, "bus", "0x%02x", at.bus);
    writer_attributef(w, "slot", "0x%02x", at.slot);
    writer_attributef(w, "function", "0x%x", at.function);
    writer_close(w, true);
}

static void put_virtual_functions(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *total = node_device_attribute(device, "sriov_totalvfs");
    CLEANUP_FREE char *physical = node_device_link(device, "physfn");

    if (physical) {
        open_capability(w, "phys_function");
        put_address(w, physical);
        writer_close(w, true);
    }
    if (!total || strtoul(total, NULL, 10) == 0)
        return;
    open_capability(w, "virt_functions");
    writer_attribute(w, "maxCount", total);
    for (unsigned n = 0;; n++) {
        CLEANUP_FREE char *link = strf("virtfn%u", n), *to = NULL;

        to = link ? node_device_link(device, link) : NULL;
        if (!to)
            break;
        put_address(w, to);
    }
    writer_close(w, true);
}

static int compare_entries(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void put_iommu_group(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *group = node_device_link(device, "iommu_group");
    CLEANUP_FREE char *path = strf("%s/iommu_group/devices", device->path);
    struct dirent **entries = NULL;
    int n;

    if (!group || !path)
        return;
    writer_open(w, "iommuGroup");
    writer_attribute(w, "number", group);
    n = scandir(path, &entries, NULL, compare_entries);
    for (int i = 0; i < n; i++) {
        put_address(w, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    writer_close(w, true);
}

/* The first bytes of the device's configuration space (PCI Local Bus 3.0, 6.1): root reads all. */
typedef struct PciConfig {
    char *bytes;
    size_t len;
} PciConfig;

static unsigned config_byte(const PciConfig *config, size_t at) {
    return at < config->len ? (unsigned char)config->bytes[at] : 0;
}

static unsigned config_word(const PciConfig *config, size_t at) {
    return config_byte(config, at) | config_byte(config, at + 1) << 8;
}

/* Where the PCI Express capability is; 0: nowhere. */
static unsigned find_express(const PciConfig *config) {
    unsigned at = config_word(config, 0x06) & 0x10 ? config_byte(config, 0x34) & ~3u : 0;

    for (int steps = 0; at && steps < 48; steps++, at = config_byte(config, at + 1) & ~3u)
        if (config_byte(config, at) == 0x10)
            return at;
    return 0;
}

static void put_link(ElementWriter *w, const char *validity, int port, unsigned bits) {
    static const char *const speeds[] = {NULL, "2.5", "5", "8", "16", "32", "64"};
    const unsigned speed = bits & 0xf;

    writer_open(w, "link");
    writer_attribute(w, "validity", validity);
    if (port >= 0)
        writer_attributef(w, "port", "%d", port);
    if (speed < ARRAY_SIZE(speeds))
        writer_attribute(w, "speed", speeds[speed]);
    writer_attributef(w, "width", "%u", bits >> 4 & 0x3f);
    writer_close(w, true);
}

/* More than 256 bytes say that it is one, too. Parts of the root complex (types 9 and 10) have no
 * link. */
static void put_express(ElementWriter *w, const PciConfig *config) {
    const unsigned at = find_express(config);
    const unsigned type = config_word(config, at + 2) >> 4 & 0xf;

    if (!at && config->len <= 256)
        return;
    writer_open(w, "pci-express");
    if (at && type != 0x9 && type != 0xa) {
        put_link(w, "cap", (int)config_byte(config, at + 0x0f), config_word(config, at + 0x0c));
        put_link(w, "sta", -1, config_word(config, at + 0x12));
    }
    writer_close(w, true);
}

static void put_pci_names(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *vendor = node_device_attribute(device, "vendor");
    CLEANUP_FREE char *product = node_device_attribute(device, "device");
    CLEANUP_FREE char *vendor_name = NULL, *product_name = NULL;

    if (vendor && product)
        pci_names((unsigned)strtoul(vendor, NULL, 16), (unsigned)strtoul(product, NULL, 16),
                  &vendor_name, &product_name);
    put_id(w, "product", product, product_name);
    put_id(w, "vendor", vendor, vendor_name);
}

static void put_pci(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *node = node_device_attribute(device, "numa_node");
    CLEANUP_FREE char *path = strf("%s/config", device->path), *bytes = NULL;
    PciConfig config = {0};
    PciAddress at;

    put_attribute(w, device, "class", "class");
    if (parse_address(strrchr(device->path, '/') + 1, &at)) {
        writer_elementf(w, "domain", "%u", at.domain);
        writer_elementf(w, "bus", "%u", at.bus);
        writer_elementf(w, "slot", "%u", at.slot);
        writer_elementf(w, "function", "%u", at.function);
    }
    put_pci_names(w, device);
    put_virtual_functions(w, device);
    if (path && file_read(path, 8192, &bytes, &config.len) >= 0)
        config.bytes = bytes;
    if ((config_byte(&config, 0x0e) & 0x7f) == 1)
        put_word(w, "capability", "type", "pci-bridge");
    else if ((config_byte(&config, 0x0e) & 0x7f) == 2)
        put_word(w, "capability", "type", "cardbus-bridge");
    put_iommu_group(w, device);
    if (node && *node != '-')
        put_word(w, "numa", "node", node);
    put_express(w, &config);
}

/* ---- USB ---- */

static void put_usb(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *vendor = node_device_attribute(device, "idVendor");
    CLEANUP_FREE char *product = node_device_attribute(device, "idProduct");
    CLEANUP_FREE char *vendor_name = node_device_attribute(device, "manufacturer");
    CLEANUP_FREE char *product_name = node_device_attribute(device, "product");

    put_number(w, device, "bus", "busnum", 10);
    put_number(w, device, "device", "devnum", 10);
    put_id(w, "product", product, product_name);
    put_id(w, "vendor", vendor, vendor_name);
}

static void put_usb_interface(ElementWriter *w, const NodeDevice *device) {
    put_number(w, device, "number", "bInterfaceNumber", 16);
    put_number(w, device, "class", "bInterfaceClass", 16);
    put_number(w, device, "subclass", "bInterfaceSubClass", 16);
    put_number(w, device, "protocol", "bInterfaceProtocol", 16);
    put_attribute(w, device, "description", "interface");
}

/* ---- network ---- */

static void put_net(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *state = node_device_attribute(device, "operstate");
    CLEANUP_FREE char *speed = node_device_attribute(device, "speed");
    CLEANUP_FREE char *type = node_device_property(device, "DEVTYPE");
    const char *name = strrchr(device->path, '/') + 1;
    const unsigned features = link_features(name);

    writer_element(w, "interface", name);
    put_attribute(w, device, "address", "address");
    writer_open(w, "link");
    if (speed && state && streq(state, "up"))
        writer_attributef(w, "speed", "%u", (unsigned)strtol(speed, NULL, 10));
    writer_attribute(w, "state", state ? state : "unknown");
    writer_close(w, true);
    for (unsigned i = 0; i < LINK_FEATURES; i++)
        if (features & 1u << i)
            put_word(w, "feature", "name", link_feature_names[i]);
    put_word(w, "capability", "type", type && streq(type, "wlan") ? "80211" : "80203");
}

/* ---- SCSI ---- */

static void put_scsi_host(ElementWriter *w, const NodeDevice *device) {
    const char *name = strrchr(device->path, '/') + 1;
    CLEANUP_FREE char *id = strf("scsi_host/%s/unique_id", name);

    writer_element(w, "host", name + strlen("host"));
    if (id)
        put_attribute(w, device, "unique_id", id);
}

static void put_scsi_target(ElementWriter *w, const NodeDevice *device) {
    writer_element(w, "target", strrchr(device->path, '/') + 1);
}

static void put_scsi(ElementWriter *w, const NodeDevice *device) {
    static const char *const types[] = {"disk",  "tape",    NULL,   "processor", "worm",
                                        "cdrom", "scanner", "mod",  "changer",   NULL,
                                        NULL,    NULL,      "raid", "enclosure"};
    CLEANUP_FREE char *type = node_device_attribute(device, "type");
    unsigned host, bus, target, lun, number = type ? (unsigned)strtoul(type, NULL, 10) : 99;

    if (sscanf(strrchr(device->path, '/') + 1, "%u:%u:%u:%u", &host, &bus, &target, &lun) == 4) {
        writer_elementf(w, "host", "%u", host);
        writer_elementf(w, "bus", "%u", bus);
        writer_elementf(w, "target", "%u", target);
        writer_elementf(w, "lun", "%u", lun);
    }
    writer_element(w, "type", number < ARRAY_SIZE(types) ? types[number] : NULL);
}

/* ---- what has a file in /dev ---- */

static char *node_of(const NodeDevice *device) {
    CLEANUP_FREE char *name = node_device_property(device, "DEVNAME");

    if (!name)
        return NULL;
    return *name == '/' ? TAKE_PTR(name) : strf("/dev/%s", name);
}

static const char *drive_type(const char *name) {
    return strncmp(name, "sr", 2) == 0 ? "cdrom" : strncmp(name, "fd", 2) == 0 ? "floppy" : "disk";
}

static void put_storage(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *node = node_of(device), *bus = node_device_property(device, "ID_BUS");
    CLEANUP_FREE char *model = node_device_attribute(device, "device/model");
    CLEANUP_FREE char *vendor = node_device_attribute(device, "device/vendor");
    CLEANUP_FREE char *serial = node_device_property(device, "ID_SERIAL");
    CLEANUP_FREE char *removable = node_device_attribute(device, "removable");
    CLEANUP_FREE char *sectors = node_device_attribute(device, "size");
    CLEANUP_FREE char *block = node_device_attribute(device, "queue/logical_block_size");
    const uint64_t size = sectors ? strtoull(sectors, NULL, 10) * 512 : 0;
    const uint64_t block_size = block ? strtoull(block, NULL, 10) : 0;
    const bool can_go = removable && *removable == '1';

    writer_element(w, "block", node);
    writer_element(w, "bus", bus);
    writer_element(w, "drive_type", drive_type(strrchr(device->path, '/') + 1));
    writer_element(w, "model", model);
    writer_element(w, "vendor", vendor);
    writer_element(w, "serial", serial);
    if (can_go) {
        open_capability(w, "removable");
        writer_elementf(w, "media_available", "%d", size > 0);
    }
    writer_elementf(w, can_go ? "media_size" : "size", "%" PRIu64, size);
    if (block_size > 0) {
        writer_elementf(w, "logical_block_size", "%" PRIu64, block_size);
        writer_elementf(w, "num_blocks", "%" PRIu64, size / block_size);
    }
    if (can_go)
        writer_close(w, true);
}

static void put_scsi_generic(ElementWriter *w, const NodeDevice *device) {
    CLEANUP_FREE char *node = node_of(device);

    writer_element(w, "char", node);
}

static void put_drm(ElementWriter *w, const NodeDevice *device) {
    writer_element(w, "type",
                   strncmp(strrchr(device->path, '/') + 1, "card", 4) == 0 ? "primary" : "render");
}

/* ---- the whole ---- */

typedef void (*PutFunc)(ElementWriter *w, const NodeDevice *device);

static const PutFunc puts_of[NODE_DEVICE_KIND_MAX] = {
    [NODE_DEVICE_SYSTEM] = put_system,
    [NODE_DEVICE_PCI] = put_pci,
    [NODE_DEVICE_USB] = put_usb,
    [NODE_DEVICE_USB_INTERFACE] = put_usb_interface,
    [NODE_DEVICE_NET] = put_net,
    [NODE_DEVICE_SCSI_HOST] = put_scsi_host,
    [NODE_DEVICE_SCSI_TARGET] = put_scsi_target,
    [NODE_DEVICE_SCSI] = put_scsi,
    [NODE_DEVICE_STORAGE] = put_storage,
    [NODE_DEVICE_SCSI_GENERIC] = put_scsi_generic,
    [NODE_DEVICE_DRM] = put_drm,
};

static void put_head(ElementWriter *w, const NodeDevices *devices, const NodeDevice *device) {
    const NodeDevice *parent = node_devices_parent(devices, device);
    CLEANUP_FREE char *node = NULL, *driver = NULL;

    writer_element(w, "name", device->name);
    if (!parent)
        return;
    node = node_of(device);
    driver = node_device_link(device, "driver");
    writer_element(w, "path", device->path);
    if (node) {
        writer_open(w, "devnode");
        writer_attribute(w, "type", "dev");
        writer_text(w, node);
        writer_close(w, true);
    }
    writer_element(w, "parent", parent->name);
    writer_open(w, "driver");
    writer_element(w, "name", driver);
    writer_close(w, false);
}

char *node_device_xml(const NodeDevices *devices, const NodeDevice *device) {
    ElementWriter writer = {0};

    writer_open(&writer, "device");
    put_head(&writer, devices, device);
    open_capability(&writer, node_device_kinds[device->kind]);
    puts_of[device->kind](&writer, device);
    writer_close(&writer, true);
    writer_close(&writer, true);
    return element_writer_take(&writer);
}
