/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aliases, channel paths, the IOMMU. */
#include "qemu/fill.h"

#include "qemu/devices.h"
#include "util/file.h"

/* Without extended interrupt mode no interrupt reaches a vCPU beyond these. */
#define VCPUS_WITHOUT_EIM 255u

/* ---- aliases ---- */

/* Takes the text; NULL is out of memory. */
static int set_alias(DeviceInfo *info, char *alias) {
    if (info->alias) {
        free(alias);
        return 0;
    }
    free(info->alias);
    info->alias = alias;
    return alias ? 0 : -ENOMEM;
}

/* By the letter of its target, which stays when others come and go; by all of the target where two
 * of the bus have the same letter. */
static char *target_alias(const DomainDef *def, const DiskDef *disk, const char *prefix) {
    int letter = disk_target_index(disk->target);
    unsigned same = 0;

    for (size_t i = 0; i < def->n_disks; i++)
        same += def->disks[i].bus == disk->bus && &def->disks[i] != disk &&
                disk_target_index(def->disks[i].target) == letter;
    return letter < 0 || same ? strf("%s-disk-%s", prefix, disk->target)
                              : strf("%s-disk%d", prefix, letter);
}

static char *disk_alias(const DomainDef *def, const DiskDef *disk) {
    static const char *const prefixes[DISK_BUS_MAX_] = {
        [DISK_BUS_IDE] = "ide", [DISK_BUS_SATA] = "sata", [DISK_BUS_SCSI] = "scsi",
        [DISK_BUS_FDC] = "fdc", [DISK_BUS_USB] = "usb",   [DISK_BUS_VIRTIO] = "virtio",
        [DISK_BUS_SD] = "sd"};
    const DeviceAddress *address = &disk->info.address;
    const char *prefix = prefixes[disk->bus] ? prefixes[disk->bus] : "";

    if (address->type != ADDRESS_DRIVE)
        return target_alias(def, disk, prefix);
    if (disk->bus == DISK_BUS_SCSI && device_scsi_has_targets(def, address->controller))
        return strf("%s%u-%u-%u-%u", prefix, address->controller, address->bus, address->target,
                    address->unit);
    return strf("%s%u-%u-%u", prefix, address->controller, address->bus, address->unit);
}

static bool is_q35(const DomainDef *def) {
    return def->os.machine && strstr(def->os.machine, "q35");
}

static char *controller_alias(const DomainDef *def, const ControllerDef *controller) {
    static const char *const prefixes[] = {
        [CONTROLLER_IDE] = "ide",   [CONTROLLER_FDC] = "fdc",
        [CONTROLLER_SCSI] = "scsi", [CONTROLLER_SATA] = "sata",
        [CONTROLLER_CCID] = "ccid", [CONTROLLER_VIRTIO_SERIAL] = "virtio-serial",
        [CONTROLLER_USB] = "usb",   [CONTROLLER_PCI] = "pci."};
    int index = MAX_OF(controller->index, 0);

    if (index == 0 && controller->type == CONTROLLER_USB)
        return strdup("usb");
    if (index == 0 && (controller->type == CONTROLLER_IDE ||
                       (controller->type == CONTROLLER_SATA && is_q35(def))))
        return strdup("ide"); /* the machine's own, whose buses QEMU calls ide.0, ide.1, ... */
    if (controller->type == CONTROLLER_PCI && streq_ptr(controller->model, "pcie-root"))
        return strf("pcie.%d", index);
    return strf("%s%d",
                controller->type < ARRAY_SIZE(prefixes) && prefixes[controller->type]
                    ? prefixes[controller->type]
                    : "controller",
                index);
}

static char *memory_alias(const MemoryDef *memory, size_t index) {
    static const char *const prefixes[MEMORY_MODEL_MAX_] = {[MEMORY_DIMM] = "dimm",
                                                            [MEMORY_NVDIMM] = "nvdimm",
                                                            [MEMORY_VIRTIO_PMEM] = "virtiopmem",
                                                            [MEMORY_VIRTIO_MEM] = "virtiomem",
                                                            [MEMORY_SGX_EPC] = "epc"};

    return strf("%s%zu", prefixes[memory->model] ? prefixes[memory->model] : "memory", index);
}

typedef struct Assign {
    const DomainDef *def;
    const char *channel_dir;
    unsigned chardevs[4]; /* by kind */
} Assign;

static int assign_chardev(Assign *assign, ChardevDef *chardev) {
    static const char *const prefixes[] = {"serial", "console", "channel", "parallel"};
    int r = set_alias(&chardev->info,
                      strf("%s%u", chardev->is_serial_alias ? "serial" : prefixes[chardev->kind],
                           assign->chardevs[chardev->kind]++));

    if (r < 0 || chardev->source.type != CHARDEV_UNIX || chardev->source.path)
        return r;
    chardev->source.path = strf("%s/%s.%s", assign->channel_dir, assign->def->name,
                                chardev->info.alias);
    chardev->source.listen = true;
    return chardev->source.path ? 0 : -ENOMEM;
}

