/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which devices want a PCI address, in which order, on which kind of bus. */
#include "conf/addresses.h"

static bool starts(const char *text, const char *with) {
    return text && strncmp(text, with, strlen(with)) == 0;
}

bool domain_def_is_q35(const DomainDef *def) {
    return domain_def_is_x86(def) &&
           (streq_ptr(def->os.machine, "q35") || starts(def->os.machine, "pc-q35-"));
}

bool domain_def_is_i440fx(const DomainDef *def) {
    const char *machine = def->os.machine;

    return domain_def_is_x86(def) &&
           (streq_ptr(machine, "pc") || starts(machine, "pc-i440fx-") || starts(machine, "pc-0.") ||
            starts(machine, "pc-1.") || starts(machine, "rhel"));
}

bool domain_def_is_x86(const DomainDef *def) {
    const char *arch = def->os.arch;

    return streq_ptr(arch, "x86_64") || streq_ptr(arch, "i686") || streq_ptr(arch, "i386");
}

bool domain_def_is_s390(const DomainDef *def) {
    return starts(def->os.arch, "s390");
}

bool domain_def_is_virt(const DomainDef *def) {
    const char *arch = def->os.arch, *machine = def->os.machine;

    return (streq_ptr(arch, "aarch64") || streq_ptr(arch, "armv7l") || starts(arch, "riscv")) &&
           (streq_ptr(machine, "virt") || starts(machine, "virt-"));
}

typedef struct Refs {
    DeviceRef *refs;
    size_t n;
    bool express, ccw, failed;
} Refs;

static void add(Refs *refs, DeviceInfo *info, const char *kind, size_t index, unsigned connect) {
    DeviceRef *ref;

    if (!connect || refs->failed)
        return;
    if (info->address.type != ADDRESS_NONE && info->address.type != ADDRESS_PCI &&
        !(refs->ccw && info->address.type == ADDRESS_CCW))
        return;
    ref = array_append(&refs->refs, &refs->n, sizeof(DeviceRef));
    if (ref)
        *ref = (DeviceRef){info, kind, index,
                           refs->express || !(connect & PCI_CONNECT_EXPRESS)
                               ? connect
                               : (connect & ~PCI_CONNECT_EXPRESS) | PCI_CONNECT_DEVICE};
    else
        refs->failed = true;
}

/* Of a virtio device's model: transitional ones have legacy I/O ports, which Express has not. */
static unsigned virtio_connect(const char *model) {
    return streq_ptr(model, "virtio-transitional") ? PCI_CONNECT_DEVICE : PCI_CONNECT_EXPRESS;
}

static unsigned pci_controller_connect(const ControllerDef *controller) {
    static const struct {
        const char *model;
        unsigned connect;
    } rows[] = {{"pci-bridge", PCI_CONNECT_BRIDGE},
                {"dmi-to-pci-bridge", PCI_CONNECT_DMI_BRIDGE},
                {"pcie-to-pci-bridge", PCI_CONNECT_EXPRESS_BRIDGE},
                {"pcie-root-port", PCI_CONNECT_ROOT_PORT},
                {"pcie-switch-upstream-port", PCI_CONNECT_SWITCH},
                {"pcie-switch-downstream-port", PCI_CONNECT_DOWNSTREAM},
                {"pci-expander-bus", PCI_CONNECT_EXPANDER},
                {"pcie-expander-bus", PCI_CONNECT_EXPRESS_EXPANDER}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq_ptr(controller->model, rows[i].model))
            return rows[i].connect;
    return 0;
}

static unsigned controller_connect(const ControllerDef *controller) {
    const char *model = controller->model;

    switch (controller->type) {
    case CONTROLLER_SATA:
        return PCI_CONNECT_DEVICE;
    case CONTROLLER_SCSI:
        return !model || starts(model, "virtio") ? virtio_connect(model) : PCI_CONNECT_DEVICE;
    case CONTROLLER_VIRTIO_SERIAL:
        return virtio_connect(model);
    case CONTROLLER_USB:
        if (!model || streq(model, "none"))
            return 0;
        return strstr(model, "xhci") ? PCI_CONNECT_EXPRESS : PCI_CONNECT_DEVICE;
    default:
        return 0;
    }
}

