/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The block nodes of a disk: protocol, format, and the filters above them (copy on read, throttle).
 */
#include "qemu/devices/blockdev-internal.h"

#include <linux/major.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "qemu/image-header.h"
#include "util/file.h"

#define PR_MANAGER "pr-helper-%s" /* of the node */

/* ---- protocols ---- */

/* Whether it is a drive of the host's, by its number (Documentation/admin-guide/devices.txt). QEMU
 * asks one whether a medium is in it, and takes any other device for an empty one. */
static bool is_drive(const char *path) {
    struct stat info;

    return stat(path, &info) == 0 && S_ISBLK(info.st_mode) &&
           major(info.st_rdev) == SCSI_CDROM_MAJOR;
}

static int protocol(const DeviceContext *context, const DiskDef *disk, const StorageSource *source,
                    const char *name, Props *node, Error **reterr) {
    const RemoteSource remote = {
        .context = context, .source = source, .auth = disk_auth(disk, source), .storage = name};
    char address[PCI_ADDRESS_TEXT_SIZE];

    switch (source->type) {
    case DISK_VOLUME: /* of a pool that is a directory */
        if (!source->path)
            return device_refuse(context, reterr, "disk '%s': the path of its volume is not known",
                                 disk->target);
        __attribute__((fallthrough));
    case DISK_FILE:
        props_text(node, "driver", "file");
        props_text(node, "filename", source->path);
        break;
    case DISK_BLOCK:
        props_text(node, "driver",
                   disk->device == DISK_DEVICE_CDROM && is_drive(source->path) ? "host_cdrom"
                                                                               : "host_device");
        props_text(node, "filename", source->path);
        if (source->reservations && source == &disk->source)
            props_textf(node, "pr-manager", PR_MANAGER, name);
        break;
    case DISK_DIR:
        props_text(node, "driver", "vvfat");
        props_text(node, "dir", source->path);
        props_bool(node, "floppy", disk->device == DISK_DEVICE_FLOPPY);
        props_bool(node, "rw", !disk->readonly);
        return 0;
    case DISK_NETWORK:
        return blockdev_network(&remote, node, reterr);
    case DISK_NVME: /* vfio has the controller; QEMU's own driver has its namespace */
        pci_address_format(&source->nvme_address, address);
        props_text(node, "driver", "nvme");
        props_text(node, "device", address);
        props_uint(node, "namespace", source->nvme_namespace);
        return 0;
    case DISK_VHOSTUSER:
    case DISK_TYPE_NONE_:
    case DISK_TYPE_MAX_:
    default:
        return device_refuse(context, reterr, "disk '%s': a source of type '%s' cannot be started",
                             disk->target, words_name(&disk_types, source->type));
    }
    props_text(node, "aio", disk->io);
    return 0;
}

/* ---- nodes ---- */

static void add_cache(Props *node, const DiskDef *disk) {
    const char *mode = device_disk_cache(disk);
    Props cache = props_new();

    if (mode) {
        props_bool(&cache, "direct", streq(mode, "none") || streq(mode, "directsync"));
        props_bool(&cache, "no-flush", streq(mode, "unsafe"));
        props_add(node, "cache", props_take(&cache));
    } else {
        json_object_put(props_take(&cache));
    }
}

static bool is_readonly(const DiskDef *disk) {
    return disk->readonly || disk->device == DISK_DEVICE_CDROM;
}

typedef enum Access {
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_AS_NEEDED, /* of what is below: read, until a block job has something to write */
} Access;

/* A part of the file in which the disk is: what only the driver of raw images knows. */
static int check_slices(const DeviceContext *context, const DiskDef *disk,
                        const StorageSource *source, Error **reterr) {
    const bool raw = source->format == DISK_FORMAT_RAW || source->format == DISK_FORMAT_NONE_;

    if (source->n_slices == 0 ||
        (source->n_slices == 1 && raw && (source != &disk->source || !disk_encryption(disk))))
        return 0;
    return device_refuse(context, reterr,
                         "disk '%s': <slices> can be started with one slice of a raw image that is "
                         "not encrypted",
                         disk->target);
}