static int assign_one(const DeviceKind *kind, void *device, size_t index, void *userdata) {
    static const struct {
        const DeviceKind *kind;
        const char *prefix;
    } rows[] = {{&interface_kind, "net"},
                {&redirdev_kind, "redir"},
                {&memballoon_kind, "balloon"},
                {&filesystem_kind, "fs"}};
    DeviceInfo *info;
    const char *prefix = kind->name;

    if (kind->info == DEVICE_WITHOUT_INFO)
        return 0;
    info = (DeviceInfo *)((char *)device + kind->info);
    if (kind == &chardev_kind)
        return assign_chardev(userdata, device);
    if (kind == &disk_kind)
        return set_alias(info, disk_alias(((Assign *)userdata)->def, device));
    if (kind == &controller_kind || kind == &bridge_kind)
        return set_alias(info, controller_alias(((Assign *)userdata)->def, device));
    if (kind == &memory_kind)
        return set_alias(info, memory_alias(device, index));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].kind == kind)
            prefix = rows[i].prefix;
    return set_alias(info, strf("%s%zu", prefix, index));
}

/* ---- sources of disks ---- */

static bool has_source(const DiskDef *disk) {
    return storage_is_there(&disk->source) || disk->source.type == DISK_VOLUME;
}

void qemu_number_sources(DomainDef *def) {
    bool fresh = true;
    unsigned last = 0;

    for (size_t i = 0; i < def->n_disks; i++) {
        last = MAX_OF(last, def->disks[i].source.index);
        fresh = fresh && !def->disks[i].source.index;
        for (const BackingStore *at = def->disks[i].backing; at; at = at->next)
            last = MAX_OF(last, at->index);
    }
    for (size_t i = def->n_disks; i-- > 0;) {
        StorageSource *source = &def->disks[i].source;

        if (!has_source(&def->disks[i])) {
            source->format = DISK_FORMAT_NONE_;
            source->index = 0;
            last += fresh;
        } else if (!source->index) {
            source->index = ++last;
        }
        for (BackingStore *at = def->disks[i].backing; at; at = at->next)
            if (!at->index && storage_is_there(&at->source))
                at->index = ++last;
    }
}

/* ---- the IOMMU ---- */

bool qemu_needs_remapping(const DomainDef *def) {
    return device_is_x86(def) && def->n_vcpus_max > VCPUS_WITHOUT_EIM;
}

static int fill_iommu(DomainDef *def) {
    IommuDef *iommu = &def->iommu;
    bool needed = qemu_needs_remapping(def) && is_q35(def);

    iommu->given |= needed;
    if (!iommu->given)
        return 0;
    if (set_alias(&iommu->info, strdup("iommu0")) < 0)
        return -ENOMEM;
    if (iommu->model != IOMMU_INTEL)
        return 0;
    if (needed && iommu->eim == TRISTATE_ABSENT)
        iommu->eim = TRISTATE_YES;
    if (iommu->eim == TRISTATE_YES && iommu->intremap == TRISTATE_ABSENT)
        iommu->intremap = TRISTATE_YES;
    return 0;
}

#define POWER_PIECE (UINT64_C(256) << 10) /* KiB */

static uint64_t round_up(uint64_t kib, uint64_t piece) {
    return (kib + piece - 1) / piece * piece;
}

uint64_t qemu_initial_memory(const DomainDef *def) {
    uint64_t kib = def->memory_kib;

    for (size_t i = 0; i < def->n_memories; i++)
        kib -= MIN_OF(def->memories[i].size, kib);
    return kib;
}

void qemu_align_memory(DomainDef *def) {
    const bool power = strncmp(def->os.arch, "ppc64", 5) == 0,
               full = def->current_memory_kib == def->memory_kib;
    const uint64_t piece = power ? POWER_PIECE : UINT64_C(1) << 10;
    uint64_t kib = round_up(qemu_initial_memory(def), piece), cells = 0;

    for (size_t i = 0; i < def->cpu.n_cells; i++) {
        NumaCell *cell = &def->cpu.cells[i];

        cell->memory_kib = round_up(cell->memory_kib, piece);
        cells += cell->memory_kib;
    }
    kib = cells ? cells : kib;
    for (size_t i = 0; i < def->n_memories; i++) {
        MemoryDef *memory = &def->memories[i];

        if (!power) /* else at define */
            memory->size = round_up(memory->size, 2 * piece);
        kib += memory->size;
    }
    def->max_memory_kib = round_up(def->max_memory_kib, piece);
    def->memory_kib = kib;
    if (full)
        def->current_memory_kib = kib;
}

int qemu_assign_aliases(DomainDef *def, const char *channel_dir) {
    Assign assign = {.def = def, .channel_dir = channel_dir};

    assert(channel_dir);
    if (fill_iommu(def) < 0)
        return -ENOMEM;
    qemu_number_sources(def);
    return devices_each(def, assign_one, &assign);
}
