/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <controller>. */
#pragma once

#include "conf/device-info.h"

typedef enum ControllerType {
    CONTROLLER_IDE,
    CONTROLLER_FDC,
    CONTROLLER_SCSI,
    CONTROLLER_SATA,
    CONTROLLER_VIRTIO_SERIAL,
    CONTROLLER_CCID,
    CONTROLLER_USB,
    CONTROLLER_PCI,
    CONTROLLER_XENBUS,
    CONTROLLER_ISA,
    CONTROLLER_TYPE_MAX_
} ControllerType;

typedef struct ControllerDef {
    ControllerType type;
    int index;      /* -1: not given */
    char *model;    /* a word of libvirt's for the type */
    unsigned ports; /* usb, virtio-serial */
    bool has_ports;
    unsigned vectors;
    bool has_vectors;
    char *pci_model;                                         /* pci: <model name=> */
    unsigned chassis_nr, chassis, port, busnr, target_index; /* pci: <target> */
    bool has_chassis_nr, has_chassis, has_port, has_busnr, has_target_index;
    unsigned node;
    bool has_node;
    Tristate hotplug;
    uint64_t hole64; /* KiB */
    bool has_hole64;
    unsigned queues, cmd_per_lun, max_sectors, iothread;
    Tristate ioeventfd;
    VirtioOptions virtio;
    DeviceInfo info;
} ControllerDef;

extern const Words controller_types;
extern const Element controller_element;
