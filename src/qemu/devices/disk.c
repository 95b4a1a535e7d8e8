/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <disk>: the device in front of its block nodes. */
#include "qemu/devices/device.h"

#include <stdio.h>

static const Property common_rows[] = {
    PROP_TEXT("serial", DiskDef, serial),
    PROP_UINT("logical_block_size", DiskDef, logical_block_size),
    PROP_UINT("physical_block_size", DiskDef, physical_block_size),
    PROP_TRUE("share-rw", DiskDef, shareable), PROP_END};
static const Property virtio_rows[] = {PROP_UINT("num-queues", DiskDef, queues),
                                       PROP_UINT("queue-size", DiskDef, queue_size),
                                       PROP_BOOL("event_idx", DiskDef, event_idx),
                                       PROP_BOOL("ioeventfd", DiskDef, ioeventfd), PROP_END};
static const Property geometry_rows[] = {
    PROP_UINT("cyls", DiskDef, cyls), PROP_UINT("heads", DiskDef, heads),
    PROP_UINT("secs", DiskDef, secs), PROP_TEXT("bios-chs-trans", DiskDef, trans), PROP_END};
static const Property identity_rows[] = {PROP_TEXT("vendor", DiskDef, vendor),
                                         PROP_TEXT("product", DiskDef, product), PROP_END};

/* "0x5000c500155a1b5a" or without 0x. */
static void add_wwn(Props *props, const DiskDef *disk) {
    if (disk->wwn)
        props_uint(props, "wwn", strtoull(disk->wwn, NULL, 16));
}

static Props build_virtio(const DeviceContext *context, const DiskDef *disk) {
    Props props = device_virtio(context, "blk", disk->model, &disk->virtio, &disk->info);

    props_rows(&props, virtio_rows, disk);
    if (disk->iothread)
        props_textf(&props, "iothread", "iothread%u", disk->iothread);
    return props;
}

static Props build_ide(const DeviceContext *context, const DiskDef *disk) {
    const DeviceAddress *address = &disk->info.address;
    Props props = device_props(context, disk->device == DISK_DEVICE_CDROM ? "ide-cd" : "ide-hd",
                               &disk->info);
    char bus[96];

    device_bus(context, CONTROLLER_SATA, address->controller, bus);
    if (address->type == ADDRESS_DRIVE && disk->bus == DISK_BUS_IDE) {
        props_textf(&props, "bus", "ide.%u", address->bus);
        props_uint(&props, "unit", address->unit);
    } else if (address->type == ADDRESS_DRIVE) {
        if (address->controller == 0 && strstr(context->machine->name, "q35"))
            props_textf(&props, "bus", "ide.%u", address->unit);
        else
            props_textf(&props, "bus", "%s.%u", bus, address->unit);
    }
    add_wwn(&props, disk);
    if (disk->rotation_rate && disk->device == DISK_DEVICE_DISK)
        props_uint(&props, "rotation_rate", disk->rotation_rate);
    return props;
}

static Props build_scsi(const DeviceContext *context, const DiskDef *disk) {
    static const char *const drivers[] = {[DISK_DEVICE_DISK] = "scsi-hd",
                                          [DISK_DEVICE_CDROM] = "scsi-cd",
                                          [DISK_DEVICE_FLOPPY] = "scsi-hd",
                                          [DISK_DEVICE_LUN] = "scsi-block"};
    const DeviceAddress *address = &disk->info.address;
    unsigned controller = address->type == ADDRESS_DRIVE ? address->controller : 0;
    Props props = device_props(context, drivers[disk->device], &disk->info);
    char bus[96];

    device_bus(context, CONTROLLER_SCSI, controller, bus);
    props_textf(&props, "bus", "%s.0", bus);
    if (address->type == ADDRESS_DRIVE && device_scsi_has_targets(context->def, controller)) {
        props_uint(&props, "channel", address->bus);
        props_uint(&props, "scsi-id", address->target);
        props_uint(&props, "lun", address->unit);
    } else if (address->type == ADDRESS_DRIVE) {
        props_uint(&props, "scsi-id", address->unit);
    }
    /* What the guest's names by id are made of; of a serial QEMU alone would take 20 letters. */
    if (disk->device != DISK_DEVICE_LUN)
        props_textf(&props, "device_id", "%s%s", disk->serial ? "" : "drive-",
                    disk->serial ? disk->serial : disk->info.alias);
    props_rows(&props, identity_rows, disk);
    add_wwn(&props, disk);
    if (disk->rotation_rate && disk->device == DISK_DEVICE_DISK)
        props_uint(&props, "rotation_rate", disk->rotation_rate);
    return props;
}

static Props build_other(const DeviceContext *context, const DiskDef *disk) {
    const DeviceAddress *address = &disk->info.address;
    Props props;

    if (disk->bus == DISK_BUS_USB) {
        props = device_props(context, "usb-storage", &disk->info);
        props_bool(&props, "removable", disk->removable == TRISTATE_YES);
        return props;
    }
    props = device_props(context, disk->bus == DISK_BUS_SD ? "sd-card" : "floppy", &disk->info);
    if (disk->bus == DISK_BUS_FDC)
        props_uint(&props, "unit", address->type == ADDRESS_DRIVE ? address->unit : 0);
    return props;
}

