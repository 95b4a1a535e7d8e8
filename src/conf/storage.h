/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a disk's or a backing file's bytes are: <source> with its <auth>, <encryption>, hosts and
 * slices, and the chain of <backingStore>. */
#pragma once

#include "conf/device-info.h"

typedef enum DiskType {
    DISK_TYPE_NONE_,
    DISK_FILE,
    DISK_BLOCK,
    DISK_DIR,
    DISK_NETWORK,
    DISK_VOLUME,
    DISK_NVME,
    DISK_VHOSTUSER,
    DISK_TYPE_MAX_
} DiskType;

typedef enum DiskFormat {
    DISK_FORMAT_NONE_,
    DISK_FORMAT_RAW,
    DISK_FORMAT_QCOW2,
    DISK_FORMAT_MAX_ = 19
} DiskFormat;

typedef struct StorageHost {
    char *name, *port, *transport, *socket;
} StorageHost;

typedef struct StorageAuth {
    char *username;
    char *secret_type, *secret_uuid, *secret_usage;
} StorageAuth;

typedef struct EncryptionSecret {
    char *type, *uuid, *usage;
} EncryptionSecret;

typedef struct StorageEncryption {
    char *format; /* luks, luks2, qcow, default */
    char *engine; /* qemu, librbd */
    EncryptionSecret *secrets;
    size_t n_secrets;
    char *cipher_name, *cipher_size, *cipher_mode, *cipher_hash, *ivgen_name, *ivgen_hash;
} StorageEncryption;

typedef struct StorageCookie {
    char *name, *value;
} StorageCookie;

typedef struct StorageSlice {
    char *type; /* storage */
    uint64_t offset, size;
    bool has_offset;
} StorageSlice;

typedef struct DeviceSeclabel {
    char *model, *label;
    Tristate relabel, labelskip;
} DeviceSeclabel;

/* <reservations>: who has a SCSI reservation asked for by the guest carried out. Of a managed one
 * that runs, the daemon's. */
typedef struct StorageReservations {
    Tristate managed;
    char *type, *path, *mode; /* of its <source> */
} StorageReservations;

typedef struct StorageSource {
    DiskType type;
    DiskFormat format;
    char *path;    /* file, block, dir; network: the name; vhostuser: the socket; NULL: none */
    char *fdgroup; /* file: descriptors that a client is to hand over */
    char *protocol, *query, *tls, *tls_hostname; /* network */
    StorageHost *hosts;
    size_t n_hosts;
    char *snapshot, *config, *initiator;
    Tristate ssl_verify;
    StorageCookie *cookies;
    size_t n_cookies;
    uint64_t readahead, timeout;                            /* bytes, seconds */
    char *nfs_user, *nfs_group;                             /* of its <identity> */
    char *ssh_user, *ssh_keyfile, *ssh_agent, *known_hosts; /* the same, and <knownHosts> */
    char *pool, *volume, *mode;                             /* volume */
    char *nvme_type;                                        /* pci */
    Tristate managed;
    unsigned nvme_namespace;
    PciAddress nvme_address;
    char *socket_type, *reconnect; /* vhostuser: unix */
    unsigned reconnect_timeout;
    char *startup_policy;
    unsigned index; /* live */
    char *node;     /* QEMU's name of its node; NULL: the one it was started with; not in the XML */
    StorageAuth *auth;
    StorageEncryption *encryption;
    StorageReservations *reservations;
    StorageSlice *slices;
    size_t n_slices;
    DeviceSeclabel *seclabels;
    size_t n_seclabels;
} StorageSource;

/* One of the chain; an element with nothing in it ends the chain. */
typedef struct BackingStore {
    StorageSource source;
    unsigned index;          /* live; that of `source` stays 0 */
    uint64_t metadata_cache; /* bytes */
    struct BackingStore *next;
    bool detected; /* not of the XML: seen in the image */
} BackingStore;

extern const Words disk_types, disk_formats;
/* Whether its path is a file or a device of this host; a volume has one once it was looked for. */
static inline bool storage_is_local(const StorageSource *source) {
    return source->path &&
           (source->type == DISK_FILE || source->type == DISK_BLOCK || source->type == DISK_VOLUME);
}

/* The port of that protocol where none is said; NULL: there is none. */
const char *storage_default_port(const char *protocol);
/* Whether it names anything: what ends a chain, or an empty drive, does not. */
static inline bool storage_is_there(const StorageSource *source) {
    return source->type != DISK_TYPE_NONE_ &&
           (source->path || source->protocol || source->type == DISK_NVME);
}
/* <source>, by the type; the type itself is an attribute of the element around it. */
extern const Field storage_source_fields[];
extern const Element storage_auth_element, storage_encryption_element, backing_store_element,
    device_seclabel_element;
