/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/disk.h"

#include <ctype.h>

static const Words disk_devices = WORDS("disk", "cdrom", "floppy", "lun");
const Words disk_buses = WORDS_NOT_STARTED(WORD_MASK(DISK_BUS_XEN) | WORD_MASK(DISK_BUS_UML), "",
                                           "virtio", "ide", "sata", "scsi", "fdc", "usb", "sd",
                                           "xen", "uml");
static const Words disk_models = WORDS("virtio", "virtio-transitional", "virtio-non-transitional");
static const Words snapshots = WORDS("no", "internal", "external", "manual");
static const Words sgios = WORDS("filtered", "unfiltered");
static const Words yes_no = WORDS("yes", "no");
static const Words trays = WORDS("closed", "open");
static const Words caches = WORDS("default", "none", "writeback", "writethrough", "directsync",
                                  "unsafe");
static const Words ios = WORDS("native", "threads", "io_uring");
static const Words discards = WORDS("unmap", "ignore");
static const Words detects = WORDS("off", "on", "unmap");
static const Words error_policies = WORDS("report", "stop", "ignore", "enospace");
static const Words trans_modes = WORDS("none", "auto", "lba");

static const Field driver_format[] = {FIELD_WORD("@type", StorageSource, format, disk_formats),
                                      FIELD_END};
static const Field cache_fields[] = {
    FIELD_SIZE("max_size", DiskDef, metadata_cache, .flags = FIELD_BYTES, .unit = "bytes"),
    FIELD_END};
static void write_driver_name(ElementWriter *w, const void *object) {
    writer_attribute(w, "name", "qemu");
}

static int read_driver_name(ElementReader *reader, xmlNodePtr node, void *object) {
    CLEANUP_FREE char *name = NULL;
    int r = element_attribute(reader, node, "name", &name);

    if (r < 0 || !name || streq(name, "qemu"))
        return r;
    return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "unsupported driver name '%.80s' of a disk, 'qemu' can be (line %ld)", name,
                        xmlGetLineNo(node));
}

static const Field driver_fields[] = {
    FIELD_CODE(NULL, read_driver_name, write_driver_name),
    FIELD_PART(NULL, DiskDef, source, driver_format),
    FIELD_CHOICE("@cache", DiskDef, cache, caches),
    FIELD_CHOICE("@error_policy", DiskDef, error_policy, error_policies),
    FIELD_CHOICE("@rerror_policy", DiskDef, rerror_policy, error_policies,
                 .flags = FIELD_NOT_ACTED),
    FIELD_CHOICE("@io", DiskDef, io, ios),
    FIELD_ON_OFF("@ioeventfd", DiskDef, ioeventfd),
    FIELD_ON_OFF("@event_idx", DiskDef, event_idx),
    FIELD_ON_OFF("@copy_on_read", DiskDef, copy_on_read),
    FIELD_CHOICE("@discard", DiskDef, discard, discards),
    FIELD_UINT("@iothread", DiskDef, iothread, 1, 16384),
    FIELD_CHOICE("@detect_zeroes", DiskDef, detect_zeroes, detects),
    FIELD_UINT("@queues", DiskDef, queues, 1, 65535),
    FIELD_UINT("@queue_size", DiskDef, queue_size, 1, 65535),
    FIELD_VIRTIO(DiskDef),
    FIELD_GROUP("metadata_cache", cache_fields),
    FIELD_END};

static const Field geometry_fields[] = {FIELD_UINT("@cyls", DiskDef, cyls, 0, UINT32_MAX),
                                        FIELD_UINT("@heads", DiskDef, heads, 0, UINT32_MAX),
                                        FIELD_UINT("@secs", DiskDef, secs, 0, UINT32_MAX),
                                        FIELD_CHOICE("@trans", DiskDef, trans, trans_modes),
                                        FIELD_END};
static const Field blockio_fields[] = {
    FIELD_UINT("@logical_block_size", DiskDef, logical_block_size, 0, UINT32_MAX),
    FIELD_UINT("@physical_block_size", DiskDef, physical_block_size, 0, UINT32_MAX), FIELD_END};
static const Field target_fields[] = {
    FIELD_TEXT("@dev", DiskDef, target, .flags = FIELD_REQUIRED),
    FIELD_WORD("@bus", DiskDef, bus, disk_buses),
    FIELD_CHOICE("@tray", DiskDef, tray, trays),
    FIELD_ON_OFF("@removable", DiskDef, removable),
    FIELD_UINT("@rotation_rate", DiskDef, rotation_rate, 1, 65534),
    FIELD_END};

#define LIMIT(name) FIELD_UINT(#name, DiskIotune, name, 0, INT64_MAX)