/* Less than all three say nothing. */
static bool has_geometry(const DiskDef *disk) {
    return disk->cyls && disk->heads && disk->secs;
}

static int check(const DeviceContext *context, const DiskDef *disk, Error **reterr) {
    if (disk->bus == DISK_BUS_XEN || disk->bus == DISK_BUS_UML || disk->bus == DISK_BUS_NONE_)
        return device_refuse(context, reterr, "disk '%s': QEMU has no bus '%s'", disk->target,
                             words_name(&disk_buses, disk->bus));
    if (disk->device == DISK_DEVICE_LUN && disk->bus != DISK_BUS_SCSI)
        return device_refuse(context, reterr, "disk '%s': device='lun' needs bus='scsi'",
                             disk->target);
    if (disk->device == DISK_DEVICE_LUN && disk->source.type != DISK_BLOCK &&
        disk->source.type != DISK_NETWORK)
        return device_refuse(context, reterr, "disk '%s': device='lun' needs a block device",
                             disk->target);
    if (has_geometry(disk) && disk->device != DISK_DEVICE_DISK)
        return device_refuse(context, reterr,
                             "disk '%s': QEMU has no <geometry> for a drive that is no hard disk",
                             disk->target);
    return 0;
}

static void add_policies(Props *props, const DiskDef *disk) {
    const char *write = disk->error_policy, *read = disk->rerror_policy;

    if (write && !streq(write, "enospace"))
        props_text(props, "werror", write);
    else if (write)
        props_text(props, "werror", "enospc");
    if (read || (write && !streq(write, "enospace")))
        props_text(props, "rerror", read ? read : write);
}

/* Another process has its bytes, and reads and writes the guest's memory. */
static int build_vhost_user(const DeviceContext *context, const DiskDef *disk, DeviceSteps *steps,
                            Error **reterr) {
    const StorageSource *source = &disk->source;
    const ChardevSource chardev = {.type = CHARDEV_UNIX,
                                   .path = source->path,
                                   .mode = (char *)"connect",
                                   .reconnect = source->reconnect,
                                   .reconnect_timeout = source->reconnect_timeout};
    unsigned order = device_boot_order(context, BOOT_HD, disk, &disk->info);
    char id[96];
    Props props;
    int r;

    if (!domain_def_shares_memory(context->def) && !device_is_s390(context->def))
        return device_refuse(context, reterr,
                             "disk '%s' of type 'vhostuser' needs memory that another process can "
                             "map: <memoryBacking> with <source type='memfd'/> and <access "
                             "mode='shared'/>",
                             disk->target);
    r = device_chardev(context, &chardev, disk->info.alias, id, steps, reterr);
    if (r < 0)
        return r;
    props = device_virtio(context, "vhost-user-blk", disk->model, &disk->virtio, &disk->info);
    props_rows(&props, virtio_rows, disk);
    props_text(&props, "chardev", id);
    if (order)
        props_uint(&props, "bootindex", order);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    static const BootDev classes[] = {[DISK_DEVICE_DISK] = BOOT_HD,
                                      [DISK_DEVICE_CDROM] = BOOT_CDROM,
                                      [DISK_DEVICE_FLOPPY] = BOOT_FD,
                                      [DISK_DEVICE_LUN] = BOOT_HD};
    const DiskDef *disk = device;
    bool given = storage_is_there(&disk->source);
    const char *cache;
    char node[96];
    unsigned order;
    Props props;
    int r = check(context, disk, reterr);

    if (r >= 0 && disk->source.type == DISK_VHOSTUSER)
        return build_vhost_user(context, disk, steps, reterr);
    if (r >= 0 && given)
        r = device_blockdevs(context, disk, steps, node, reterr);
    if (r < 0)
        return r;
    switch (disk->bus) {
    case DISK_BUS_VIRTIO:
        props = build_virtio(context, disk);
        break;
    case DISK_BUS_IDE:
    case DISK_BUS_SATA:
        props = build_ide(context, disk);
        break;
    case DISK_BUS_SCSI:
        props = build_scsi(context, disk);
        break;
    default:
        props = build_other(context, disk);
    }
    if (given)
        props_text(&props, "drive", node);
    props_rows(&props, common_rows, disk);
    if (has_geometry(disk))
        props_rows(&props, geometry_rows, disk);
    cache = device_disk_cache(disk);
    if (cache && disk->device == DISK_DEVICE_DISK)
        props_text(&props, "write-cache",
                   streq(cache, "writethrough") || streq(cache, "directsync") ? "off" : "on");
    add_policies(&props, disk);
    order = device_boot_order(context, classes[disk->device], disk, &disk->info);
    if (order && disk->bus != DISK_BUS_FDC)
        props_uint(&props, "bootindex", order);
    else if (order && !strstr(context->machine->name, "q35")) /* the machine's own controller */
        steps_option(steps, "-global", "isa-fdc.bootindex%c=%u",
                     disk->info.address.unit ? 'B' : 'A', order);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind disk_kind = {DEVICE_KIND_LIST("disk", disks, n_disks, DiskDef), .build = build};