static void add_slice(const StorageSource *source, Props *format) {
    if (source->n_slices == 0)
        return;
    props_uint(format, "offset", source->slices[0].offset);
    props_uint(format, "size", source->slices[0].size);
}

static int add_protocol(const DeviceContext *context, const DiskDef *disk,
                        const StorageSource *source, const char *name, Access access,
                        DeviceSteps *steps, Error **reterr) {
    Props node = props_new();
    int r = check_slices(context, disk, source, reterr);

    if (r >= 0)
        r = protocol(context, disk, source, name, &node, reterr);
    props_text(&node, "node-name", name);
    if (r >= 0 && source->type != DISK_DIR) {
        if (access == ACCESS_AS_NEEDED)
            props_bool(&node, "auto-read-only", true);
        else
            props_bool(&node, "read-only", access == ACCESS_READ);
        /* Closed images are not punched: what the guest discards is given back. */
        props_text(&node, "discard", streq_ptr(disk->discard, "ignore") ? "ignore" : "unmap");
        add_cache(&node, disk);
    }
    if (r < 0) {
        json_object_put(props_take(&node));
        return r;
    }
    steps_props(steps, STEP_BLOCKDEV, &node);
    return 0;
}

static const char *format_driver(const StorageSource *source) {
    switch (source->format) {
    case DISK_FORMAT_NONE_:
    case DISK_FORMAT_RAW:
    case DISK_FORMAT_MAX_:
        return "raw";
    case DISK_FORMAT_QCOW2:
        return "qcow2";
    default:
        return words_name(&disk_formats, source->format);
    }
}

/* ---- encryption ---- */

/* Which driver understands the source. An encrypted raw image is LUKS all through. */
static void add_format(const DiskDef *disk, Props *format) {
    const bool encrypted = disk_encryption(disk) != NULL;
    char name[DISK_SECRET_ID_SIZE];
    Props encrypt;

    blockdev_luks_secret(disk, name);
    if (encrypted && disk->source.format == DISK_FORMAT_QCOW2) {
        encrypt = props_new();
        props_text(&encrypt, "format", "luks");
        props_text(&encrypt, "key-secret", name);
        props_text(format, "driver", "qcow2");
        props_add(format, "encrypt", props_take(&encrypt));
    } else if (encrypted) {
        props_text(format, "driver", "luks");
        props_text(format, "key-secret", name);
    } else {
        props_text(format, "driver", format_driver(&disk->source));
        add_slice(&disk->source, format);
    }
}

/* The nodes of the chain below the disk's source; *ret_end says that it ends at once. */
static int add_backing(const DeviceContext *context, const DiskDef *disk, DeviceSteps *steps,
                       bool *ret_end, Error **reterr) {
    char below[NODE_SIZE] = "", storage[NODE_SIZE], node[NODE_SIZE];
    const BackingStore *chain[IMAGE_CHAIN_MAX];
    size_t n = 0;
    bool ended = false;

    for (const BackingStore *at = disk->backing; at && !ended; at = at->next) {
        if (device_node_is_qemus(at->source.node)) /* and so is what is below it */
            break;
        if (at->source.encryption)
            return device_refuse(context, reterr,
                                 "disk '%s': a backing file with <encryption> cannot be started",
                                 disk->target);
        ended = !storage_is_there(&at->source);
        if (!ended && n == ARRAY_SIZE(chain))
            return device_refuse(context, reterr, "disk '%s': more than %zu backing files",
                                 disk->target, ARRAY_SIZE(chain));
        if (!ended)
            chain[n++] = at;
    }
    *ret_end = n == 0 && ended;
    while (n-- > 0) {
        Props format = props_new();
        int r;

        blockdev_node(disk, &chain[n]->source, n + 1, node);
        device_storage_node(disk, node, storage);
        r = add_protocol(context, disk, &chain[n]->source, storage, ACCESS_AS_NEEDED, steps,
                         reterr);
        props_text(&format, "driver", format_driver(&chain[n]->source));
        add_slice(&chain[n]->source, &format);
        add_cache(&format, disk);
        if (chain[n]->metadata_cache && chain[n]->source.format == DISK_FORMAT_QCOW2)
            props_uint(&format, "cache-size", chain[n]->metadata_cache);
        props_text(&format, "node-name", node);
        props_text(&format, "file", storage);
        props_bool(&format, "read-only", true);
        if (*below)
            props_text(&format, "backing", below);
        else if (ended && chain[n]->source.format == DISK_FORMAT_QCOW2)
            props_null(&format, "backing");
        if (r < 0) {
            json_object_put(props_take(&format));
            return r;
        }
        steps_props(steps, STEP_BLOCKDEV, &format);
        snprintf(below, sizeof(below), "%s", node);
    }
    return 0;
}