static unsigned interface_connect(const InterfaceDef *interface) {
    static const char *const conventional[] = {"rtl8139", "e1000",     "netfront", "spapr-vlan",
                                               "vlance",  "vmxnet",    "vmxnet2",  "vmxnet3",
                                               "82540EM", "82545EM",   "82543GC",  "Am79C970A",
                                               "lan9118", "scm91c111", "Am79C973"};
    const char *model = interface->model;

    if (interface->type == INTERFACE_HOSTDEV) /* goes with the host's other devices */
        return 0;
    if (!model)
        return PCI_CONNECT_DEVICE;
    if (streq(model, "usb-net"))
        return 0;
    if (starts(model, "virtio"))
        return virtio_connect(model);
    for (size_t i = 0; i < ARRAY_SIZE(conventional); i++)
        if (strcasecmp(model, conventional[i]) == 0)
            return PCI_CONNECT_DEVICE;
    return PCI_CONNECT_EXPRESS;
}

static unsigned video_connect(const VideoDef *video) {
    switch (video->model) {
    case VIDEO_NONE:
    case VIDEO_RAMFB:
        return 0;
    case VIDEO_VIRTIO:
        return PCI_CONNECT_EXPRESS;
    case VIDEO_BOCHS:
        return PCI_CONNECT_EXPRESS;
    default:
        return PCI_CONNECT_DEVICE;
    }
}

static void add_first(Refs *refs, DomainDef *def) {
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == CONTROLLER_PCI)
            add(refs, &def->controllers[i].info, "controller", i,
                pci_controller_connect(&def->controllers[i]));
    for (size_t i = 0; i < def->n_filesystems; i++)
        add(refs, &def->filesystems[i].info, "filesystem", i,
            virtio_connect(def->filesystems[i].model));
    for (size_t i = 0; i < def->n_interfaces; i++)
        add(refs, &def->interfaces[i].info, "interface", i, interface_connect(&def->interfaces[i]));
    for (size_t i = 0; i < def->n_sounds; i++) {
        SoundModel model = def->sounds[i].model;

        if (model != SOUND_SB16 && model != SOUND_PCSPK && model != SOUND_USB)
            add(refs, &def->sounds[i].info, "sound", i, PCI_CONNECT_DEVICE);
    }
    for (size_t i = 0; i < def->n_controllers; i++)
        add(refs, &def->controllers[i].info, "controller", i,
            controller_connect(&def->controllers[i]));
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].bus == DISK_BUS_VIRTIO)
            add(refs, &def->disks[i].info, "disk", i, virtio_connect(def->disks[i].model));
}

static bool hostdev_is_pci(const HostdevDef *hostdev, bool ccw) {
    return (ccw && hostdev->type == HOSTDEV_MDEV && streq_ptr(hostdev->model, "vfio-ccw")) ||
           hostdev->type == HOSTDEV_PCI || hostdev->type == HOSTDEV_SCSI_HOST ||
           (hostdev->type == HOSTDEV_MDEV && streq_ptr(hostdev->model, "vfio-pci"));
}

