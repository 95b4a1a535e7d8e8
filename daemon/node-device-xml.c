/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "node-device-xml.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

#include "host/dmi.h"
#include "host/link-features.h"
#include "pci-names.h"
#include "util/file.h"
#include "util/text.h"

/* ---- lines ---- */

static void put_escaped(FILE *f, const char *text) {
    for (const char *at = text; *at; at++) {
        if (*at == '<')
            fputs("&lt;", f);
        else if (*at == '>')
            fputs("&gt;", f);
        else if (*at == '&')
            fputs("&amp;", f);
        else if ((unsigned char)*at >= ' ' || *at == '\t')
            fputc(*at, f);
    }
}

/* Nothing of a text that is not there. */
static void put(FILE *f, int indent, const char *tag, const char *text) {
    if (!text)
        return;
    fprintf(f, "%*s<%s>", indent, "", tag);
    put_escaped(f, text);
    fprintf(f, "</%s>\n", tag);
}

/* An attribute of the device as an element. */
static void put_attribute(FILE *f, const NodeDevice *device, const char *tag, const char *name) {
    CLEANUP_FREE char *text = node_device_attribute(device, name);

    put(f, 4, tag, text);
}

static void put_number(FILE *f, const NodeDevice *device, const char *tag, const char *name,
                       int base) {
    CLEANUP_FREE char *text = node_device_attribute(device, name);

    if (text)
        fprintf(f, "    <%s>%lu</%s>\n", tag, strtoul(text, NULL, base), tag);
}

/* `<product id='0x1042'>name</product>`. */
static void put_id(FILE *f, const char *tag, const char *id, const char *name) {
    if (!id)
        return;
    fprintf(f, "    <%s id='%s%s'", tag, strncmp(id, "0x", 2) == 0 ? "" : "0x", id);
    if (name) {
        fputc('>', f);
        put_escaped(f, name);
        fprintf(f, "</%s>\n", tag);
    } else {
        fputs("/>\n", f);
    }
}

/* ---- the computer ---- */

static void put_dmi(FILE *f, const char *tag, const char *name, int indent) {
    CLEANUP_FREE char *text = NULL;

    if (dmi_read(DMI_DIRECTORY, name, &text) >= 0)
        put(f, indent, tag, text);
}

static void put_system(FILE *f, const NodeDevice *device) {
    CLEANUP_FREE char *uuid = NULL;

    put_dmi(f, "product", "product_name", 4);
    fputs("    <hardware>\n", f);
    put_dmi(f, "vendor", "sys_vendor", 6);
    put_dmi(f, "version", "product_version", 6);
    put_dmi(f, "serial", "product_serial", 6);
    if (dmi_read(DMI_DIRECTORY, "product_uuid", &uuid) < 0)
        put(f, 6, "uuid", "00000000-0000-0000-0000-000000000000");
    else
        put(f, 6, "uuid", uuid);
    fputs("    </hardware>\n    <firmware>\n", f);
    put_dmi(f, "vendor", "bios_vendor", 6);
    put_dmi(f, "version", "bios_version", 6);
    put_dmi(f, "release_date", "bios_date", 6);
    fputs("    </firmware>\n", f);
}

/* ---- PCI ---- */

typedef struct PciAddress {
    unsigned domain, bus, slot, function;
} PciAddress;

static bool parse_address(const char *text, PciAddress *ret) {
    return text &&
           sscanf(text, "%x:%x:%x.%x", &ret->domain, &ret->bus, &ret->slot, &ret->function) == 4;
}

static void put_address(FILE *f, const char *text, int indent) {
    PciAddress at;

    if (parse_address(text, &at))
        fprintf(f, "%*s<address domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>\n",
                indent, "", at.domain, at.bus, at.slot, at.function);
}

static void put_virtual_functions(FILE *f, const NodeDevice *device) {
    CLEANUP_FREE char *total = node_device_attribute(device, "sriov_totalvfs");
    CLEANUP_FREE char *physical = node_device_link(device, "physfn");
    unsigned n = 0;

    if (physical) {
        fputs("    <capability type='phys_function'>\n", f);
        put_address(f, physical, 6);
        fputs("    </capability>\n", f);
    }
    if (!total || strtoul(total, NULL, 10) == 0)
        return;
    for (;; n++) {
        CLEANUP_FREE char *link = strf("virtfn%u", n), *to = NULL;

        to = link ? node_device_link(device, link) : NULL;
        if (!to)
            break;
        if (n == 0)
            fprintf(f, "    <capability type='virt_functions' maxCount='%s'>\n", total);
        put_address(f, to, 6);
    }
    if (n == 0)
        fprintf(f, "    <capability type='virt_functions' maxCount='%s'/>\n", total);
    else
        fputs("    </capability>\n", f);
}