static const Field iotune_fields[] = {LIMIT(total_bytes_sec),
                                      LIMIT(read_bytes_sec),
                                      LIMIT(write_bytes_sec),
                                      LIMIT(total_iops_sec),
                                      LIMIT(read_iops_sec),
                                      LIMIT(write_iops_sec),
                                      LIMIT(total_bytes_sec_max),
                                      LIMIT(read_bytes_sec_max),
                                      LIMIT(write_bytes_sec_max),
                                      LIMIT(total_iops_sec_max),
                                      LIMIT(read_iops_sec_max),
                                      LIMIT(write_iops_sec_max),
                                      LIMIT(size_iops_sec),
                                      FIELD_TEXT("group_name", DiskIotune, group_name),
                                      LIMIT(total_bytes_sec_max_length),
                                      LIMIT(read_bytes_sec_max_length),
                                      LIMIT(write_bytes_sec_max_length),
                                      LIMIT(total_iops_sec_max_length),
                                      LIMIT(read_iops_sec_max_length),
                                      LIMIT(write_iops_sec_max_length),
                                      FIELD_END};
static const Field transient_fields[] = {FIELD_YESNO("@shareBacking", DiskDef, share_backing),
                                         FIELD_END};

static const Field disk_type[] = {FIELD_WORD("@type", StorageSource, type, disk_types), FIELD_END};

static const Field disk_fields[] = {
    FIELD_PART(NULL, DiskDef, source, disk_type),
    FIELD_WORD("@device", DiskDef, device, disk_devices),
    FIELD_CHOICE("@model", DiskDef, model, disk_models),
    FIELD_CHOICE("@rawio", DiskDef, rawio, yes_no, .flags = FIELD_NOT_ACTED),
    FIELD_CHOICE("@sgio", DiskDef, sgio, sgios, .flags = FIELD_NOT_ACTED),
    FIELD_CHOICE("@snapshot", DiskDef, snapshot, snapshots),
    FIELD_GROUP("driver", driver_fields),
    FIELD_ONE("auth", DiskDef, auth, storage_auth_element),
    FIELD_PART(NULL, DiskDef, source, storage_source_fields),
    FIELD_ONE("backingStore", DiskDef, backing, backing_store_element),
    FIELD_GROUP("geometry", geometry_fields),
    FIELD_GROUP("blockio", blockio_fields),
    FIELD_VERBATIM("mirror", DiskDef, mirror, .flags = FIELD_LIVE | FIELD_NOT_ACTED | FIELD_SILENT),
    FIELD_GROUP("target", target_fields, .flags = FIELD_REQUIRED),
    FIELD_PART("iotune", DiskDef, iotune, iotune_fields),
    FIELD_PRESENT("readonly", DiskDef, readonly),
    FIELD_PRESENT("shareable", DiskDef, shareable),
    FIELD_GROUP("transient", transient_fields, FIELD_GIVEN(DiskDef, transient)),
    FIELD_TEXT("serial", DiskDef, serial),
    FIELD_TEXT("wwn", DiskDef, wwn),
    FIELD_TEXT("vendor", DiskDef, vendor),
    FIELD_TEXT("product", DiskDef, product),
    FIELD_ONE("encryption", DiskDef, encryption, storage_encryption_element),
    FIELD_ALSO("state"),
    FIELD_INFO_BOOT(DiskDef),
    FIELD_END};

const StorageEncryption *disk_encryption(const DiskDef *disk) {
    return disk->source.encryption ? disk->source.encryption : disk->encryption;
}

const StorageAuth *disk_auth(const DiskDef *disk, const StorageSource *source) {
    const StorageAuth *beside = source == &disk->source ? disk->auth : NULL;

    if (source->type != DISK_NETWORK)
        return NULL;
    return source->auth ? source->auth : beside;
}

int disk_target_index(const char *target) {
    static const char *const prefixes[] = {"fd", "hd", "vd", "sd", "xvd", "ubd"};
    int index = 0;

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        const char *at = target + strlen(prefixes[i]);

        if (strncmp(target, prefixes[i], strlen(prefixes[i])) != 0 || !*at)
            continue;
        for (; islower((unsigned char)*at) && index < 100000; at++)
            index = index * 26 + (*at - 'a') + 1;
        while (isdigit((unsigned char)*at))
            at++;
        return *at || index == 0 ? -EINVAL : index - 1;
    }
    return -EINVAL;
}