static void add_second(Refs *refs, DomainDef *def) {
    for (size_t i = 0; i < def->n_interfaces; i++)
        if (def->interfaces[i].type == INTERFACE_HOSTDEV &&
            def->interfaces[i].hostdev.type == ADDRESS_PCI)
            add(refs, &def->interfaces[i].info, "interface", i, PCI_CONNECT_EXPRESS);
    for (size_t i = 0; i < def->n_hostdevs; i++)
        if (hostdev_is_pci(&def->hostdevs[i], refs->ccw))
            add(refs, &def->hostdevs[i].info, "hostdev", i, virtio_connect(def->hostdevs[i].model));
    if (def->memballoon && def->memballoon->model != MEMBALLOON_NONE &&
        def->memballoon->model != MEMBALLOON_XEN)
        add(refs, &def->memballoon->info, "memballoon", 0,
            def->memballoon->model == MEMBALLOON_TRANSITIONAL ? PCI_CONNECT_DEVICE
                                                              : PCI_CONNECT_EXPRESS);
    for (size_t i = 0; i < def->n_rngs; i++)
        add(refs, &def->rngs[i].info, "rng", i, virtio_connect(def->rngs[i].model));
    for (size_t i = 0; i < def->n_watchdogs; i++)
        if (streq(def->watchdogs[i].model, "i6300esb"))
            add(refs, &def->watchdogs[i].info, "watchdog", i, PCI_CONNECT_DEVICE);
    for (size_t i = 0; i < def->n_videos; i++)
        add(refs, &def->videos[i].info, "video", i, video_connect(&def->videos[i]));
    for (size_t i = 0; i < def->n_shmems; i++)
        add(refs, &def->shmems[i].info, "shmem", i, PCI_CONNECT_DEVICE);
    for (size_t i = 0; i < def->n_inputs; i++)
        if (def->inputs[i].bus == INPUT_BUS_VIRTIO)
            add(refs, &def->inputs[i].info, "input", i, virtio_connect(def->inputs[i].model));
    for (size_t i = 0; i < def->n_chardevs; i++)
        if (def->chardevs[i].kind == CHARDEV_SERIAL &&
            streq_ptr(def->chardevs[i].target_type, "pci-serial"))
            add(refs, &def->chardevs[i].info, "serial", i, PCI_CONNECT_DEVICE);
    if (def->vsock)
        add(refs, &def->vsock->info, "vsock", 0, virtio_connect(def->vsock->model));
    if (def->iommu.given && def->iommu.model == IOMMU_VIRTIO)
        add(refs, &def->iommu.info, "iommu", 0, PCI_CONNECT_EXPRESS | PCI_CONNECT_INTEGRATED);
    for (size_t i = 0; i < def->n_memories; i++)
        if (def->memories[i].model == MEMORY_VIRTIO_MEM ||
            def->memories[i].model == MEMORY_VIRTIO_PMEM)
            add(refs, &def->memories[i].info, "memory", i, PCI_CONNECT_EXPRESS);
    for (size_t i = 0; i < def->n_cryptos; i++)
        add(refs, &def->cryptos[i].info, "crypto", i, PCI_CONNECT_EXPRESS);
    for (size_t i = 0; i < def->n_panics; i++)
        if (streq_ptr(def->panics[i].model, "pvpanic"))
            add(refs, &def->panics[i].info, "panic", i, PCI_CONNECT_DEVICE);
}

int domain_def_pci_devices(DomainDef *def, DeviceRef **ret, size_t *ret_n) {
    const ControllerDef *root = domain_def_controller(def, CONTROLLER_PCI, 0);
    Refs refs = {.express = root && streq_ptr(root->model, "pcie-root"),
                 .ccw = domain_def_is_s390(def)};

    add_first(&refs, def);
    add_second(&refs, def);
    if (refs.failed) {
        free(refs.refs);
        return -ENOMEM;
    }
    *ret = refs.refs;
    *ret_n = refs.n;
    return 0;
}

/* ---- controllers ---- */

ControllerDef *domain_def_controller(const DomainDef *def, ControllerType type, int index) {
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == type && def->controllers[i].index == index)
            return &def->controllers[i];
    return NULL;
}

/* Before the first of its type with a higher index, or before the companions of its own that come
 * earlier, else where it is. */
static size_t place_controller(const ControllerDef *controllers, size_t n,
                               const ControllerDef *one) {
    for (size_t i = 0; i < n && one->index >= 0; i++)
        if (controllers[i].type == one->type &&
            (controllers[i].index > one->index ||
             (controllers[i].index == one->index && controllers[i].info.has_master &&
              !one->info.has_master)))
            return i;
    return n;
}

static void insert_controller(ControllerDef *controllers, size_t n, ControllerDef one) {
    size_t at = place_controller(controllers, n, &one);

    memmove(controllers + at + 1, controllers + at, (n - at) * sizeof(ControllerDef));
    controllers[at] = one;
}

void domain_def_sort_controllers(DomainDef *def) {
    for (size_t i = 1; i < def->n_controllers; i++)
        insert_controller(def->controllers, i, def->controllers[i]);
}

ControllerDef *domain_def_add_controller(DomainDef *def, ControllerType type, int index,
                                         const char *model) {
    CLEANUP_FREE char *copy = model ? strdup(model) : NULL;

    if ((model && !copy) ||
        !array_append(&def->controllers, &def->n_controllers, sizeof(ControllerDef)))
        return NULL;
    def->controllers[def->n_controllers - 1] = (ControllerDef){
        .type = type, .index = index, .model = TAKE_PTR(copy)};
    return &def->controllers[def->n_controllers - 1];
}
