/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <devices>. */
#include <ctype.h>
#include <stdio.h>
#include <sys/random.h>

#include "conf/domain-parse-internal.h"
#include "util/file.h"

/* Some checks compare each device with all others. */
#define DEVICES_MAX 4096u

static int missing(Parser *parser, xmlNodePtr node, const char *what) {
    return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML, "missing %s in <%s> (line %ld)",
                        what, (const char *)node->name, xmlGetLineNo(node));
}

/* The "type" attribute as an enum; a value that is not in the table is refused by name. */
static int known_attribute(Parser *parser, xmlNodePtr node, const char *name,
                           const char *const *names, size_t n, int *ret) {
    CLEANUP_FREE char *text = node_attribute(node, name), *detail = NULL;
    int value;

    if (!text)
        return 0;
    value = enum_from_string(names, n, text);
    if (value < 0) {
        detail = strf("%s='%.60s'", name, text);
        return parse_refuse(parser, node, detail);
    }
    *ret = value;
    return 0;
}

/* The same for a word that is kept as it is written. */
static int word_attribute(Parser *parser, xmlNodePtr node, const char *name,
                          const char *const *words, size_t n, char **to) {
    int ignored = 0, r = known_attribute(parser, node, name, words, n, &ignored);

    if (r >= 0)
        attribute_string(node, name, to);
    return r;
}

/* An empty path is none. */
static void path_attribute(xmlNodePtr node, const char *name, char **to) {
    attribute_string(node, name, to);
    if (*to && !**to)
        free(TAKE_PTR(*to));
}

static int parse_emulator(Parser *parser, xmlNodePtr node) {
    CLEANUP_FREE char *text = node_text(node);

    if (!text)
        return error_no_memory(parser->reterr);
    free(parser->def->emulator);
    parser->def->emulator = *text ? TAKE_PTR(text) : NULL;
    return 0;
}

static int parse_chardev(Parser *parser, xmlNodePtr node, ChardevKind kind) {
    DomainDef *def = parser->def;
    xmlNodePtr source = node_child(node, "source"), target = node_child(node, "target");
    unsigned same = 0;
    ChardevDef *chardev;
    int type = CHARDEV_PTY, r;

    for (size_t i = 0; i < def->n_chardevs; i++)
        same += def->chardevs[i].kind == kind;
    chardev = array_append(&def->chardevs, &def->n_chardevs, sizeof(ChardevDef));
    if (!chardev)
        return error_no_memory(parser->reterr);
    chardev->kind = kind;
    chardev->port = same;
    r = known_attribute(parser, node, "type", chardev_names, CHARDEV_TYPE_MAX_, &type);
    if (r < 0)
        return r;
    chardev->source.type = type;
    chardev->source.listen = type == CHARDEV_UNIX;
    if (source) {
        CLEANUP_FREE char *mode = node_attribute(source, "mode");

        if (type != CHARDEV_PTY)
            path_attribute(source, "path", &chardev->source.path);
        if (mode)
            chardev->source.listen = streq(mode, "bind");
        r = attribute_bool(parser, source, "append", &chardev->source.append);
    }
    if (r >= 0 && target) {
        attribute_string(target, "type", &chardev->target_type);
        attribute_string(target, "name", &chardev->target_name);
        r = attribute_unsigned(parser, target, "port", 255, &chardev->port);
    }
    if (r < 0)
        return r;
    if (type == CHARDEV_FILE && !chardev->source.path)
        return missing(parser, node, "source path");
    if (type == CHARDEV_UNIX && !chardev->source.path && kind != CHARDEV_CHANNEL)
        return missing(parser, node, "source path");
    if (kind == CHARDEV_CHANNEL && !streq_ptr(chardev->target_type, "virtio"))
        return parse_refuse(parser, node, "a target type other than 'virtio'");
    return 0;
}

static int parse_serial(Parser *parser, xmlNodePtr node) {
    return parse_chardev(parser, node, CHARDEV_SERIAL);
}

