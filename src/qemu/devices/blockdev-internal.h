/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of a disk's block nodes. */
#pragma once

#include "qemu/devices/device.h"

#define NODE_SIZE 96u /* bytes of the name of a node */

/* What names of a disk's nodes are made of. */
const char *blockdev_base(const DiskDef *disk);
/* The node with the format of a source of the disk's chain; place 0 is the disk's own. */
void blockdev_node(const DiskDef *disk, const StorageSource *source, size_t place,
                   char ret[NODE_SIZE]);
/* The node with the bytes below it. */
void blockdev_storage_node(const DiskDef *disk, const StorageSource *source, size_t place,
                           char ret[NODE_SIZE]);

/* ---- sources that are reached by a network ---- */

/* One of them, and what its objects are named after. */
typedef struct RemoteSource {
    const DeviceContext *context;
    const StorageSource *source;
    const StorageAuth *auth; /* NULL: nobody */
    const char *storage;     /* the name of its node */
} RemoteSource;

/* The driver of it, with its options. ERROR_CONFIG_UNSUPPORTED for what QEMU has no driver for, or
 * no option. */
int blockdev_network(const RemoteSource *remote, Props *node, Error **reterr);

/* ---- secrets: names of their objects ---- */

void blockdev_luks_secret(const DiskDef *disk, char ret[DISK_SECRET_ID_SIZE]);
void blockdev_auth_secret(const char *storage, char ret[DISK_SECRET_ID_SIZE]);
void blockdev_cookie_secret(const char *storage, char ret[DISK_SECRET_ID_SIZE]);
/* The objects, each with the descriptor that the host parts have for it. */
void blockdev_add_secrets(const DeviceContext *context, const DiskDef *disk, DeviceSteps *steps);
