/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks: what belongs to which bus, which source and which driver. */
#include <ctype.h>

#include "conf/addresses.h"
#include "conf/validate-rules.h"

#define SERIAL_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ .+"
#define VENDOR_MAX 8u
#define PRODUCT_MAX 16u
#define WWN_DIGITS 16u

static bool is_one_of(DiskBus bus, unsigned mask) {
    return mask & 1u << bus;
}

#define ON(bus) (1u << DISK_BUS_##bus)

static bool is_wwn(const char *text) {
    size_t n = 0;

    if (strncmp(text, "0x", 2) == 0)
        text += 2;
    while (isxdigit((unsigned char)text[n]))
        n++;
    return n == WWN_DIGITS && !text[n];
}

static bool is_lun_source(const DiskDef *disk) {
    const StorageSource *source = &disk->source;

    return source->type == DISK_BLOCK ||
           (source->type == DISK_NETWORK && streq_ptr(source->protocol, "iscsi")) ||
           (source->type == DISK_VOLUME && streq_ptr(source->mode, "direct"));
}

/* The kind of drive, and the bus it is on. */
static int check_bus(const DiskDef *disk, Error **reterr) {
    const bool floppy = disk->device == DISK_DEVICE_FLOPPY, lun = disk->device == DISK_DEVICE_LUN;
    const ValidateRule rules[] = {
        {disk->is_nameless, ERROR_XML,
         "Unknown disk name and no address specified: names are like 'vda', 'sda', 'hda'"},
        {floppy && disk->bus != DISK_BUS_FDC, ERROR_INTERNAL,
         "Invalid bus type for a floppy disk, which can be on 'fdc' only"},
        {!floppy && disk->bus == DISK_BUS_FDC, ERROR_INTERNAL,
         "Invalid bus type 'fdc', which is for device='floppy' only"},
        {floppy != (strncmp(disk->target, "fd", 2) == 0) && disk->device != DISK_DEVICE_CDROM,
         ERROR_INTERNAL,
         "Invalid name: 'fd' is in front of those of floppy disks, and of no other"},
        {disk->device == DISK_DEVICE_CDROM && disk->bus == DISK_BUS_SD, ERROR_CONFIG_UNSUPPORTED,
         "the sd bus does not support ejectable media"},
        {lun && !is_lun_source(disk), ERROR_CONFIG_UNSUPPORTED,
         "disk device='lun' is only valid for block type disk source"},
        {lun && !is_one_of(disk->bus, ON(VIRTIO) | ON(SCSI)), ERROR_CONFIG_UNSUPPORTED,
         "disk device='lun' is not supported for this bus, but for 'scsi' and 'virtio'"},
        {disk->bus == DISK_BUS_IDE && disk->info.address.type == ADDRESS_DRIVE &&
             disk->info.address.controller != 0,
         ERROR_INTERNAL, "Only 1 IDE controller is supported"},
        {disk->tray && !disk_is_removable(disk), ERROR_CONFIG_UNSUPPORTED,
         "tray is only valid for cdrom and floppy"},
        {disk->removable && disk->bus != DISK_BUS_USB, ERROR_XML,
         "removable is only valid for usb disks"},
        {disk->rotation_rate && !is_one_of(disk->bus, ON(SCSI) | ON(IDE) | ON(SATA)),
         ERROR_INTERNAL, "rotation rate is only valid for SCSI/IDE/SATA bus"},
        {disk->cyls && is_one_of(disk->bus, ON(SD) | ON(USB)), ERROR_CONFIG_UNSUPPORTED,
         "CHS geometry can not be set for this bus"},
        {disk->model && disk->bus != DISK_BUS_VIRTIO, ERROR_CONFIG_UNSUPPORTED,
         "a disk model is supported on the virtio bus only"},
    };

    return VALIDATE_RULES(rules, "disk", disk->target, reterr);
}

