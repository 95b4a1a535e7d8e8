/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU is told of a device: steps, each an object of QEMU's that needs those before it. On the
 * command line they are options, of a running QEMU commands, and their undo goes backwards.
 *
 * A kind of device is a file in this folder and a row in qemu/devices.c. Pure: structs in, steps
 * out; what the host has to make (taps, sockets) comes in QemuHostParts. */
#pragma once

#include "conf/secret.h"
#include "qemu/capabilities.h"
#include "qemu/property.h"

typedef enum StepKind {
    STEP_OBJECT,   /* -object, object-add */
    STEP_CHARDEV,  /* -chardev (text), chardev-add (JSON) */
    STEP_BLOCKDEV, /* -blockdev, blockdev-add */
    STEP_NETDEV,   /* -netdev, netdev_add */
    STEP_AUDIODEV, /* -audiodev; at start only */
    STEP_DEVICE,   /* -device, device_add */
    STEP_ZPCI,     /* the same: what a PCI device is to an s390 guest */
    STEP_WATCHDOG, /* -watchdog-action, watchdog-set-action: of all watchdogs; no undo */
    STEP_OPTION,   /* any other option; at start only */
} StepKind;

typedef struct DeviceStep {
    StepKind kind;
    json_object *json;  /* NULL: text only */
    const char *option; /* static; STEP_OPTION */
    char *text;         /* STEP_CHARDEV and STEP_OPTION; NULL: the option has no value */
} DeviceStep;

typedef struct DeviceSteps {
    DeviceStep *steps;
    size_t n;
    bool failed; /* out of memory */
} DeviceSteps;

/* What the daemon has made for an interface, numbered as QEMU sees it. */
#define QEMU_QUEUES_MAX 16u
#define QEMU_FD_NAME "vireo-fd"
typedef struct QemuTap {
    int fds[QEMU_QUEUES_MAX], vhost_fds[QEMU_QUEUES_MAX];
    unsigned n_fds, n_vhost_fds;
    bool named; /* QEMU was given them by getfd, each as QEMU_FD_NAME and its number */
} QemuTap;

/* A value that is told to nobody, in a descriptor of QEMU's, for the object of that id. */
typedef struct QemuSecret {
    char *id;
    int fd;         /* numbered as QEMU sees it */
    int64_t fd_set; /* of QEMU's, which has it meanwhile; -1: it was born with it */
} QemuSecret;

/* Arrays by the place of the device in the definition, or NULL: the host has made nothing. */
typedef struct QemuHostParts {
    const QemuTap *taps;               /* of interfaces */
    const char *const *tpm_sockets;    /* of swtpm's control channel */
    const char *const *filesystems;    /* of virtiofsd */
    const char *const *vhost_scsi_fds; /* of scsi_host devices */
    const QemuSecret *secrets;         /* of disks; by id, not by place */
    size_t n_secrets;
    int vsock_fd;              /* 0: QEMU opens it itself */
    const char *spice_tls;     /* the directory of spice's certificates, or NULL */
    const SysinfoDef *sysinfo; /* of the host, for <smbios mode='host'>; or NULL */
} QemuHostParts;

typedef struct DeviceContext {
    const DomainDef *def;
    const QemuCaps *caps;
    const QemuMachine *machine;
    const QemuHostParts *parts; /* never NULL */
    bool plugged;               /* the device comes to a machine that runs */
} DeviceContext;

#define DEVICE_WITHOUT_INFO SIZE_MAX
typedef struct DeviceKind {
    const char *name;          /* of the element */
    size_t array, count, size; /* offsets in DomainDef and the item's size; array 0: one part */
    size_t one;                /* array 0: the offset of a pointer to it, which may be NULL */
    size_t info;               /* offset of its DeviceInfo, or DEVICE_WITHOUT_INFO */
    /* Adds its steps; ERROR_CONFIG_UNSUPPORTED for what cannot be had. A failed allocation is left
     * in steps->failed. */
    int (*build)(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr);
} DeviceKind;

#define DEVICE_KIND_LIST(n, member, n_member, Type)                                                \
    .name = n, .array = offsetof(DomainDef, member), .count = offsetof(DomainDef, n_member),       \
    .size = sizeof(Type), .info = offsetof(Type, info)
#define DEVICE_KIND_ONE(n, member, Type)                                                           \
    .name = n, .one = offsetof(DomainDef, member), .size = sizeof(Type),                           \
    .info = offsetof(Type, info)

extern const DeviceKind bridge_kind, controller_kind, disk_kind, interface_kind, chardev_kind,
    graphics_kind, video_kind, sound_kind, audio_kind, input_kind, tpm_kind, watchdog_kind,
    panic_kind, rng_kind, memballoon_kind, shmem_kind, vsock_kind, filesystem_kind, memory_kind,
    hostdev_kind, redirdev_kind, smartcard_kind, crypto_kind, hub_kind;

