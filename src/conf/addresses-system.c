/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses on the buses that only certain machines have: CCW, spapr-vio, virtio-mmio. */
#include "conf/addresses-internal.h"
#include "conf/machine.h"

/* Where QEMU has the first of each kind. */
#define VIO_CARD 0x1000u
#define VIO_SCSI 0x2000u
#define VIO_NVRAM 0x3000u
#define VIO_TPM 0x4000u
#define VIO_SERIAL 0x30000000u
#define VIO_STEP 0x1000u

static bool starts(const char *text, const char *with) {
    return text && strncmp(text, with, strlen(with)) == 0;
}

/* ---- ccw ---- */

static bool devno_is_taken(const DeviceRef *refs, size_t n, unsigned devno) {
    for (size_t i = 0; i < n; i++) {
        const DeviceAddress *at = &refs[i].info->address;

        if (at->type == ADDRESS_CCW && at->has_ccw && at->cssid == 0xfe && at->ssid == 0 &&
            at->devno == devno)
            return true;
    }
    return false;
}

static int check_ccw(const DeviceRef *refs, size_t n, Error **reterr) {
    for (size_t i = 0; i < n; i++) {
        const DeviceAddress *a = &refs[i].info->address;

        for (size_t k = 0; a->type == ADDRESS_CCW && a->has_ccw && k < i; k++) {
            const DeviceAddress *b = &refs[k].info->address;

            if (b->type == ADDRESS_CCW && b->has_ccw && a->cssid == b->cssid &&
                a->ssid == b->ssid && a->devno == b->devno)
                return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                    "The CCW devno '%x.%x.%04x' is in use already: <%s> number %zu "
                                    "and <%s> number %zu both have it",
                                    a->cssid, a->ssid, a->devno, refs[k].kind, refs[k].index + 1,
                                    refs[i].kind, refs[i].index + 1);
        }
    }
    return 0;
}

/* The order in which libvirt numbers devices on that bus, by kind. */
static int ccw_rank(const char *kind) {
    static const char *const kinds[] = {"disk",  "interface",  "hostdev",    "video", "controller",
                                        "input", "filesystem", "memballoon", "rng"};
    size_t rank = 0;

    while (rank < ARRAY_SIZE(kinds) && !streq(kinds[rank], kind))
        rank++;
    return (int)rank;
}

static int compare_ccw(const void *a, const void *b) {
    const DeviceRef *x = a, *y = b;
    int ranks = ccw_rank(x->kind) - ccw_rank(y->kind);

    return ranks ? ranks : x->index < y->index ? -1 : x->index > y->index;
}

/* ... and what the host passes through as such a device. */
static bool is_virtio(const DomainDef *def, const DeviceRef *ref) {
    static const char *const always[] = {"disk", "input", "filesystem", "memballoon",
                                         "rng",  "vsock", "crypto"};
    const size_t i = ref->index;

    for (size_t k = 0; k < ARRAY_SIZE(always); k++)
        if (streq(ref->kind, always[k]))
            return true;
    if (streq(ref->kind, "interface"))
        return starts(def->interfaces[i].model, "virtio");
    if (streq(ref->kind, "hostdev"))
        return def->hostdevs[i].type == HOSTDEV_SCSI_HOST ||
               streq_ptr(def->hostdevs[i].model, "vfio-ccw");
    if (streq(ref->kind, "video"))
        return def->videos[i].model == VIDEO_VIRTIO;
    return streq(ref->kind, "controller") &&
           (def->controllers[i].type == CONTROLLER_VIRTIO_SERIAL ||
            (def->controllers[i].type == CONTROLLER_SCSI &&
             starts(def->controllers[i].model, "virtio")));
}

static int assign_ccw(DomainDef *def, Error **reterr) {
    CLEANUP_FREE DeviceRef *refs = NULL;
    size_t n = 0;
    unsigned devno = 0;

    if (domain_def_pci_devices(def, &refs, &n) < 0)
        return error_no_memory(reterr);
    if (check_ccw(refs, n, reterr) < 0)
        return -EINVAL;
    qsort(refs, n, sizeof(*refs), compare_ccw);
    for (size_t i = 0; i < n; i++) {
        DeviceAddress *address = &refs[i].info->address;

        bool open = address->type == ADDRESS_CCW && !address->has_ccw;

        if (!open && (address->type != ADDRESS_NONE || !is_virtio(def, &refs[i])))
            continue;
        while (devno_is_taken(refs, n, devno))
            devno++;
        *address = (DeviceAddress){
            .type = ADDRESS_CCW, .has_ccw = true, .cssid = 0xfe, .devno = devno};
    }
    return 0;
}

/* ---- spapr-vio ---- */

typedef struct VioRef {
    DeviceRef ref;
    unsigned first;
} VioRef;

typedef struct VioMap {
    VioRef *refs;
    size_t n;
    bool failed;
} VioMap;

/* A device of that bus: `here` says so, or its address. */
static void add_vio(VioMap *map, DeviceInfo *info, const char *kind, size_t index, bool here,
                    unsigned first) {
    VioRef *ref;

    if (info->address.type == ADDRESS_NONE && here)
        info->address.type = ADDRESS_SPAPR_VIO;
    if (info->address.type != ADDRESS_SPAPR_VIO || map->failed)
        return;
    ref = array_append(&map->refs, &map->n, sizeof(VioRef));
    if (ref)
        *ref = (VioRef){{.info = info, .kind = kind, .index = index}, first};
    else
        map->failed = true;
}

