/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of a disk's block nodes. */
#pragma once

#include "qemu/devices/device.h"

#define NODE_SIZE 96u /* bytes of the name of a node, or of an object of a disk's */

/* The driver of a network source, with its options. ERROR_CONFIG_UNSUPPORTED for what QEMU has no
 * driver for, or no option. */
int blockdev_network(const DeviceContext *context, const StorageSource *source, Props *node,
                     Error **reterr);
