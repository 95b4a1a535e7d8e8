/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices on QEMU's command line: JSON -device and -blockdev, aliases as ids. */
#include <stdio.h>

#include "qemu/command-line-internal.h"
#include "util/file.h"

static void put(json_object *object, const char *key, const char *value) {
    json_object_object_add(object, key, json_object_new_string(value));
}

/* {"driver":driver,"id":alias}; NULL when out of memory. */
static json_object *device(const char *driver, const char *alias) {
    json_object *object = json_object_new_object();

    if (object) {
        put(object, "driver", driver);
        put(object, "id", alias);
    }
    return object;
}

static bool is_s390(const DomainDef *def) {
    return strncmp(def->os.arch, "s390", 4) == 0;
}

/* ---- aliases ---- */

static int set_alias(char **alias, const char *prefix, unsigned n) {
    free(*alias);
    *alias = strf("%s%u", prefix, n);
    return *alias ? 0 : -ENOMEM;
}

static int assign_chardevs(DomainDef *def, const char *channel_dir) {
    unsigned counts[4] = {0};
    static const char *const prefixes[] = {"serial", "console", "channel", "parallel"};

    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef *chardev = &def->chardevs[i];

        if (set_alias(&chardev->info.alias,
                      chardev->is_serial_alias ? "serial" : prefixes[chardev->kind],
                      counts[chardev->kind]++) < 0)
            return -ENOMEM;
        if (chardev->source.type == CHARDEV_UNIX && !chardev->source.path) {
            chardev->source.path = strf("%s/%s.%s", channel_dir, def->name, chardev->info.alias);
            chardev->source.listen = true;
            if (!chardev->source.path)
                return -ENOMEM;
        }
    }
    return 0;
}

int qemu_assign_aliases(DomainDef *def, const char *channel_dir) {
    int r = assign_chardevs(def, channel_dir);

    qemu_fill_iommu(def);
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++) {
        static const char *const prefixes[DISK_BUS_MAX_] = {[DISK_BUS_VIRTIO] = "virtio-disk",
                                                            [DISK_BUS_IDE] = "ide-disk",
                                                            [DISK_BUS_SATA] = "sata-disk",
                                                            [DISK_BUS_SCSI] = "scsi-disk"};

        const char *prefix = prefixes[def->disks[i].bus];

        r = set_alias(&def->disks[i].info.alias, prefix ? prefix : "disk", i);
    }
    for (size_t i = 0; r >= 0 && i < def->n_interfaces; i++)
        r = set_alias(&def->interfaces[i].info.alias, "net", i);
    for (size_t i = 0; r >= 0 && i < def->n_rngs; i++)
        r = set_alias(&def->rngs[i].info.alias, "rng", i);
    return r;
}

/* ---- chardevs ---- */

static void add_source(ArgvBuilder *builder, const ChardevDef *chardev) {
    const ChardevSource *source = &chardev->source;
    CLEANUP_FREE char *path = argv_escape(source->path ? source->path : "");

    if (!path) {
        builder->failed = true;
        return;
    }
    switch (source->type) {
    case CHARDEV_PTY:
        argv_add_option(builder, "-chardev", "pty,id=char%s", chardev->info.alias);
        break;
    case CHARDEV_FILE:
        argv_add_option(builder, "-chardev", "file,id=char%s,path=%s,append=%s",
                        chardev->info.alias, path, source->append == TRISTATE_YES ? "on" : "off");
        break;
    case CHARDEV_UNIX:
        argv_add_option(builder, "-chardev", "socket,id=char%s,path=%s%s", chardev->info.alias,
                        path, source->listen ? ",server=on,wait=off" : "");
        break;
    default: /* the others are refused before */
        argv_add_option(builder, "-chardev", "null,id=char%s", chardev->info.alias);
        break;
    }
}

static void add_serial(ArgvBuilder *builder, const DomainDef *def, const ChardevDef *chardev) {
    char name[64];

    add_source(builder, chardev);
    snprintf(name, sizeof(name), "char%s", chardev->info.alias);
    if (streq(def->os.arch, "x86_64") || streq(def->os.arch, "i686") ||
        streq(def->os.arch, "i386")) {
        json_object *object = device("isa-serial", chardev->info.alias);

        if (object) {
            put(object, "chardev", name);
            json_object_object_add(object, "index", json_object_new_int(chardev->port));
        }
        argv_add_json(builder, "-device", object);
    } else {
        argv_add_option(builder, "-serial", "chardev:%s", name);
    }
}