static int parse_console(Parser *parser, xmlNodePtr node) {
    return parse_chardev(parser, node, CHARDEV_CONSOLE);
}

static int parse_channel(Parser *parser, xmlNodePtr node) {
    CLEANUP_FREE char *type = node_attribute(node, "type");

    if (streq_ptr(type, "spicevmc") || streq_ptr(type, "spiceport"))
        return parse_refuse(parser, node, "type='spicevmc'");
    return parse_chardev(parser, node, CHARDEV_CHANNEL);
}

/* libvirt's rule: the first <console> of target serial is serial 0 seen again; without a <serial>
 * it makes one. */
static int pair_consoles(Parser *parser) {
    DomainDef *def = parser->def;
    ChardevDef *serial = NULL, *console = NULL;

    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef *chardev = &def->chardevs[i];

        if (chardev->kind == CHARDEV_SERIAL && !serial)
            serial = chardev;
        if (chardev->kind == CHARDEV_CONSOLE && chardev->port == 0 && !console &&
            (!chardev->target_type || streq(chardev->target_type, "serial")))
            console = chardev;
    }
    if (console && serial)
        console->is_serial_alias = true;
    return 0;
}

/* ---- disks ---- */

static DiskBus default_bus(const char *target) {
    return strncmp(target, "hd", 2) == 0   ? DISK_BUS_IDE
           : strncmp(target, "sd", 2) == 0 ? DISK_BUS_SCSI
                                           : DISK_BUS_VIRTIO;
}

static int parse_disk_target(Parser *parser, xmlNodePtr node, DiskDef *disk) {
    xmlNodePtr target = node_child(node, "target");
    int bus;

    if (target)
        attribute_string(target, "dev", &disk->target);
    if (!disk->target)
        return missing(parser, node, "target dev");
    bus = default_bus(disk->target);
    if (known_attribute(parser, target, "bus", disk_bus_names, DISK_BUS_MAX_, &bus) < 0)
        return -EOPNOTSUPP;
    disk->bus = bus;
    return 0;
}

static const char *const cache_words[] = {"default",      "none",       "writeback",
                                          "writethrough", "directsync", "unsafe"};
static const char *const io_words[] = {"native", "threads", "io_uring"};
static const char *const discard_words[] = {"unmap", "ignore"};

static int parse_disk_driver(Parser *parser, xmlNodePtr node, DiskDef *disk) {
    int format = DISK_FORMAT_RAW, r;

    r = known_attribute(parser, node, "type", disk_format_names, DISK_FORMAT_MAX_, &format);
    disk->format = format;
    if (r >= 0)
        r = word_attribute(parser, node, "cache", cache_words, ARRAY_SIZE(cache_words),
                           &disk->cache);
    if (r >= 0)
        r = word_attribute(parser, node, "io", io_words, ARRAY_SIZE(io_words), &disk->io);
    if (r >= 0)
        r = word_attribute(parser, node, "discard", discard_words, ARRAY_SIZE(discard_words),
                           &disk->discard);
    if (disk->cache && streq(disk->cache, "default"))
        free(TAKE_PTR(disk->cache));
    return r < 0 ? r
                 : attribute_unsigned(parser, node, "iothread", IOTHREAD_ID_MAX, &disk->iothread);
}