static DiskBus default_bus(const DiskDef *disk) {
    const char *target = disk->target;

    if (disk->device == DISK_DEVICE_FLOPPY)
        return DISK_BUS_FDC;
    return strncmp(target, "hd", 2) == 0    ? DISK_BUS_IDE
           : strncmp(target, "sd", 2) == 0  ? DISK_BUS_SCSI
           : strncmp(target, "xvd", 3) == 0 ? DISK_BUS_XEN
           : strncmp(target, "ubd", 3) == 0 ? DISK_BUS_UML
           : strncmp(target, "fd", 2) == 0  ? DISK_BUS_FDC
                                            : DISK_BUS_VIRTIO;
}

static void init_disk(void *object) {
    ((DiskDef *)object)->source.type = DISK_FILE;
}

/* Labels that a run skipped are of that run. */
static void drop_skipped(StorageSource *source) {
    size_t n = 0;

    for (size_t i = 0; i < source->n_seclabels; i++)
        if (source->seclabels[i].labelskip == TRISTATE_YES)
            element_done(&device_seclabel_element, &source->seclabels[i]);
        else
            source->seclabels[n++] = source->seclabels[i];
    source->n_seclabels = n;
}

/* As libvirt writes them. */
static int add_ports(StorageSource *source) {
    const char *port = source->type == DISK_NETWORK ? storage_default_port(source->protocol) : NULL;

    for (size_t i = 0; port && i < source->n_hosts; i++) {
        StorageHost *host = &source->hosts[i];

        if (!host->port && !host->transport && !(host->port = strdup(port)))
            return -ENOMEM;
    }
    return 0;
}

/* What is needed to find it, and what goes without saying. */
static int check_type(ElementReader *reader, xmlNodePtr node, StorageSource *source) {
    const bool again = streq_ptr(source->reconnect, "yes");
    const char *wrong = NULL;

    if (source->type == DISK_NVME && !streq_ptr(source->nvme_type, "pci"))
        wrong = "missing 'type' attribute to disk source: 'pci'";
    else if (source->type == DISK_VHOSTUSER && !streq_ptr(source->socket_type, "unix"))
        wrong = "missing 'type' attribute for vhostuser disk source: 'unix'";
    else if (source->type == DISK_VHOSTUSER && again && !source->reconnect_timeout)
        wrong = "Missing required attribute 'timeout' in element 'reconnect'";
    else if (source->reconnect && !again && !streq(source->reconnect, "no"))
        wrong = "Invalid value for attribute 'enabled' in element 'reconnect': 'yes' or 'no'";
    if (!again)
        source->reconnect_timeout = 0;
    return wrong ? error_report(reader->reterr, FROM_DOMAIN, ERROR_XML, "%s (line %ld)", wrong,
                                xmlGetLineNo(node))
                 : 0;
}

static int check_disk(ElementReader *reader, xmlNodePtr node, void *object) {
    DiskDef *disk = object;
    StorageSource *source = &disk->source;
    int r = check_type(reader, node, source);

    if (r < 0)
        return r;
    if (!reader->live)
        drop_skipped(source);
    if (disk->bus == DISK_BUS_NONE_)
        disk->bus = default_bus(disk);
    if (disk->cache && streq(disk->cache, "default"))
        free(TAKE_PTR(disk->cache));
    if (disk->tray && streq(disk->tray, "closed"))
        free(TAKE_PTR(disk->tray));
    if (disk->snapshot && streq(disk->snapshot, "manual")) /* the newer word */
        memcpy(disk->snapshot, "no", 3);
    if (disk->source.type == DISK_VHOSTUSER && !disk->snapshot && !(disk->snapshot = strdup("no")))
        return error_no_memory(reader->reterr);
    if (disk->device == DISK_DEVICE_CDROM)
        disk->readonly = true;
    if (disk->snapshot && streq(disk->snapshot, "no") && disk->readonly) /* goes without saying */
        free(TAKE_PTR(disk->snapshot));
    if (add_ports(source) < 0)
        return error_no_memory(reader->reterr);
    disk->is_nameless = disk->info.address.type == ADDRESS_NONE &&
                        disk_target_index(disk->target) < 0;
    if (!source->path && !disk_is_removable(disk) &&
        (source->type == DISK_FILE || source->type == DISK_BLOCK || source->type == DISK_DIR ||
         source->type == DISK_VHOSTUSER))
        return element_missing(reader, node, "source");
    if (disk->device == DISK_DEVICE_CDROM && disk->bus == DISK_BUS_VIRTIO)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "disk type of '%s' does not support ejectable media: a cdrom cannot be "
                            "on the virtio bus (line %ld)",
                            disk->target, xmlGetLineNo(node));
    return 0;
}

const Element disk_element = {"disk", sizeof(DiskDef), disk_fields, init_disk, check_disk};

void disk_empty(DiskDef *disk) {
    free(TAKE_PTR(disk->source.path));
    if (disk->backing)
        element_done(&backing_store_element, disk->backing);
    free(TAKE_PTR(disk->backing));
}