static void add_limit(Props *limits, const char *name, uint64_t value) {
    if (value)
        props_uint(limits, name, value);
}

static bool has_iotune(const DiskIotune *tune) {
    return tune->total_bytes_sec || tune->read_bytes_sec || tune->write_bytes_sec ||
           tune->total_iops_sec || tune->read_iops_sec || tune->write_iops_sec;
}

static json_object *build_limits(const DiskIotune *tune) {
    Props limits = props_new();
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"bps-total", tune->total_bytes_sec},
                {"bps-read", tune->read_bytes_sec},
                {"bps-write", tune->write_bytes_sec},
                {"iops-total", tune->total_iops_sec},
                {"iops-read", tune->read_iops_sec},
                {"iops-write", tune->write_iops_sec},
                {"bps-total-max", tune->total_bytes_sec_max},
                {"bps-read-max", tune->read_bytes_sec_max},
                {"bps-write-max", tune->write_bytes_sec_max},
                {"iops-total-max", tune->total_iops_sec_max},
                {"iops-read-max", tune->read_iops_sec_max},
                {"iops-write-max", tune->write_iops_sec_max},
                {"iops-size", tune->size_iops_sec},
                {"bps-total-max-length", tune->total_bytes_sec_max_length},
                {"bps-read-max-length", tune->read_bytes_sec_max_length},
                {"bps-write-max-length", tune->write_bytes_sec_max_length},
                {"iops-total-max-length", tune->total_iops_sec_max_length},
                {"iops-read-max-length", tune->read_iops_sec_max_length},
                {"iops-write-max-length", tune->write_iops_sec_max_length}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        add_limit(&limits, rows[i].name, rows[i].value);
    return props_take(&limits);
}

/* Filters above `node`, whose name becomes the topmost's. */
static void add_filters(const DiskDef *disk, DeviceSteps *steps, char node[NODE_SIZE]) {
    char name[NODE_SIZE + 16];
    Props filter;

    if (disk->copy_on_read == TRISTATE_YES) {
        filter = props_new();
        props_text(&filter, "driver", "copy-on-read");
        snprintf(name, sizeof(name), "cor-%s", blockdev_base(disk));
        props_text(&filter, "node-name", name);
        props_text(&filter, "file", node);
        steps_props(steps, STEP_BLOCKDEV, &filter);
        snprintf(node, NODE_SIZE, "%.90s", name);
    }
    if (!has_iotune(&disk->iotune))
        return;
    filter = props_new();
    snprintf(name, sizeof(name), "throttle-%s", blockdev_base(disk));
    props_text(&filter, "qom-type", "throttle-group");
    props_textf(&filter, "id", "group-%s", disk->info.alias);
    props_add(&filter, "limits", build_limits(&disk->iotune));
    steps_props(steps, STEP_OBJECT, &filter);
    filter = props_new();
    props_text(&filter, "driver", "throttle");
    props_text(&filter, "node-name", name);
    props_textf(&filter, "throttle-group", "group-%s", disk->info.alias);
    props_text(&filter, "file", node);
    steps_props(steps, STEP_BLOCKDEV, &filter);
    snprintf(node, NODE_SIZE, "%.90s", name);
}