static int parse_disk(Parser *parser, xmlNodePtr node) {
    DomainDef *def = parser->def;
    DiskDef *disk = array_append(&def->disks, &def->n_disks, sizeof(DiskDef));
    xmlNodePtr source = node_child(node, "source"), driver = node_child(node, "driver");
    xmlNodePtr boot = node_child(node, "boot"), serial = node_child(node, "serial");
    int type = DISK_FILE, device = DISK_DEVICE_DISK, r;

    if (!disk)
        return error_no_memory(parser->reterr);
    r = known_attribute(parser, node, "type", disk_type_names, DISK_TYPE_MAX_, &type);
    if (r >= 0)
        r = known_attribute(parser, node, "device", disk_device_names, DISK_DEVICE_MAX_, &device);
    if (r >= 0)
        r = parse_disk_target(parser, node, disk);
    if (r >= 0 && driver)
        r = parse_disk_driver(parser, driver, disk);
    if (r >= 0 && boot)
        r = attribute_unsigned(parser, boot, "order", 10000, &disk->boot_order);
    if (r < 0)
        return r;
    disk->type = type;
    disk->device = device;
    disk->readonly = node_child(node, "readonly") || device == DISK_DEVICE_CDROM;
    disk->shareable = node_child(node, "shareable") != NULL;
    if (serial)
        disk->serial = node_text(serial);
    if (source)
        path_attribute(source, type == DISK_BLOCK ? "dev" : "file", &disk->source);
    if (!disk->source && device != DISK_DEVICE_CDROM)
        return missing(parser, node, "source");
    if (device == DISK_DEVICE_CDROM && disk->bus == DISK_BUS_VIRTIO)
        return parse_refuse(parser, node, "a cdrom on the virtio bus");
    return 0;
}

/* ---- interfaces ---- */

/* aa:bb:cc:dd:ee:ff. */
static bool is_mac(const char *text) {
    for (unsigned i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
            return false;
    return text[17] == '\0';
}

/* What becomes QEMU's -device: no other driver is to be had this way. */
static const char *const nic_words[] = {"virtio", "e1000", "e1000e", "rtl8139"};

static int parse_interface(Parser *parser, xmlNodePtr node) {
    DomainDef *def = parser->def;
    CLEANUP_FREE char *type = node_attribute(node, "type"), *detail = NULL;
    xmlNodePtr mac = node_child(node, "mac"), model = node_child(node, "model");
    xmlNodePtr boot = node_child(node, "boot");
    InterfaceDef *interface;
    uint8_t random[3];

    if (!streq_ptr(type, "user")) {
        detail = strf("type='%.60s'", type ? type : "");
        return parse_refuse(parser, node, detail);
    }
    interface = array_append(&def->interfaces, &def->n_interfaces, sizeof(InterfaceDef));
    if (!interface)
        return error_no_memory(parser->reterr);
    if (mac)
        attribute_string(mac, "address", &interface->mac);
    if (!interface->mac) {
        if (getrandom(random, sizeof(random), 0) != sizeof(random))
            return error_system(parser->reterr, FROM_DOMAIN, EIO,
                                "no random numbers for a MAC address");
        interface->mac = strf("52:54:00:%02x:%02x:%02x", random[0], random[1], random[2]);
    }
    if (!interface->mac)
        return error_no_memory(parser->reterr);
    if (!is_mac(interface->mac))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "unable to parse mac address '%.40s'", interface->mac);
    if (model && word_attribute(parser, model, "type", nic_words, ARRAY_SIZE(nic_words),
                                &interface->model) < 0)
        return -EOPNOTSUPP;
    return boot ? attribute_unsigned(parser, boot, "order", 10000, &interface->boot_order) : 0;
}

static int parse_rng(Parser *parser, xmlNodePtr node) {
    DomainDef *def = parser->def;
    xmlNodePtr backend = node_child(node, "backend"), rate = node_child(node, "rate");
    RngDef *rng = array_append(&def->rngs, &def->n_rngs, sizeof(RngDef));
    CLEANUP_FREE char *model = NULL;
    unsigned bytes = 0, period = 0;
    int r = 0;

    if (!rng)
        return error_no_memory(parser->reterr);
    attribute_string(node, "model", &rng->model);
    if (backend) {
        model = node_attribute(backend, "model");
        if (model && !streq(model, "random"))
            return parse_refuse(parser, backend, "a backend model other than 'random'");
        rng->backend = node_text(backend);
    }
    if (rate) {
        r = attribute_unsigned(parser, rate, "bytes", INT32_MAX, &bytes);
        if (r >= 0)
            r = attribute_unsigned(parser, rate, "period", INT32_MAX, &period);
        rng->rate_bytes = bytes;
        rng->rate_period_ms = period;
    }
    return r;
}

