/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/machine.h"

#include "conf/addresses.h"

static bool starts(const char *text, const char *with) {
    return text && strncmp(text, with, strlen(with)) == 0;
}

static bool is_power(const DomainDef *def) {
    return starts(def->os.arch, "ppc64");
}

bool domain_def_is_pseries(const DomainDef *def) {
    return is_power(def) &&
           (streq_ptr(def->os.machine, "pseries") || starts(def->os.machine, "pseries-"));
}

/* Its buses are those of its host bridges, which QEMU makes: nothing of "pci.0" starts. */
static bool is_powernv(const DomainDef *def) {
    return is_power(def) && starts(def->os.machine, "powernv");
}

static bool is_arm(const DomainDef *def) {
    return streq_ptr(def->os.arch, "aarch64") || starts(def->os.arch, "arm");
}

static bool is_arm_virt(const DomainDef *def) {
    return is_arm(def) && domain_def_is_virt(def);
}

static bool is_vexpress(const DomainDef *def) {
    return is_arm(def) && starts(def->os.machine, "vexpress-");
}

static bool is_versatile(const DomainDef *def) {
    return is_arm(def) && streq_ptr(def->os.machine, "versatilepb");
}

static bool is_riscv(const DomainDef *def) {
    return starts(def->os.arch, "riscv");
}

/* Boards of old, with a PCI bus. */
static bool is_pci_board(const DomainDef *def) {
    return streq_ptr(def->os.arch, "ppc") || streq_ptr(def->os.arch, "alpha") ||
           starts(def->os.arch, "sh4") || starts(def->os.arch, "sparc");
}

#define X86                                                                                        \
    .usb_default = "piix3-uhci", .scsi = "lsilogic", .card = "rtl8139", .serial = "isa-serial",    \
    .uart = "isa-serial", .tpm = "tpm-tis", .panic = "isa", .video = VIDEO_CIRRUS,                 \
    .input = INPUT_BUS_PS2, .memballoon = true, .ps2_inputs = true
#define VIRT                                                                                       \
    .pci_root = "pcie-root", .usb_default = "qemu-xhci", .scsi = "lsilogic", .card = "virtio",     \
    .serial = "system-serial", .tpm = "tpm-tis", .panic = "isa", .video = VIDEO_VIRTIO,            \
    .input = INPUT_BUS_USB
#define POWER                                                                                      \
    .pci_root = "pci-root", .usb = "qemu-xhci", .usb_default = "qemu-xhci", .card = "rtl8139",     \
    .tpm = "tpm-spapr", .video = VIDEO_VGA, .input = INPUT_BUS_USB, .memballoon = true,            \
    .usb_inputs = true
#define BOARD                                                                                      \
    .scsi = "lsilogic", .tpm = "tpm-tis", .panic = "isa", .video = VIDEO_CIRRUS,                   \
    .input = INPUT_BUS_USB

static const struct {
    bool (*is)(const DomainDef *def);
    MachineTraits traits;
} rows[] = {
    {domain_def_is_q35, {X86, .pci_root = "pcie-root", .usb = "qemu-xhci", .sata = true}},
    {domain_def_is_i440fx,
     {X86, .pci_root = "pci-root", .pci_bridge = "pci-bridge", .usb = "piix3-uhci"}},
    {domain_def_is_x86, {X86}},
    {is_arm_virt, {VIRT, .uart = "pl011", .gic = true}},
    {is_vexpress, {BOARD, .card = "lan9118", .mmio = true}},
    {is_versatile, {BOARD, .card = "smc91c111"}},
    {is_arm, {BOARD, .card = "lan9118"}},
    {domain_def_is_virt, {VIRT, .uart = "16550a", .memballoon = true}},
    {is_riscv, {BOARD, .card = "rtl8139", .memballoon = true}},
    {domain_def_is_s390,
     {.pci_root = "pci-root",
      .pci_bridge = "pci-bridge",
      .usb_default = "none",
      .scsi = "virtio-scsi",
      .card = "virtio",
      .serial = "sclp-serial",
      .tpm = "tpm-tis",
      .panic = "s390",
      .video = VIDEO_VIRTIO,
      .input = INPUT_BUS_VIRTIO,
      .memballoon = true,
      .has_panic = true}},
    {domain_def_is_pseries,
     {POWER, .pci_bridge = "pci-root", .scsi = "ibmvscsi", .serial = "spapr-vio-serial",
      .panic = "pseries", .has_panic = true}},
    {is_powernv, {BOARD, .card = "rtl8139"}},
    {is_power, {POWER, .pci_bridge = "pci-bridge", .scsi = "lsilogic", .panic = "isa"}},
    {is_pci_board,
     {BOARD, .pci_root = "pci-root", .pci_bridge = "pci-bridge", .usb = "piix3-uhci",
      .usb_default = "piix3-uhci", .card = "rtl8139", .memballoon = true}},
};

const MachineTraits *machine_traits(const DomainDef *def) {
    static const MachineTraits other = {BOARD, .card = "rtl8139", .memballoon = true};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].is(def))
            return &rows[i].traits;
    return &other;
}