static int compare_entries(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void put_iommu_group(FILE *f, const NodeDevice *device) {
    CLEANUP_FREE char *group = node_device_link(device, "iommu_group");
    CLEANUP_FREE char *path = strf("%s/iommu_group/devices", device->path);
    struct dirent **entries = NULL;
    int n;

    if (!group || !path)
        return;
    fprintf(f, "    <iommuGroup number='%s'>\n", group);
    n = scandir(path, &entries, NULL, compare_entries);
    for (int i = 0; i < n; i++) {
        put_address(f, entries[i]->d_name, 6);
        free(entries[i]);
    }
    free(entries);
    fputs("    </iommuGroup>\n", f);
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

static void put_link(FILE *f, const char *validity, int port, unsigned bits) {
    static const char *const speeds[] = {NULL, "2.5", "5", "8", "16", "32", "64"};
    const unsigned speed = bits & 0xf;

    fprintf(f, "      <link validity='%s'", validity);
    if (port >= 0)
        fprintf(f, " port='%d'", port);
    if (speed > 0 && speed < ARRAY_SIZE(speeds))
        fprintf(f, " speed='%s'", speeds[speed]);
    fprintf(f, " width='%u'/>\n", bits >> 4 & 0x3f);
}

/* More than 256 bytes say that it is one, too. Parts of the root complex (types 9 and 10) have no
 * link. */
static void put_express(FILE *f, const PciConfig *config) {
    const unsigned at = find_express(config);
    const unsigned type = config_word(config, at + 2) >> 4 & 0xf;

    if (!at && config->len <= 256)
        return;
    if (!at || type == 0x9 || type == 0xa) {
        fputs("    <pci-express/>\n", f);
        return;
    }
    fputs("    <pci-express>\n", f);
    put_link(f, "cap", (int)config_byte(config, at + 0x0f), config_word(config, at + 0x0c));
    put_link(f, "sta", -1, config_word(config, at + 0x12));
    fputs("    </pci-express>\n", f);
}

static void put_pci_names(FILE *f, const NodeDevice *device) {
    CLEANUP_FREE char *vendor = node_device_attribute(device, "vendor");
    CLEANUP_FREE char *product = node_device_attribute(device, "device");
    CLEANUP_FREE char *vendor_name = NULL, *product_name = NULL;

    if (vendor && product)
        pci_names((unsigned)strtoul(vendor, NULL, 16), (unsigned)strtoul(product, NULL, 16),
                  &vendor_name, &product_name);
    put_id(f, "product", product, product_name);
    put_id(f, "vendor", vendor, vendor_name);
}

static void put_pci(FILE *f, const NodeDevice *device) {
    CLEANUP_FREE char *node = node_device_attribute(device, "numa_node");
    CLEANUP_FREE char *path = strf("%s/config", device->path), *bytes = NULL;
    PciConfig config = {0};
    PciAddress at;

    put_attribute(f, device, "class", "class");
    if (parse_address(strrchr(device->path, '/') + 1, &at))
        fprintf(f,
                "    <domain>%u</domain>\n    <bus>%u</bus>\n    <slot>%u</slot>\n"
                "    <function>%u</function>\n",
                at.domain, at.bus, at.slot, at.function);
    put_pci_names(f, device);
    put_virtual_functions(f, device);
    if (path && file_read(path, 8192, &bytes, &config.len) >= 0)
        config.bytes = bytes;
    if ((config_byte(&config, 0x0e) & 0x7f) == 1)
        fputs("    <capability type='pci-bridge'/>\n", f);
    else if ((config_byte(&config, 0x0e) & 0x7f) == 2)
        fputs("    <capability type='cardbus-bridge'/>\n", f);
    put_iommu_group(f, device);
    if (node && *node != '-')
        fprintf(f, "    <numa node='%s'/>\n", node);
    put_express(f, &config);
}

/* ---- USB ---- */

static void put_usb(FILE *f, const NodeDevice *device) {
    CLEANUP_FREE char *vendor = node_device_attribute(device, "idVendor");
    CLEANUP_FREE char *product = node_device_attribute(device, "idProduct");
    CLEANUP_FREE char *vendor_name = node_device_attribute(device, "manufacturer");
    CLEANUP_FREE char *product_name = node_device_attribute(device, "product");

    put_number(f, device, "bus", "busnum", 10);
    put_number(f, device, "device", "devnum", 10);
    put_id(f, "product", product, product_name);
    put_id(f, "vendor", vendor, vendor_name);
}

static void put_usb_interface(FILE *f, const NodeDevice *device) {
    put_number(f, device, "number", "bInterfaceNumber", 16);
    put_number(f, device, "class", "bInterfaceClass", 16);
    put_number(f, device, "subclass", "bInterfaceSubClass", 16);
    put_number(f, device, "protocol", "bInterfaceProtocol", 16);
    put_attribute(f, device, "description", "interface");
}

/* ---- network ---- */

static void put_net(FILE *f, const NodeDevice *device) {
    CLEANUP_FREE char *state = node_device_attribute(device, "operstate");
    CLEANUP_FREE char *speed = node_device_attribute(device, "speed");
    CLEANUP_FREE char *type = node_device_property(device, "DEVTYPE");
    const char *name = strrchr(device->path, '/') + 1;
    const unsigned features = link_features(name);

    put(f, 4, "interface", name);
    put_attribute(f, device, "address", "address");
    fputs("    <link", f);
    if (speed && state && streq(state, "up"))
        fprintf(f, " speed='%u'", (unsigned)strtol(speed, NULL, 10));
    fprintf(f, " state='%s'/>\n", state ? state : "unknown");
    for (unsigned i = 0; i < LINK_FEATURES; i++)
        if (features & 1u << i)
            fprintf(f, "    <feature name='%s'/>\n", link_feature_names[i]);
    fprintf(f, "    <capability type='%s'/>\n", type && streq(type, "wlan") ? "80211" : "80203");
}

/* ---- SCSI ---- */

static void put_scsi_host(FILE *f, const NodeDevice *device) {
    const char *name = strrchr(device->path, '/') + 1;
    CLEANUP_FREE char *id = strf("scsi_host/%s/unique_id", name);

    fprintf(f, "    <host>%s</host>\n", name + strlen("host"));
    if (id)
        put_attribute(f, device, "unique_id", id);
}

static void put_scsi_target(FILE *f, const NodeDevice *device) {
    put(f, 4, "target", strrchr(device->path, '/') + 1);
}

static void put_scsi(FILE *f, const NodeDevice *device) {
    static const char *const types[] = {"disk",  "tape",    NULL,   "processor", "worm",
                                        "cdrom", "scanner", "mod",  "changer",   NULL,
                                        NULL,    NULL,      "raid", "enclosure"};
    CLEANUP_FREE char *type = node_device_attribute(device, "type");
    unsigned host, bus, target, lun, number = type ? (unsigned)strtoul(type, NULL, 10) : 99;

    if (sscanf(strrchr(device->path, '/') + 1, "%u:%u:%u:%u", &host, &bus, &target, &lun) == 4)
        fprintf(f,
                "    <host>%u</host>\n    <bus>%u</bus>\n    <target>%u</target>\n"
                "    <lun>%u</lun>\n",
                host, bus, target, lun);
    put(f, 4, "type", number < ARRAY_SIZE(types) ? types[number] : NULL);
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

static void put_storage(FILE *f, const NodeDevice *device) {
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
    const int indent = can_go ? 6 : 4;

    put(f, 4, "block", node);
    put(f, 4, "bus", bus);
    put(f, 4, "drive_type", drive_type(strrchr(device->path, '/') + 1));
    put(f, 4, "model", model);
    put(f, 4, "vendor", vendor);
    put(f, 4, "serial", serial);
    if (can_go)
        fprintf(f,
                "    <capability type='removable'>\n      <media_available>%d</media_available>\n"
                "      <media_size>%" PRIu64 "</media_size>\n",
                size > 0, size);
    else
        fprintf(f, "    <size>%" PRIu64 "</size>\n", size);
    if (block_size > 0)
        fprintf(f,
                "%*s<logical_block_size>%" PRIu64 "</logical_block_size>\n%*s<num_blocks>%" PRIu64
                "</num_blocks>\n",
                indent, "", block_size, indent, "", size / block_size);
    if (can_go)
        fputs("    </capability>\n", f);
}

static void put_scsi_generic(FILE *f, const NodeDevice *device) {
    CLEANUP_FREE char *node = node_of(device);

    put(f, 4, "char", node);
}

static void put_drm(FILE *f, const NodeDevice *device) {
    put(f, 4, "type",
        strncmp(strrchr(device->path, '/') + 1, "card", 4) == 0 ? "primary" : "render");
}

/* ---- the whole ---- */

typedef void (*PutFunc)(FILE *f, const NodeDevice *device);

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

static void put_head(FILE *f, const NodeDevices *devices, const NodeDevice *device) {
    const NodeDevice *parent = node_devices_parent(devices, device);
    CLEANUP_FREE char *node = NULL, *driver = NULL;

    put(f, 2, "name", device->name);
    if (!parent)
        return;
    node = node_of(device);
    driver = node_device_link(device, "driver");
    put(f, 2, "path", device->path);
    if (node)
        fprintf(f, "  <devnode type='dev'>%s</devnode>\n", node);
    put(f, 2, "parent", parent->name);
    if (driver)
        fprintf(f, "  <driver>\n    <name>%s</name>\n  </driver>\n", driver);
}

char *node_device_xml(const NodeDevices *devices, const NodeDevice *device) {
    char *text = NULL;
    FILE *f = text_open(&text);

    if (!f)
        return NULL;
    fputs("<device>\n", f);
    put_head(f, devices, device);
    fprintf(f, "  <capability type='%s'>\n", node_device_kinds[device->kind]);
    puts_of[device->kind](f, device);
    fputs("  </capability>\n</device>\n", f);
    return fclose(f) == 0 ? text : NULL;
}