/* What of the disk's source has the format, above `storage`; `backing` NULL: nothing is said of
 * what is below, "": nothing is there. */
static void add_top(const DiskDef *disk, const char *node, const char *storage, const char *backing,
                    DeviceSteps *steps) {
    const bool is_qcow2 = disk->source.format == DISK_FORMAT_QCOW2;
    Props format = props_new();

    add_format(disk, &format);
    props_text(&format, "node-name", node);
    props_text(&format, "file", storage);
    props_bool(&format, "read-only", is_readonly(disk));
    props_text(&format, "discard", disk->discard);
    if (disk->detect_zeroes)
        props_text(&format, "detect-zeroes",
                   streq(disk->detect_zeroes, "unmap") && !streq_ptr(disk->discard, "unmap")
                       ? "on"
                       : disk->detect_zeroes);
    add_cache(&format, disk);
    if (disk->metadata_cache && is_qcow2)
        props_uint(&format, "cache-size", disk->metadata_cache);
    if (backing && !*backing && is_qcow2)
        props_null(&format, "backing");
    else if (backing && is_qcow2)
        props_text(&format, "backing", backing);
    steps_props(steps, STEP_BLOCKDEV, &format);
}

/* The name of what is below the disk's source, as add_top takes it. */
static const char *backing_of(const DiskDef *disk, bool ends, char node[NODE_SIZE]) {
    if (ends)
        return "";
    if (!disk->backing || device_node_is_qemus(disk->backing->source.node))
        return NULL;
    blockdev_node(disk, &disk->backing->source, 1, node);
    return node;
}

/* Each disk has one of its own, so that it goes with the disk. */
static int add_reservations(const DeviceContext *context, const DiskDef *disk, const char *storage,
                            DeviceSteps *steps, Error **reterr) {
    const StorageReservations *reservations = disk->source.reservations;
    Props object;

    if (!reservations)
        return 0;
    if (disk->source.type != DISK_BLOCK)
        return device_refuse(context, reterr,
                             "disk '%s': <reservations> needs a block device of this host",
                             disk->target);
    if (!reservations->path)
        return device_refuse(context, reterr,
                             "disk '%s': its managed <reservations> have no helper yet",
                             disk->target);
    object = props_new();
    props_text(&object, "qom-type", "pr-manager-helper");
    props_textf(&object, "id", PR_MANAGER, storage);
    props_text(&object, "path", reservations->path);
    steps_props(steps, STEP_OBJECT, &object);
    return 0;
}

int device_blockdevs(const DeviceContext *context, const DiskDef *disk, DeviceSteps *steps,
                     char ret_node[NODE_SIZE], Error **reterr) {
    char node[NODE_SIZE], storage[NODE_SIZE], below[NODE_SIZE];
    bool ends = false;
    int r;

    blockdev_add_secrets(context, disk, steps);
    device_disk_node(disk, node);
    device_disk_storage_node(disk, storage);
    r = add_reservations(context, disk, storage, steps, reterr);
    if (r < 0)
        return r;
    r = add_backing(context, disk, steps, &ends, reterr);
    if (r >= 0)
        r = add_protocol(context, disk, &disk->source, storage,
                         is_readonly(disk) ? ACCESS_READ : ACCESS_WRITE, steps, reterr);
    if (r < 0)
        return r;
    add_top(disk, node, storage, backing_of(disk, ends, below), steps);
    add_filters(disk, steps, node);
    snprintf(ret_node, NODE_SIZE, "%s", node);
    return 0;
}

int device_overlay_nodes(const DeviceContext *context, const DiskDef *disk, DeviceSteps *steps,
                         Error **reterr) {
    char node[NODE_SIZE], storage[NODE_SIZE];
    int r;

    device_disk_node(disk, node);
    device_disk_storage_node(disk, storage);
    r = add_protocol(context, disk, &disk->source, storage, ACCESS_WRITE, steps, reterr);
    if (r < 0)
        return r;
    add_top(disk, node, storage, "", steps);
    return 0;
}
