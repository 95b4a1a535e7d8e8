/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <disk>. */
#pragma once

#include "conf/storage.h"

typedef enum DiskDevice {
    DISK_DEVICE_DISK,
    DISK_DEVICE_CDROM,
    DISK_DEVICE_FLOPPY,
    DISK_DEVICE_LUN,
    DISK_DEVICE_MAX_
} DiskDevice;

typedef enum DiskBus {
    DISK_BUS_NONE_,
    DISK_BUS_VIRTIO,
    DISK_BUS_IDE,
    DISK_BUS_SATA,
    DISK_BUS_SCSI,
    DISK_BUS_FDC,
    DISK_BUS_USB,
    DISK_BUS_SD,
    DISK_BUS_XEN,
    DISK_BUS_UML,
    DISK_BUS_MAX_
} DiskBus;

typedef struct DiskIotune {
    uint64_t total_bytes_sec, read_bytes_sec, write_bytes_sec;
    uint64_t total_iops_sec, read_iops_sec, write_iops_sec;
    uint64_t total_bytes_sec_max, read_bytes_sec_max, write_bytes_sec_max;
    uint64_t total_iops_sec_max, read_iops_sec_max, write_iops_sec_max;
    uint64_t size_iops_sec;
    char *group_name;
    uint64_t total_bytes_sec_max_length, read_bytes_sec_max_length, write_bytes_sec_max_length;
    uint64_t total_iops_sec_max_length, read_iops_sec_max_length, write_iops_sec_max_length;
} DiskIotune;

typedef struct DiskDef {
    StorageSource source; /* source.path NULL: an empty drive */
    DiskDevice device;
    DiskBus bus;
    char *model; /* virtio-transitional, ... */
    char *snapshot, *rawio, *sgio;
    char *target; /* vda; unique */
    char *tray;   /* open, closed */
    Tristate removable;
    unsigned rotation_rate;
    char *cache;   /* none, writeback, writethrough, directsync, unsafe or NULL */
    char *io;      /* native, threads, io_uring or NULL */
    char *discard; /* unmap, ignore or NULL */
    char *detect_zeroes, *error_policy, *rerror_policy;
    Tristate ioeventfd, event_idx, copy_on_read;
    unsigned queues, queue_size;
    unsigned iothread; /* 0: the main loop */
    VirtioOptions virtio;
    uint64_t metadata_cache; /* bytes */
    StorageAuth *auth;       /* written beside <source>, not in it */
    BackingStore *backing;
    char *mirror; /* a running block job: as it came */
    unsigned cyls, heads, secs;
    char *trans;
    unsigned logical_block_size, physical_block_size;
    DiskIotune iotune;
    bool readonly, shareable, transient;
    Tristate share_backing;
    char *serial, *wwn, *vendor, *product;
    StorageEncryption *encryption; /* written beside <source> */
    DeviceInfo info;
    bool is_nameless; /* as it was read: neither an address nor a name that stands for one */
} DiskDef;

extern const Words disk_buses;
extern const Element disk_element;

/* What its source is encrypted with, wherever that is written; NULL: it is not. */
const StorageEncryption *disk_encryption(const DiskDef *disk);
/* Who it is at the host of a source of its chain, wherever that is written; NULL: nobody. Only
 * network sources have hosts. */
const StorageAuth *disk_auth(const DiskDef *disk, const StorageSource *source);
/* Whether its medium comes and goes. */
static inline bool disk_is_removable(const DiskDef *disk) {
    return disk->device == DISK_DEVICE_CDROM || disk->device == DISK_DEVICE_FLOPPY;
}
/* Takes the medium out of a drive, and what is below it. */
void disk_empty(DiskDef *disk);
/* vda -> 0, vdb -> 1, sdaa -> 26; -EINVAL. */
int disk_target_index(const char *target);