/* ---- steps ---- */

/* A property of them is taken. */
void steps_props(DeviceSteps *steps, StepKind kind, Props *props);
void steps_option(DeviceSteps *steps, const char *option, const char *format, ...)
    PRINTF_LIKE(3, 4);
void steps_word(DeviceSteps *steps, const char *option); /* an option without a value */
/* Takes both. */
void steps_chardev(DeviceSteps *steps, char *text, json_object *json);
void device_steps_done(DeviceSteps *steps);

/* ---- parts of devices ---- */

bool device_is_s390(const DomainDef *def);
bool device_is_x86(const DomainDef *def);
/* A device of s390 that is no PCI device. */
bool device_is_ccw(const DomainDef *def, const DeviceInfo *info);
/* ERROR_CONFIG_UNSUPPORTED "domain 'X': <what>: …". */
int device_refuse(const DeviceContext *context, Error **reterr, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* {"driver":…,"id":alias}, with the address and what else is in info. */
Props device_props(const DeviceContext *context, const char *driver, const DeviceInfo *info);
/* The same for a virtio device of that name ("blk", "vhost-user-blk"): -pci, -ccw, transitional or
 * not by the model (NULL: virtio), with its virtio options (NULL: none). */
Props device_virtio(const DeviceContext *context, const char *name, const char *model,
                    const VirtioOptions *options, const DeviceInfo *info);
/* The controller of that type and index; NULL: it is not in the definition. */
const ControllerDef *device_controller(const DomainDef *def, ControllerType type, int index);
/* The name that QEMU's buses of a controller begin with: its alias, which may be a person's. */
void device_bus(const DeviceContext *context, ControllerType type, unsigned index, char ret[96]);
/* Whether disks on that SCSI controller have a target and a unit (virtio), or a unit only. */
bool device_scsi_has_targets(const DomainDef *def, unsigned index);
/* A disk's cache mode: what is said, or what goes without saying; NULL: QEMU's own. */
const char *device_disk_cache(const DiskDef *disk);
/* The boot order, also that which <os><boot> gives the first device of its class when the machine
 * is made; 0: none. */
unsigned device_boot_order(const DeviceContext *context, BootDev class, const void *device,
                           const DeviceInfo *info);
/* A chardev "charALIAS" (or, without alias, of that id); *ret_id is its name, of 96 bytes. */
int device_chardev(const DeviceContext *context, const ChardevSource *source, const char *alias,
                   char ret_id[96], DeviceSteps *steps, Error **reterr);
/* The card at which the guest reaches what its <channel type='guestfwd'> are: the first that is
 * QEMU's own network; NULL: there is none. */
const InterfaceDef *device_forwarding_card(const DomainDef *def);
/* "guestfwd" of a netdev of type user: the one channel, or (NULL) all. */
void device_add_guestfwd(const DomainDef *def, const ChardevDef *channel, Props *netdev);
/* The name of the node with the format of a disk's source. */
void device_disk_node(const DiskDef *disk, char ret[96]);
/* The name of the node below it, with the bytes of the file. */
void device_disk_storage_node(const DiskDef *disk, char ret[96]);
/* The name of the node with the bytes below the node of a disk that has the format. */
void device_storage_node(const DiskDef *disk, const char *node, char ret[96]);
/* Writes down how the nodes of the disk's chain are called, so that the chain can change:
 * StorageSource.node of each. -ENOMEM. */
int device_name_nodes(DiskDef *disk);
/* Whether QEMU has opened that node by itself, for the header of the image above it named it:
 * nobody else adds or deletes it. */
static inline bool device_node_is_qemus(const char *node) {
    return node && *node == '#';
}
/* The nodes of a new source of the disk that is to stand above its chain, without what is below
 * it. */
int device_overlay_nodes(const DeviceContext *context, const DiskDef *disk, DeviceSteps *steps,
                         Error **reterr);
#define DISK_SECRET_ID_SIZE 128u /* bytes of the name of its object */
/* What of a disk nobody may read on a command line: QEMU gets it as an object. */
typedef struct DiskSecret {
    const StorageEncryption *encryption; /* one of the three, the others are NULL */
    const StorageAuth *auth;             /* who it is at its host */
    const StorageSource *cookies;        /* a source with cookies */
    SecretUsage usage;                   /* what the secret has to be for */
    char id[DISK_SECRET_ID_SIZE];
} DiskSecret;
typedef int (*DiskSecretVisitor)(const DiskSecret *secret, void *userdata);
/* Those of the disk and of what is below it; ends at the first negative result. */
int device_each_secret(const DiskDef *disk, DiskSecretVisitor visit, void *userdata);
/* The nodes of a disk's source; *ret_node is the name of the topmost. */
int device_blockdevs(const DeviceContext *context, const DiskDef *disk, DeviceSteps *steps,
                     char ret_node[96], Error **reterr);