static void add_virtio_port(ArgvBuilder *builder, const ChardevDef *chardev, const char *driver) {
    json_object *object = device(driver, chardev->info.alias);
    char name[64];

    add_source(builder, chardev);
    snprintf(name, sizeof(name), "char%s", chardev->info.alias);
    if (object) {
        put(object, "bus", "virtio-serial0.0");
        put(object, "chardev", name);
        if (chardev->target_name)
            put(object, "name", chardev->target_name);
    }
    argv_add_json(builder, "-device", object);
}

static bool is_virtio_port(const ChardevDef *chardev) {
    return chardev->kind == CHARDEV_CHANNEL ||
           (chardev->kind == CHARDEV_CONSOLE && streq_ptr(chardev->target_type, "virtio"));
}

static void add_chardevs(ArgvBuilder *builder, const DomainDef *def) {
    bool controller = false;

    for (size_t i = 0; i < def->n_chardevs; i++)
        controller |= is_virtio_port(&def->chardevs[i]);
    if (controller)
        argv_add_json(
            builder, "-device",
            device(is_s390(def) ? "virtio-serial-ccw" : "virtio-serial-pci", "virtio-serial0"));
    for (size_t i = 0; i < def->n_chardevs; i++) {
        const ChardevDef *chardev = &def->chardevs[i];

        if (chardev->is_serial_alias)
            continue;
        if (is_virtio_port(chardev))
            add_virtio_port(builder, chardev,
                            chardev->kind == CHARDEV_CHANNEL ? "virtserialport" : "virtconsole");
        else
            add_serial(builder, def, chardev);
    }
}

/* ---- disks ---- */

static void add_cache(json_object *node, const DiskDef *disk) {
    json_object *cache;

    if (!disk->cache)
        return;
    cache = json_object_new_object();
    json_object_object_add(
        cache, "direct",
        json_object_new_boolean(streq(disk->cache, "none") || streq(disk->cache, "directsync")));
    json_object_object_add(cache, "no-flush",
                           json_object_new_boolean(streq(disk->cache, "unsafe")));
    json_object_object_add(node, "cache", cache);
}

static void add_blockdev(ArgvBuilder *builder, const DiskDef *disk) {
    json_object *file = json_object_new_object(), *format = json_object_new_object();
    char node[96], storage[96];

    if (!file || !format) {
        builder->failed = true;
        json_object_put(file);
        json_object_put(format);
        return;
    }
    snprintf(node, sizeof(node), "drive-%s", disk->info.alias);
    snprintf(storage, sizeof(storage), "file-%s", disk->info.alias);
    put(file, "driver", disk->source.type == DISK_BLOCK ? "host_device" : "file");
    put(file, "node-name", storage);
    put(file, "filename", disk->source.path);
    if (disk->io)
        put(file, "aio", disk->io);
    if (disk->discard)
        put(file, "discard", disk->discard);
    json_object_object_add(file, "read-only", json_object_new_boolean(disk->readonly));
    add_cache(file, disk);
    put(format, "driver", disk->source.format == DISK_FORMAT_QCOW2 ? "qcow2" : "raw");
    put(format, "node-name", node);
    put(format, "file", storage);
    if (disk->discard)
        put(format, "discard", disk->discard);
    json_object_object_add(format, "read-only", json_object_new_boolean(disk->readonly));
    add_cache(format, disk);
    argv_add_json(builder, "-blockdev", file);
    argv_add_json(builder, "-blockdev", format);
}

static const char *disk_driver(const DomainDef *def, const DiskDef *disk) {
    bool cdrom = disk->device == DISK_DEVICE_CDROM;

    switch (disk->bus) {
    case DISK_BUS_IDE:
    case DISK_BUS_SATA:
        return cdrom ? "ide-cd" : "ide-hd";
    case DISK_BUS_SCSI:
        return cdrom ? "scsi-cd" : "scsi-hd";
    default: /* virtio; the others are refused before */
        break;
    }
    return is_s390(def) ? "virtio-blk-ccw" : "virtio-blk-pci";
}

