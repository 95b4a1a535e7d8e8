/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a kind of machine has of its own, and what its devices are when nobody says: a row a kind.
 */
#pragma once

#include "conf/domain-def.h"

typedef struct MachineTraits {
    const char *pci_root;    /* model of PCI controller 0; NULL: it has none that is known */
    const char *pci_bridge;  /* what is added where its slots of conventional PCI are too few */
    const char *usb;         /* model of the USB controller it always has; NULL: none */
    const char *usb_default; /* model of one that does not say; NULL: that is QEMU's business */
    const char *scsi;        /* model of a SCSI controller */
    const char *card;        /* model of an interface */
    const char *serial;      /* target type of a serial port; NULL: the machine's own */
    const char *uart;        /* and its model, where the type has several */
    const char *tpm;         /* model */
    const char *panic;       /* model of <panic/> */
    VideoModel video;
    InputBus input; /* of a mouse and a keyboard */
    bool sata;      /* controller 0 is there */
    bool memballoon, has_panic;
    bool ps2_inputs; /* a mouse and a keyboard are there */
    bool usb_inputs; /* the same beside a display */
    bool mmio;       /* virtio devices without a bus */
    bool gic;        /* its interrupt controller is of a version one can choose */
} MachineTraits;

/* Never NULL. By os.arch and os.machine, as written or filled in. */
const MachineTraits *machine_traits(const DomainDef *def);
/* POWER's virtual machine: its devices are on the hypervisor's own bus, or behind host bridges. */
bool domain_def_is_pseries(const DomainDef *def);