static void collect_vio(DomainDef *def, VioMap *map) {
    const bool pseries = domain_def_is_pseries(def);

    for (size_t i = 0; i < def->n_interfaces; i++)
        add_vio(map, &def->interfaces[i].info, "interface", i,
                pseries && streq_ptr(def->interfaces[i].model, "spapr-vlan"), VIO_CARD);
    for (size_t i = 0; i < def->n_controllers; i++)
        add_vio(map, &def->controllers[i].info, "controller", i,
                def->controllers[i].type == CONTROLLER_SCSI &&
                    streq_ptr(def->controllers[i].model, "ibmvscsi"),
                VIO_SCSI);
    for (size_t i = 0, n = 0; i < def->n_chardevs; i++)
        if (def->chardevs[i].kind == CHARDEV_SERIAL) /* a console is the same device */
            add_vio(map, &def->chardevs[i].info, "serial", n++,
                    pseries && streq_ptr(def->chardevs[i].target_type, "spapr-vio-serial"),
                    VIO_SERIAL);
    if (def->nvram)
        add_vio(map, &def->nvram->info, "nvram", 0, pseries, VIO_NVRAM);
    for (size_t i = 0; i < def->n_tpms; i++)
        add_vio(map, &def->tpms[i].info, "tpm", i,
                pseries && streq_ptr(def->tpms[i].model, "tpm-spapr"), VIO_TPM);
}

/* Who else has that register, NULL: nobody. */
static const DeviceRef *vio_owner(const VioMap *map, const VioRef *mine, uint64_t reg) {
    for (size_t i = 0; i < map->n; i++) {
        const DeviceAddress *at = &map->refs[i].ref.info->address;

        if (&map->refs[i] != mine && at->has_reg && at->reg == reg)
            return &map->refs[i].ref;
    }
    return NULL;
}

/* Devices of a kind follow one another: each goes on where the one before found a free register. */
static int assign_registers(const VioMap *map, Error **reterr) {
    uint64_t first = 0, reg = 0;

    for (size_t i = 0; i < map->n; i++) {
        const DeviceRef *mine = &map->refs[i].ref;
        DeviceAddress *at = &mine->info->address;
        const DeviceRef *other = at->has_reg ? vio_owner(map, &map->refs[i], at->reg) : NULL;

        if (other)
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "spapr-vio address 0x%llx already in use: <%s> number %zu and "
                                "<%s> number %zu both have it",
                                (unsigned long long)at->reg, mine->kind, mine->index + 1,
                                other->kind, other->index + 1);
    }
    for (size_t i = 0; i < map->n; i++) {
        DeviceAddress *at = &map->refs[i].ref.info->address;

        if (at->has_reg)
            continue;
        if (map->refs[i].first != first)
            first = reg = map->refs[i].first;
        while (vio_owner(map, &map->refs[i], reg))
            reg += VIO_STEP;
        at->reg = reg;
        at->has_reg = true;
    }
    return 0;
}

static int assign_vio(DomainDef *def, Error **reterr) {
    VioMap map = {0};
    int r;

    collect_vio(def, &map);
    r = map.failed ? error_no_memory(reterr) : assign_registers(&map, reterr);
    free(map.refs);
    return r;
}

/* ---- virtio-mmio ---- */

#define ANY_ON_MMIO(def, member)                                                                   \
    for (size_t i = 0; i < (def)->n_##member; i++)                                                 \
        if ((def)->member[i].info.address.type == ADDRESS_VIRTIO_MMIO)                             \
    return true

static bool any_on_mmio(const DomainDef *def) {
    ANY_ON_MMIO(def, disks);
    ANY_ON_MMIO(def, interfaces);
    ANY_ON_MMIO(def, controllers);
    ANY_ON_MMIO(def, filesystems);
    ANY_ON_MMIO(def, inputs);
    ANY_ON_MMIO(def, videos);
    ANY_ON_MMIO(def, rngs);
    return def->memballoon && def->memballoon->info.address.type == ADDRESS_VIRTIO_MMIO;
}

/* Where virtio devices can be on a PCI bus or on none, one that is on none takes the others along.
 */
static bool uses_mmio(const DomainDef *def) {
    if (!machine_traits(def)->gic && !starts(def->os.arch, "riscv"))
        return machine_traits(def)->mmio;
    return any_on_mmio(def);
}

static int assign_mmio(DomainDef *def, Error **reterr) {
    CLEANUP_FREE DeviceRef *refs = NULL;
    size_t n = 0;

    if (!uses_mmio(def))
        return 0;
    if (domain_def_pci_devices(def, &refs, &n) < 0)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++)
        if (refs[i].info->address.type == ADDRESS_NONE && is_virtio(def, &refs[i]))
            refs[i].info->address.type = ADDRESS_VIRTIO_MMIO;
    return 0;
}

int addresses_assign_system(DomainDef *def, Error **reterr) {
    int r = domain_def_is_s390(def) ? assign_ccw(def, reterr) : 0;

    if (r >= 0)
        r = assign_vio(def, reterr);
    if (r >= 0)
        r = assign_mmio(def, reterr);
    return r;
}