/* What the guest reads of it. */
static int check_names(const DiskDef *disk, Error **reterr) {
    const ValidateRule rules[] = {
        {disk->serial && disk->bus == DISK_BUS_SD, ERROR_INTERNAL,
         "Serial property not supported for drive bus 'sd'"},
        {disk->serial && strspn(disk->serial, SERIAL_CHARS) != strlen(disk->serial), ERROR_INTERNAL,
         "driver serial contains unsafe characters: letters, digits, '-_ .+' may be"},
        {disk->serial && disk->device == DISK_DEVICE_LUN && disk->bus == DISK_BUS_SCSI,
         ERROR_CONFIG_UNSUPPORTED, "scsi-block 'lun' devices do not support the serial property"},
        {disk->wwn && !is_wwn(disk->wwn), ERROR_INTERNAL,
         "Malformed wwn, which is 16 hexadecimal digits"},
        {disk->wwn && !is_one_of(disk->bus, ON(IDE) | ON(SCSI)), ERROR_CONFIG_UNSUPPORTED,
         "Only ide and scsi disk support wwn"},
        {disk->vendor && strlen(disk->vendor) > VENDOR_MAX, ERROR_CONFIG_UNSUPPORTED,
         "disk vendor is more than 8 characters"},
        {disk->product && strlen(disk->product) > PRODUCT_MAX, ERROR_CONFIG_UNSUPPORTED,
         "disk product is more than 16 characters"},
        {(disk->vendor || disk->product) && disk->bus != DISK_BUS_SCSI, ERROR_CONFIG_UNSUPPORTED,
         "Only scsi disk supports vendor and product"},
    };

    return VALIDATE_RULES(rules, "disk", disk->target, reterr);
}

static int check_driver(const DiskDef *disk, Error **reterr) {
    const bool virtio = disk->bus == DISK_BUS_VIRTIO;
    const ValidateRule rules[] = {
        {streq_ptr(disk->source.startup_policy, "requisite") && !disk_is_removable(disk), ERROR_XML,
         "disk startupPolicy 'requisite' is allowed only for cdrom or floppy"},
        {disk->source.format != DISK_FORMAT_NONE_ &&
             streq(words_name(&disk_formats, (int)disk->source.format), "luks"),
         ERROR_CONFIG_UNSUPPORTED,
         "unknown driver format value 'luks': give the format inside, and <encryption>"},
        {streq_ptr(disk->rerror_policy, "enospace"), ERROR_CONFIG_UNSUPPORTED,
         "Invalid disk read error policy 'enospace', which is of writes"},
        {streq_ptr(disk->io, "native") && !streq_ptr(disk->cache, "none") &&
             !streq_ptr(disk->cache, "directsync"),
         ERROR_CONFIG_UNSUPPORTED,
         "io='native' needs either no disk cache or directsync cache mode"},
        {disk->event_idx && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "disk event_idx mode supported only for virtio bus"},
        {disk->ioeventfd && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "disk ioeventfd mode supported only for virtio bus"},
        {disk->queues && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "queues attribute in disk driver element is only supported by virtio-blk"},
        {validate_has_virtio(&disk->virtio) && !virtio, ERROR_CONFIG_UNSUPPORTED,
         "iommu driver option is only supported for virtio devices"},
        {disk->trans && disk->cyls && disk->heads && disk->secs && disk->bus != DISK_BUS_IDE,
         ERROR_CONFIG_UNSUPPORTED, "CHS translation mode can only be set for 'ide' bus"},
        {disk->copy_on_read == TRISTATE_YES && disk_is_removable(disk), ERROR_CONFIG_UNSUPPORTED,
         "copy_on_read is not supported with a removable disk"},
        {disk->copy_on_read == TRISTATE_YES && disk->readonly, ERROR_CONFIG_UNSUPPORTED,
         "copy_on_read is not compatible with a read-only disk"},
        {disk->shareable && !disk->readonly && disk->source.format != DISK_FORMAT_NONE_ &&
             disk->source.format != DISK_FORMAT_RAW,
         ERROR_CONFIG_UNSUPPORTED, "shared access requires use of supported storage format 'raw'"},
    };

    return VALIDATE_RULES(rules, "disk", disk->target, reterr);
}

/* What a secret has to be for that proves who one is by that protocol; NULL: libvirt does not ask.
 */
static const char *secret_usage_of(const char *protocol) {
    if (streq_ptr(protocol, "rbd"))
        return "ceph";
    return streq_ptr(protocol, "iscsi") ? "iscsi" : NULL;
}

static bool is_secret_type(const char *type) {
    static const char *const types[] = {"none", "volume", "ceph", "iscsi", "tls", "vtpm"};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (streq_ptr(type, types[i]))
            return true;
    return false;
}

