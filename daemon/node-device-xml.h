/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The XML of a device of the host, in libvirt's form. */
#pragma once

#include "host/node-device.h"

/* Reads what the device is from its files: on a worker. NULL: no memory. Caller frees. */
char *node_device_xml(const NodeDevices *devices, const NodeDevice *device);