static void add_disk(ArgvBuilder *builder, const DomainDef *def, const DiskDef *disk) {
    json_object *object = device(disk_driver(def, disk), disk->info.alias);
    char node[96];

    if (disk->source.path)
        add_blockdev(builder, disk);
    if (object) {
        snprintf(node, sizeof(node), "drive-%s", disk->info.alias);
        if (disk->source.path)
            put(object, "drive", node);
        if (disk->bus == DISK_BUS_SCSI)
            put(object, "bus", "scsi0.0");
        if (disk->serial)
            put(object, "serial", disk->serial);
        if (disk->shareable)
            json_object_object_add(object, "share-rw", json_object_new_boolean(true));
        if (disk->cache && disk->device == DISK_DEVICE_DISK)
            put(object, "write-cache",
                streq(disk->cache, "writethrough") || streq(disk->cache, "directsync") ? "off"
                                                                                       : "on");
        if (disk->info.boot_order)
            json_object_object_add(object, "bootindex", json_object_new_int(disk->info.boot_order));
        if (disk->iothread) {
            snprintf(node, sizeof(node), "iothread%u", disk->iothread);
            put(object, "iothread", node);
        }
    }
    argv_add_json(builder, "-device", object);
}

static void add_disks(ArgvBuilder *builder, const DomainDef *def) {
    bool scsi = false;

    for (size_t i = 0; i < def->n_disks; i++)
        scsi |= def->disks[i].bus == DISK_BUS_SCSI;
    if (scsi)
        argv_add_json(builder, "-device",
                      device(is_s390(def) ? "virtio-scsi-ccw" : "virtio-scsi-pci", "scsi0"));
    for (size_t i = 0; i < def->n_disks; i++)
        add_disk(builder, def, &def->disks[i]);
}

/* ---- the rest ---- */

static void add_interface(ArgvBuilder *builder, const DomainDef *def,
                          const InterfaceDef *interface) {
    const char *model = interface->model ? interface->model : "virtio";
    json_object *object;
    char netdev[64];

    if (streq(model, "virtio"))
        model = is_s390(def) ? "virtio-net-ccw" : "virtio-net-pci";
    snprintf(netdev, sizeof(netdev), "host%s", interface->info.alias);
    argv_add_option(builder, "-netdev", "{\"type\":\"user\",\"id\":\"%s\"}", netdev);
    object = device(model, interface->info.alias);
    if (object) {
        put(object, "netdev", netdev);
        put(object, "mac", interface->mac);
        if (interface->info.boot_order)
            json_object_object_add(object, "bootindex",
                                   json_object_new_int(interface->info.boot_order));
    }
    argv_add_json(builder, "-device", object);
}

static void add_rng(ArgvBuilder *builder, const DomainDef *def, const RngDef *rng) {
    json_object *backend = json_object_new_object(), *object;
    char id[64];

    snprintf(id, sizeof(id), "obj%s", rng->info.alias);
    if (backend) {
        put(backend, "qom-type", "rng-random");
        put(backend, "id", id);
        put(backend, "filename", rng->backend && *rng->backend ? rng->backend : "/dev/urandom");
    }
    argv_add_json(builder, "-object", backend);
    object = device(is_s390(def) ? "virtio-rng-ccw" : "virtio-rng-pci", rng->info.alias);
    if (object) {
        put(object, "rng", id);
        if (rng->rate_bytes) {
            json_object_object_add(object, "max-bytes", json_object_new_int64(rng->rate_bytes));
            json_object_object_add(
                object, "period",
                json_object_new_int64(rng->rate_period_ms ? rng->rate_period_ms : 1000));
        }
    }
    argv_add_json(builder, "-device", object);
}

int argv_add_devices(ArgvBuilder *builder, const DomainDef *def, Error **reterr) {
    add_chardevs(builder, def);
    add_disks(builder, def);
    for (size_t i = 0; i < def->n_interfaces; i++)
        add_interface(builder, def, &def->interfaces[i]);
    for (size_t i = 0; i < def->n_rngs; i++)
        add_rng(builder, def, &def->rngs[i]);
    if (def->memballoon && def->memballoon->model == MEMBALLOON_VIRTIO)
        argv_add_json(
            builder, "-device",
            device(is_s390(def) ? "virtio-balloon-ccw" : "virtio-balloon-pci", "balloon0"));
    return 0;
}