static int parse_memballoon(Parser *parser, xmlNodePtr node) {
    int model = MEMBALLOON_VIRTIO;
    int r = known_attribute(parser, node, "model", memballoon_names, MEMBALLOON_MODEL_MAX_, &model);

    parser->def->memballoon = model;
    parser->def->memballoon_given = true;
    return r;
}

static int parse_iommu(Parser *parser, xmlNodePtr node) {
    static const char *const models[] = {"intel"};
    IommuDef *iommu = &parser->def->iommu;
    xmlNodePtr driver = node_child(node, "driver");
    int model = -1;
    int r = known_attribute(parser, node, "model", models, ARRAY_SIZE(models), &model);

    if (r >= 0 && model < 0)
        return missing(parser, node, "model");
    if (r >= 0 && iommu->given)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "only one <iommu> is possible (line %ld)", xmlGetLineNo(node));
    iommu->given = true;
    if (r < 0 || !driver)
        return r;
    r = attribute_tristate(parser, driver, "intremap", &iommu->intremap);
    if (r >= 0)
        r = attribute_tristate(parser, driver, "caching_mode", &iommu->caching_mode);
    if (r >= 0)
        r = attribute_tristate(parser, driver, "eim", &iommu->eim);
    if (r >= 0)
        r = attribute_tristate(parser, driver, "iotlb", &iommu->iotlb);
    return r < 0 ? r : attribute_unsigned(parser, driver, "aw_bits", 64, &iommu->aw_bits);
}

static int parse_controller(Parser *parser, xmlNodePtr node) {
    DomainDef *def = parser->def;
    ControllerDef *controller = array_append(&def->controllers, &def->n_controllers,
                                             sizeof(ControllerDef));
    unsigned index = UINT32_MAX;
    int r;

    if (!controller)
        return error_no_memory(parser->reterr);
    attribute_string(node, "type", &controller->type);
    attribute_string(node, "model", &controller->model);
    r = attribute_unsigned(parser, node, "index", 1000, &index);
    controller->index = index == UINT32_MAX ? -1 : (int)index;
    if (r >= 0 && !controller->type)
        return missing(parser, node, "type");
    return r;
}

int parse_devices(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"emulator", parse_emulator, false},
                                            {"serial", parse_serial, false},
                                            {"console", parse_console, false},
                                            {"channel", parse_channel, false},
                                            {"disk", parse_disk, false},
                                            {"interface", parse_interface, false},
                                            {"rng", parse_rng, false},
                                            {"memballoon", parse_memballoon, false},
                                            {"controller", parse_controller, false},
                                            {"input", NULL, false},
                                            {"audio", NULL, false},
                                            {"graphics", NULL, true},
                                            {"video", NULL, true},
                                            {"sound", NULL, true},
                                            {"watchdog", NULL, true},
                                            {"hostdev", NULL, true},
                                            {"filesystem", NULL, true},
                                            {"tpm", NULL, true},
                                            {"panic", NULL, true},
                                            {"parallel", NULL, true},
                                            {"redirdev", NULL, true},
                                            {"smartcard", NULL, true},
                                            {"memory", NULL, true},
                                            {"iommu", parse_iommu, false},
                                            {"vsock", NULL, true},
                                            {"shmem", NULL, true},
                                            {"lease", NULL, true},
                                            {"hub", NULL, true},
                                            {"nvram", NULL, true},
                                            {"crypto", NULL, true}};
    int r;

    if (xmlChildElementCount(node) > DEVICES_MAX)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "more than %u devices (line %ld)", DEVICES_MAX, xmlGetLineNo(node));
    r = parse_children(parser, node, readers, ARRAY_SIZE(readers));

    return r < 0 ? r : pair_consoles(parser);
}