static int check_auth(const DiskDef *disk, Error **reterr) {
    const StorageAuth *auth = disk_auth(disk, &disk->source);
    const char *wanted = secret_usage_of(disk->source.protocol);
    const ValidateRule rules[] = {
        {disk->auth && disk->source.auth, ERROR_CONFIG_UNSUPPORTED,
         "an <auth> definition already found for disk source: one beside it is enough"},
        {auth && streq_ptr(disk->source.protocol, "nbd"), ERROR_CONFIG_UNSUPPORTED,
         "authentication is not supported for protocol 'nbd'"},
        {auth && !is_secret_type(auth->secret_type), ERROR_CONFIG_UNSUPPORTED,
         "unknown secret type in <auth>: 'ceph' or 'iscsi' can be"},
        {auth && wanted && !streq_ptr(auth->secret_type, wanted), ERROR_CONFIG_UNSUPPORTED,
         "invalid secret type in <auth>: 'ceph' is for rbd, 'iscsi' for iscsi"},
    };

    return VALIDATE_RULES(rules, "disk", disk->target, reterr);
}

static bool has_port(const StorageSource *source) {
    for (size_t i = 0; i < source->n_hosts; i++)
        if (source->hosts[i].port)
            return true;
    return false;
}

static int check_source(const DomainDef *def, const DiskDef *disk, Error **reterr) {
    const StorageSource *source = &disk->source;
    const StorageEncryption *encryption = source->encryption ? source->encryption
                                                             : disk->encryption;
    const char *format = encryption ? encryption->format : NULL;
    const ValidateRule rules[] = {
        {source->type == DISK_DIR && !disk->readonly, ERROR_CONFIG_UNSUPPORTED,
         "virtual FAT storage can't be accessed in read-write mode: it needs <readonly/>"},
        {source->type == DISK_VHOSTUSER && !domain_def_shares_memory(def) &&
             !domain_def_is_s390(def),
         ERROR_CONFIG_UNSUPPORTED,
         "'vhostuser' requires shared memory: <memoryBacking> with <access mode='shared'/>"},
        {source->type == DISK_NETWORK && streq_ptr(source->protocol, "nfs") && has_port(source),
         ERROR_CONFIG_UNSUPPORTED, "port cannot be specified in 'nfs' protocol host"},
        {source->reservations && disk->device != DISK_DEVICE_LUN, ERROR_CONFIG_UNSUPPORTED,
         "<reservations/> allowed only for lun devices"},
        {streq_ptr(format, "qcow") || streq_ptr(format, "default"), ERROR_CONFIG_UNSUPPORTED,
         "old qcow/qcow2 encryption is not supported: use format='luks'"},
        {encryption && encryption->cipher_name, ERROR_CONFIG_UNSUPPORTED,
         "supplying <cipher> for domain disk definition is unnecessary"},
    };

    return VALIDATE_RULES(rules, "disk", disk->target, reterr);
}

/* What the process at the other end of the socket does, or nobody. */
static int check_vhost_user(const DiskDef *disk, Error **reterr) {
    const struct {
        const char *name;
        bool given;
    } parts[] = {{"snapshot", disk->snapshot && !streq(disk->snapshot, "no")},
                 {"readonly", disk->readonly},
                 {"shareable", disk->shareable},
                 {"transient", disk->transient},
                 {"serial", disk->serial != NULL},
                 {"wwn", disk->wwn != NULL},
                 {"encryption", disk_encryption(disk) != NULL},
                 {"backingStore", disk->backing && storage_is_there(&disk->backing->source)},
                 {"geometry", disk->cyls || disk->heads || disk->secs},
                 {"blockio", disk->logical_block_size || disk->physical_block_size},
                 {"iotune", disk->iotune.total_bytes_sec || disk->iotune.read_bytes_sec ||
                                disk->iotune.write_bytes_sec || disk->iotune.total_iops_sec ||
                                disk->iotune.read_iops_sec || disk->iotune.write_iops_sec},
                 {"cache", disk->cache != NULL},
                 {"io", disk->io != NULL},
                 {"error_policy", disk->error_policy || disk->rerror_policy},
                 {"ioeventfd", disk->ioeventfd != TRISTATE_ABSENT},
                 {"event_idx", disk->event_idx != TRISTATE_ABSENT},
                 {"copy_on_read", disk->copy_on_read != TRISTATE_ABSENT},
                 {"discard", disk->discard != NULL},
                 {"detect_zeroes", disk->detect_zeroes != NULL},
                 {"iothread", disk->iothread != 0}};

    if (disk->source.type != DISK_VHOSTUSER)
        return 0;
    if (disk->bus != DISK_BUS_VIRTIO || disk->device != DISK_DEVICE_DISK)
        return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "vhostuser disk supports only virtio bus and device='disk', for disk "
                            "'%s'",
                            disk->target);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i].given)
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "%s is not supported with vhostuser disk, for disk '%s'",
                                parts[i].name, disk->target);
    return 0;
}

static bool is_partition(const char *target) {
    const size_t len = strlen(target);

    return len && isdigit((unsigned char)target[len - 1]) && disk_target_index(target) >= 0 &&
           strncmp(target, "fd", 2) != 0;
}

static const Words foreign_formats = WORDS("cow", "dir", "iso");

/* Its name, its format, and what opens it. */
static int check_image(const DiskDef *disk, Error **reterr) {
    const StorageSource *source = &disk->source;
    const char *format = words_name(&disk_formats, (int)source->format);
    const StorageEncryption *encryption = disk_encryption(disk);
    const bool encrypted = encryption && !streq_ptr(encryption->engine, "librbd");
    const ValidateRule rules[] = {
        {is_partition(disk->target), ERROR_CONFIG_UNSUPPORTED,
         "invalid disk target: partitions can't appear in disk targets"},
        {source->type != DISK_DIR && words_find(&foreign_formats, format) >= 0,
         ERROR_CONFIG_UNSUPPORTED,
         "this storage format is not supported by QEMU: an image is 'raw' or 'qcow2', a folder has "
         "type='dir'"},
        {encrypted && !streq(format, "raw") && !streq(format, "qcow2") && !streq(format, ""),
         ERROR_CONFIG_UNSUPPORTED,
         "encryption is supported only with 'raw' and 'qcow2' image format"},
        {source->auth && disk->auth, ERROR_CONFIG_UNSUPPORTED,
         "an <auth> definition already found for disk source"},
        {source->encryption && disk->encryption, ERROR_CONFIG_UNSUPPORTED,
         "an <encryption> definition already found for disk source"},
        {disk->transient && disk->readonly, ERROR_CONFIG_UNSUPPORTED,
         "a transient disk must not be read-only"},
        {disk->transient && source->type != DISK_FILE, ERROR_CONFIG_UNSUPPORTED,
         "a transient disk is supported only with type 'file'"},
        {disk->transient && disk->device != DISK_DEVICE_DISK, ERROR_CONFIG_UNSUPPORTED,
         "a transient disk is supported only with device 'disk'"},
    };

    return VALIDATE_RULES(rules, "disk", disk->target, reterr);
}

static int check_address(const DiskDef *disk, Error **reterr) {
    static const unsigned drives = ON(SATA) | ON(SCSI) | ON(FDC) | ON(IDE);
    const AddressType type = disk->info.address.type;
    const bool given = type != ADDRESS_NONE && type != ADDRESS_VIRTIO_SERIAL;
    const ValidateRule rules[] = {
        {disk->bus == DISK_BUS_VIRTIO && given && type != ADDRESS_PCI && type != ADDRESS_CCW &&
             type != ADDRESS_VIRTIO_MMIO && type != ADDRESS_VIRTIO_S390,
         ERROR_CONFIG_UNSUPPORTED,
         "virtio disk cannot have an address of this type: give it 'pci'"},
        {is_one_of(disk->bus, drives) && given && type != ADDRESS_DRIVE, ERROR_CONFIG_UNSUPPORTED,
         "Invalid address type for a disk on this bus: give it 'drive'"},
        {disk->bus == DISK_BUS_USB && given && type != ADDRESS_USB && type != ADDRESS_CCW &&
             type != ADDRESS_UNASSIGNED,
         ERROR_INTERNAL, "unexpected address type for usb disk: give it 'usb'"},
    };

    return VALIDATE_RULES(rules, "disk", disk->target, reterr);
}

int validate_disks(const DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < def->n_disks && r >= 0; i++) {
        const DiskDef *disk = &def->disks[i];

        r = check_bus(disk, reterr);
        if (r >= 0)
            r = check_names(disk, reterr);
        if (r >= 0)
            r = check_driver(disk, reterr);
        if (r >= 0)
            r = check_source(def, disk, reterr);
        if (r >= 0)
            r = check_auth(disk, reterr);
        if (r >= 0)
            r = check_vhost_user(disk, reterr);
        if (r >= 0)
            r = check_image(disk, reterr);
        if (r >= 0)
            r = check_address(disk, reterr);
    }
    return r;
}
